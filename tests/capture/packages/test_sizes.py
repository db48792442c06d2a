"""Sizes are asked for once, whatever becomes of the file that remembers them."""

from pathlib import Path

import pytest

from repro.capture.packages.sizes import Sizes
from repro.digest import Digest
from tests.capture.packages.indexes import Index, wheel
from tests.http.servers import serve

ONE, TWO = Digest.of(b"1"), Digest.of(b"2")


def test_a_size_that_the_index_does_not_say_is_asked_for_once(tmp_path: Path) -> None:
    with serve() as server:
        index = Index(server, style="html")
        name, body = wheel("thing", "1.0")
        index.add(name, body)
        for _ in range(2):
            client = index.client(tmp_path)
            (file,) = client.complete(client.files("thing", "1.0")).values()
            assert (file.size, server.paths("HEAD")) == (len(body), [f"/simple-files/{name}"])


def test_what_two_processes_learn_is_kept(tmp_path: Path) -> None:
    first, second = Sizes(tmp_path / "deep" / "sizes.json"), Sizes(tmp_path / "deep" / "sizes.json")
    for sizes, digest, size in ((first, ONE, 10), (second, TWO, 20)):
        assert sizes.get(digest) is None
        sizes.add(digest, size)
        sizes.save()
    again = Sizes(tmp_path / "deep" / "sizes.json")
    assert (again.get(ONE), again.get(TWO)) == (10, 20)


@pytest.mark.parametrize("damage", [b"", b"[]", b"{", b'{"%s": "10"}' % ONE.hex.encode(), b"\xff"])
def test_a_damaged_memory_is_an_empty_one(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / "sizes.json").write_bytes(damage)
    sizes = Sizes(tmp_path / "sizes.json")
    assert sizes.get(ONE) is None
    sizes.add(ONE, 10)
    sizes.save()
    assert Sizes(tmp_path / "sizes.json").get(ONE) == 10


def test_a_place_that_cannot_be_written_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    sizes = Sizes(tmp_path / "file" / "sizes.json")
    sizes.add(ONE, 10)
    sizes.save()
    assert sizes.get(ONE) == 10
