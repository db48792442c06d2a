"""Hashing with helper processes: what comes out is the same, whatever becomes of them, and none outlives its work."""

import hashlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from repro.digest import Digest
from repro.store import hashing, stat_cache
from repro.store.hashing import Hashed, hash_files
from repro.store.hashing_processes import Helper, start_helper
from repro.store.hashing_workers import Worker
from repro.store.stat_cache import open_stat_cache
from tests.store.test_hashing import Shown, made, tick

SIZES = (0, 1, 1000, 65535, 65536, 65537, 300_000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, *range(2000, 2040))


@pytest.fixture(autouse=True)
def many(monkeypatch):
    """Have a few files be many: two helpers, and batches of a few files."""
    monkeypatch.setattr(hashing, "usable_cpus", lambda: 3)
    monkeypatch.setattr(hashing, "_BATCH", 1 << 16)
    monkeypatch.setattr(hashing, "_PER_HELPER", 1 << 16)


@pytest.fixture
def helpers(monkeypatch):
    """The helpers that are started. All have ended when the test has."""
    started: list[Helper] = []

    def recorded() -> Helper | None:
        helper = start_helper()
        if helper is not None:
            started.append(helper)
        return helper

    monkeypatch.setattr(hashing, "start_helper", recorded)
    yield started
    for helper in started:
        helper._process.wait(60)  # a busy machine may take its time to end what was killed


@pytest.fixture
def turn(monkeypatch):
    """What this process waits for before it hashes anything itself: until it is set, helpers have all small files."""
    event, run = threading.Event(), Worker.run

    def waited(self: Worker) -> None:
        event.wait(60)
        run(self)

    monkeypatch.setattr(Worker, "run", waited)
    return event


def digests(paths: list[str]) -> list[str]:
    return [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths]


def test_digests_are_right_whoever_makes_them_and_in_order(tmp_path, helpers):
    paths = made(tmp_path, *SIZES)
    found = hash_files(paths)
    assert [one.sha256.hex for one in found] == digests(paths)
    assert [one.after.st_size for one in found] == list(SIZES)
    assert all(one.before is one.after for one in found)
    assert len(helpers) == 2


def test_helpers_do_what_they_are_asked(tmp_path, helpers, turn, monkeypatch):
    asked, answered = [], []
    answer = Helper.answer

    def counted(self: Helper, count: int) -> list[bytes]:
        asked.append(count)
        result = answer(self, count)
        answered.extend(result)
        turn.set()
        return result

    monkeypatch.setattr(Helper, "answer", counted)
    paths = made(tmp_path, *SIZES)
    hash_files(paths)
    assert sum(asked) == len(answered) > 0
    assert {one.hex() for one in answered} <= set(digests(paths))


