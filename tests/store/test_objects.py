"""Objects appear whole, stay what they are, and never share an inode with a user's file."""

import stat
from pathlib import Path

import pytest

from repro.digest import Digest
from repro.errors import IntegrityError
from repro.store import ObjectStore, artifact_cache, http_cache, project_store, wheel_path

DATA = b"some bytes"
DIGEST = Digest.of(DATA)


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_an_object_lies_under_its_digest_and_git_ignores_it(tmp_path: Path) -> None:
    store = project_store(tmp_path)
    assert not store.has(DIGEST)
    assert store.add_bytes(DATA) == DIGEST
    assert store.has(DIGEST)
    assert files(tmp_path) == [".repro/.gitignore", f".repro/objects/sha256/{DIGEST.hex[:2]}/{DIGEST.hex}"]
    assert (tmp_path / ".repro" / ".gitignore").read_text() == "*\n"
    with store.open(DIGEST) as stream:
        assert stream.read() == DATA


def test_an_object_is_read_only_and_a_copy(tmp_path: Path) -> None:
    mine = tmp_path / "model.bin"
    mine.write_bytes(DATA)
    store = project_store(tmp_path)
    path = store.path(store.add_file(mine))
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert path.stat().st_ino != mine.stat().st_ino
    mine.write_bytes(b"changed afterwards")
    assert store.checked_path(DIGEST).read_bytes() == DATA


def test_adding_twice_changes_nothing_and_mends_what_was_damaged(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    store.add_bytes(DATA)
    path = store.path(DIGEST)
    path.chmod(0o644)
    path.write_bytes(b"Some bytes")
    with pytest.raises(IntegrityError, match="has changed") as damaged:
        store.open(DIGEST)
    assert damaged.value.where == str(path)
    store.add_bytes(DATA)
    assert store.checked_path(DIGEST).read_bytes() == DATA
    assert files(tmp_path) == [f"sha256/{DIGEST.hex[:2]}/{DIGEST.hex}"]


def test_a_missing_object_is_named(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=f"no object {DIGEST}"):
        ObjectStore(tmp_path).checked_path(DIGEST)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_what_breaks_off_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    store = ObjectStore(tmp_path)

    def break_off() -> None:
        with store.incoming() as stream:
            stream.write(DATA)
            raise error

    with pytest.raises(error):
        break_off()
    assert files(tmp_path) == []


def test_a_restarted_object_is_only_what_came_after(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    with store.incoming() as stream:
        stream.write(b"half of something else, and longer")
        stream.restart()
        stream.write(DATA)
    assert (stream.digest, stream.size) == (DIGEST, len(DATA))
    assert store.checked_path(DIGEST).read_bytes() == DATA


def test_a_wheel_is_offered_under_its_name_without_a_second_copy(tmp_path: Path) -> None:
    store = project_store(tmp_path)
    digest = store.add_bytes(DATA)
    path = store.offer_wheel(digest, "mine-1.0-py3-none-any.whl")
    assert path == tmp_path / wheel_path(digest, "mine-1.0-py3-none-any.whl")
    assert path.read_bytes() == DATA
    assert path.stat().st_ino == store.path(digest).stat().st_ino
    assert store.offer_wheel(digest, path.name) == path


def test_the_cache_is_where_the_variable_says(tmp_path: Path) -> None:
    environ = {"REPRO_CACHE_DIR": str(tmp_path / "c")}
    assert artifact_cache(environ).directory == tmp_path / "c" / "artifacts"
    assert http_cache(environ) == tmp_path / "c" / "http"
