"""Directories of a shelf go when nobody holds them, and only then."""

from pathlib import Path

import pytest

from repro.digest import Digest
from repro.oci import shelf as module
from repro.oci.shelf import Item, Shelf

ONE = Digest.of(b"one")


def fill(place: Path) -> None:
    (place / "file").write_bytes(b"1")


def test_what_is_held_is_not_removed(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    with shelf.hold(ONE, fill) as place:
        assert not Item(place, 0.0).remove()
        assert (place / "file").exists()
    assert Item(place, 0.0).remove()
    assert not place.exists()


@pytest.mark.parametrize("again", [True, False])
def test_one_that_somebody_else_removes_first_is_left_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, again: bool
) -> None:
    shelf = Shelf(tmp_path)
    with shelf.hold(ONE, fill) as place:
        pass
    lock = module.lock

    def late(handle: int, *, exclusive: bool = True, wait: bool = True) -> bool:
        """The lock comes when another process has removed the directory, and a third has made it again."""
        monkeypatch.setattr(module, "lock", lock)
        place.rename(tmp_path / "away")
        if again:
            with shelf.hold(ONE, fill):
                pass
        return lock(handle, exclusive=exclusive, wait=wait)

    monkeypatch.setattr(module, "lock", late)
    assert Item(place, 0.0).remove() is not again
    assert place.exists() is again