def test_names_that_are_no_text_and_relative_ones_reach_the_helpers(tmp_path, helpers, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [os.fsdecode(name) for name in (b"caf\xc3\xa9", b"caf\xe9", b"two\nlines", b" ")]
    for name in names:
        try:
            Path(name).write_bytes(name.encode("utf-8", "surrogateescape"))
        except OSError:  # macOS has only Unicode names
            names.remove(name)
    found = hash_files(names * 20)
    assert [one.sha256.hex for one in found] == digests(names) * 20
    assert helpers


def test_files_that_change_vanish_or_turn_up_in_the_meantime_show_it(tmp_path, helpers, monkeypatch):
    paths = made(tmp_path, *[1000] * 60)
    real = {path: Path(path).stat() for path in paths}
    Path(paths[7]).write_bytes(b"shorter")
    Path(paths[8]).write_bytes(b"longer" * 1000)
    Path(paths[9]).unlink()
    tick(paths[10])
    os.utime(paths[10])
    monkeypatch.setattr(hashing, "_look", lambda path, _: real[path])
    found = hash_files(paths)
    gone = found.pop(9)
    assert isinstance(gone, FileNotFoundError)
    assert gone.filename == paths.pop(9)
    assert [one.sha256.hex for one in found] == digests(paths)
    assert [number for number, one in enumerate(found) if one.before is not one.after] == [7, 8, 9]


def test_the_cache_keeps_what_helpers_hashed_unless_it_changed(tmp_path, helpers, monkeypatch):
    monkeypatch.setenv("REPRO_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(stat_cache.Clock, "now", lambda _: time.time_ns() + 10_000_000_000)
    root = tmp_path / "project"
    root.mkdir()
    paths = made(root, *[1000] * 60)
    cache = open_stat_cache(root)
    touched = paths[30]
    look = hashing._look

    def before_it_was_touched(path: str, known: stat_cache.StatCache | None) -> hashing.Outcome | os.stat_result:
        info = look(path, known)
        if path == touched:
            tick(path)
            os.utime(path)
        return info

    monkeypatch.setattr(hashing, "_look", before_it_was_touched)
    hash_files(paths, cache=cache)
    cache.save()
    again = open_stat_cache(root)
    assert [path for path in paths if again.get(path, Path(path).stat()) is None] == [touched]


def test_what_has_just_changed_is_not_kept_for_a_helpers_digest_either(tmp_path, helpers, monkeypatch):
    monkeypatch.setenv("REPRO_CACHE_DIR", str(tmp_path / "cache"))
    root = tmp_path / "project"
    root.mkdir()
    paths = made(root, *[1000] * 60)
    oldest = min(Path(path).stat().st_ctime_ns for path in paths)
    monkeypatch.setattr(stat_cache.Clock, "now", lambda _: oldest + 1_000_000_000)
    cache = open_stat_cache(root)
    hash_files(paths, cache=cache)
    cache.save()
    again = open_stat_cache(root)
    assert [path for path in paths if again.get(path, Path(path).stat())] == []
    assert helpers


def test_bytes_that_helpers_read_are_shown(tmp_path, helpers, monkeypatch):
    monkeypatch.setattr(hashing, "_LARGE", 1 << 20)
    shown = Shown()
    hash_files(made(tmp_path, *SIZES), progress=shown)
    assert shown.started == [("Hashing files", sum(SIZES), "bytes")]
    assert (shown.amount, shown.finished) == (sum(SIZES), 1)


@pytest.mark.parametrize("answers", [0, 1, 2])
def test_what_a_killed_helper_leaves_undone_is_done(tmp_path, helpers, turn, monkeypatch, answers):
    answer, calls = Helper.answer, itertools.count()

    def killed_meanwhile(self: Helper, count: int) -> list[bytes]:
        if next(calls) == answers:
            self._process.kill()
            self._process.wait()
            turn.set()
        return answer(self, count)

    monkeypatch.setattr(Helper, "answer", killed_meanwhile)
    paths = made(tmp_path, *SIZES)
    assert [one.sha256.hex for one in hash_files(paths)] == digests(paths)
    assert turn.is_set()


def test_what_is_no_helper_is_not_believed(tmp_path, helpers, monkeypatch):
    """It prints its arguments, which could be taken for digests."""
    echo = shutil.which("echo")
    assert echo is not None
    monkeypatch.setattr(sys, "executable", echo)
    paths = made(tmp_path, *SIZES)
    assert [one.sha256.hex for one in hash_files(paths)] == digests(paths)
    assert helpers


def test_a_helper_that_fails_ends_and_keeps_nobody_waiting():
    helper = Helper()
    helper.ask((5).to_bytes(8, "little") + b"wrong")
    with pytest.raises(EOFError):
        helper.answer(1)
    helper.kill()
    helper.close()


def test_ctrl_c_while_helpers_are_put_to_work_stays_ctrl_c(tmp_path, helpers, monkeypatch):
    def interrupted(_: threading.Thread) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        hash_files(made(tmp_path, *SIZES))
    assert len(helpers) == 1


@pytest.mark.parametrize(
    ("name", "value"), [("executable", ""), ("executable", "/nowhere/python"), ("frozen", True)], ids=str
)
def test_where_there_is_no_interpreter_to_start_threads_do_it_all(tmp_path, helpers, monkeypatch, name, value):
    monkeypatch.setattr(sys, name, value, raising=False)
    paths = made(tmp_path, *SIZES)
    assert [one.sha256.hex for one in hash_files(paths)] == digests(paths)
    assert helpers == []


def test_little_work_and_large_files_start_no_process(tmp_path, helpers, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(hashing, "start_helper", None)
    large = tmp_path / "large"
    with large.open("wb") as stream:
        stream.truncate(100 << 20)
    found = hash_files([*made(tmp_path, *[100] * 250), str(large), str(large)])
    assert all(isinstance(one, Hashed) for one in found)
    assert found[-1].sha256 == Digest.of_file(large)


SCRIPT = """
import sys
from repro.store import hashing
from repro.store.hashing_processes import start_helper

def told():
    helper = start_helper()
    print(helper._process.pid, flush=True)
    return helper

hashing.start_helper = told
hashing.usable_cpus = lambda: 3
hashing.hash_files([sys.argv[1]] * 500_000)
"""
"""Would take minutes."""


def running(process: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def at_work(process: int) -> bool:
    """Whether a process has read some of what it is to hash."""
    fields = dict(line.split(": ") for line in Path(f"/proc/{process}/io").read_text().splitlines())
    return int(fields["rchar"]) > 10 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="sparse files and /proc")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_no_helper_outlives_who_started_it(tmp_path, sent):
    path = tmp_path / "file.bin"
    with path.open("wb") as stream:
        stream.truncate((1 << 20) - 1)
    command = [sys.executable, "-c", SCRIPT, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        helpers = [int(child.stdout.readline()) for _ in range(2)]
        try:
            while not all(map(at_work, helpers)):
                assert child.poll() is None
                time.sleep(0.01)
            child.send_signal(sent)
            errors = child.communicate(timeout=60)[1]
        finally:
            child.kill()
    assert (b"KeyboardInterrupt" in errors) == (sent == signal.SIGINT)
    ended = time.monotonic()
    while any(map(running, helpers)):
        assert time.monotonic() - ended < 30  # what is left of a batch takes a moment
        time.sleep(0.01)
