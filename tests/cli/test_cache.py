"""`repro cache` leaves alone what a build has in its hands."""

import os
from pathlib import Path

import pytest

from repro.cli import main
from repro.digest import Digest
from repro.oci.shelf import Shelf

PLACES = ("pythons", "rootfs/images", "rootfs/layers")


def fill(place: Path) -> None:
    (place / "file").write_bytes(b"1" * 100)


@pytest.mark.parametrize("option", [("--clear",), ("--prune", "0")])
@pytest.mark.parametrize("where", PLACES)
def test_what_is_held_stays_and_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    where: str,
    option: tuple[str],
) -> None:
    monkeypatch.setenv("REPRO_CACHE_DIR", str(tmp_path))
    shelf = Shelf(tmp_path / where)
    with shelf.hold(Digest.of(b"free"), fill) as free:
        pass
    with shelf.hold(Digest.of(b"held"), fill) as held:
        for path in (*tmp_path.rglob("*"), tmp_path):
            os.utime(path, (0, 0))
        assert main(["cache", *option]) == 0
        assert (held / "file").exists()
        assert not free.exists()
        assert [line.split(maxsplit=1)[1] for line in capsys.readouterr().out.splitlines()] == [
            "removed 100 bytes in 1 piece",
            "100 bytes stay: in use, or used within the last hour",
        ]
