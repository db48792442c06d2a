"""Hashing many files: what comes out, from how many threads, how it is shown, and how soon it ends."""

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from repro.digest import Digest
from repro.progress import Progress, Task
from repro.store import hashing
from repro.store.hashing import Hashed, hash_files

MB = 1 << 20


class Shown(Progress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.started: list[tuple[str, float | None, str]] = []
        self.amount = 0.0
        self.finished = 0

    def start(self, title: str, total: float | None = None, unit: str = "items") -> Task:
        self.started.append((title, total, unit))
        return self

    def advance(self, amount: float = 1, detail: str = "") -> None:  # noqa: ARG002 - as in Task
        self.amount += amount

    def finish(self, summary: str = "") -> None:  # noqa: ARG002 - as in Task
        self.finished += 1


def made(folder: Path, *sizes: int) -> list[str]:
    paths = []
    for number, size in enumerate(sizes):
        path = folder / f"{number}.bin"
        path.write_bytes(number.to_bytes(1) * size)
        paths.append(str(path))
    return paths


def tick(path: str | Path) -> None:
    """Wait until a change of this file would have another time than its last one: file systems count in steps."""
    last = Path(path).stat().st_ctime_ns
    with tempfile.NamedTemporaryFile(dir=Path(path).parent) as probe:
        while Path(probe.name).stat().st_ctime_ns <= last:
            time.sleep(0.001)
            os.utime(probe.name)


@pytest.mark.parametrize("threads", [1, 3])
def test_digests_come_in_the_order_of_the_paths(tmp_path, monkeypatch, threads):
    monkeypatch.setattr(hashing, "_FEW_BYTES", 0)
    monkeypatch.setattr(hashing, "_LARGE", MB)
    monkeypatch.setattr(hashing, "usable_cpus", lambda: threads)
    sizes = (0, 1, 65535, 65536, 65537, MB - 1, MB, MB + 1, 3 * MB, 7)
    paths = made(tmp_path, *sizes)
    found = hash_files(paths)
    assert [one.sha256.hex for one in found] == [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths]
    assert [one.after.st_size for one in found] == list(sizes)


def test_links_are_followed_and_what_is_no_file_is_told(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "circle").symlink_to("circle")
    os.mkfifo(tmp_path / "pipe")
    names = ["link", "gone", "circle", "pipe", "."]
    link, *others = hash_files([str(tmp_path / name) for name in names])
    assert link.sha256 == Digest.of(b"x")
    assert [error.strerror for error in others] == [
        "No such file or directory",
        "Too many levels of symbolic links",
        "it is no regular file",
        "it is no regular file",
    ]
    assert hash_files([]) == []


def test_a_file_that_grows_while_it_is_hashed_shows_it(tmp_path, monkeypatch):
    (path,) = made(tmp_path, 10)
    real = Path(path).stat()
    Path(path).write_bytes(b"longer than before")
    monkeypatch.setattr(hashing, "_look", lambda *_: real)
    (found,) = hash_files([path])
    assert isinstance(found, Hashed)
    assert found.before.st_size != found.after.st_size
    assert found.sha256 == Digest.of(b"longer than before")


def test_much_work_is_shown_in_bytes_and_little_is_not(tmp_path, monkeypatch):
    paths = made(tmp_path, MB, MB)
    few, much = Shown(), Shown()
    hash_files(paths, progress=few)
    monkeypatch.setattr(hashing, "_LARGE", MB)
    hash_files([*paths, str(tmp_path / "gone")], progress=much, title="Hashing data")
    assert few.started == []
    assert much.started == [("Hashing data", 2 * MB, "bytes")]
    assert (much.amount, much.finished) == (2 * MB, 1)


def test_an_error_in_a_thread_reaches_the_caller(tmp_path, monkeypatch):
    def broken(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(hashing, "_FEW_BYTES", 0)
    monkeypatch.setattr(hashlib, "sha256", broken)
    with pytest.raises(MemoryError):
        hash_files(made(tmp_path, 1, 2))


@pytest.mark.skipif(sys.platform != "linux", reason="sparse files")
def test_a_file_of_many_gigabytes_is_known_by_its_size_and_let_go_within_a_moment(tmp_path):
    """A terabyte would take minutes; Ctrl-C comes when its hashing has begun."""
    path, size = tmp_path / "huge.bin", 1 << 40
    with path.open("wb") as stream:
        stream.truncate(size)
    script = (
        "import sys\n"
        "from repro.store.hashing import hash_files\n"
        "from tests.store.test_hashing import Shown\n"
        "class Told(Shown):\n"
        "    def advance(self, amount=1, detail=''):\n"
        "        if amount and not self.amount:\n"
        "            print(self.started[0][1], flush=True)\n"
        "        super().advance(amount)\n"
        "hash_files([sys.argv[1]], progress=Told())\n"
    )
    command = [sys.executable, "-c", script, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        try:
            assert int(child.stdout.readline()) == size
            child.send_signal(signal.SIGINT)
            assert b"KeyboardInterrupt" in child.communicate(timeout=120)[1]
        finally:
            child.kill()
