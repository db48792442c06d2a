"""Atomic writes, digests, errors and processes."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from repro import process
from repro.digest import Digest
from repro.errors import (
    CaptureError,
    EvaluationError,
    ExitCode,
    InfrastructureError,
    IntegrityError,
    OutOfMemoryError,
    ReproError,
    TimedOutError,
    UsageError,
)
from repro.files import atomic_file, atomic_write


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    atomic_write(path, b"one")
    atomic_write(path, b"two", mode=0o600)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_file(path) as stream:  # noqa: PT012 - the error comes after the first bytes
        stream.write(b"half")
        raise error
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_named_and_leaves_the_old_file(tmp_path: Path) -> None:
    """A real file system of 64 KiB, in a mount namespace of its own."""
    script = f"""
import sys
from pathlib import Path
from repro.errors import InfrastructureError
from repro.files import atomic_write
path = Path({str(tmp_path)!r}) / "lock"
atomic_write(path, b"old")
try:
    atomic_write(path, b"x" * 1_000_000)
except InfrastructureError as error:
    assert path.read_bytes() == b"old"
    assert [item.name for item in path.parent.iterdir()] == ["lock"]
    print(error)
    sys.exit(error.exit_code)
"""
    mount = f'mount -t tmpfs -o size=64k none {tmp_path} && exec {sys.executable} -c "$0"'
    done = subprocess.run(
        ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c", mount, script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (ExitCode.INFRASTRUCTURE, "")
    assert "no space left on the disk" in done.stdout


@pytest.mark.parametrize("place", ["file/below", "x" * 300, "file/deep/er"])
def test_an_impossible_place_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InfrastructureError) as caught:
        atomic_write(tmp_path / place, b"x")
    assert caught.value.where == str(tmp_path / place)


@pytest.mark.skipif(os.name != "posix", reason="there are no such files")
def test_a_pipe_is_not_replaced_nor_a_link_to_a_streams_file(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "stdout"
    os.mkfifo(pipe)
    link.symlink_to("/proc/self/fd/1")
    for path in (pipe, link):
        with pytest.raises(UsageError, match="device or a pipe"):
            atomic_write(path, b"x")
    assert pipe.is_fifo()
    assert link.is_symlink()
    assert {path.name for path in tmp_path.iterdir()} == {"pipe", "stdout"}


def test_a_digest_reads_and_writes_its_oci_form(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    digest = Digest.of_file(path)
    assert str(digest) == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert Digest.parse(str(digest)) == digest == Digest.of(b"abc")


@pytest.mark.parametrize(
    "text", ["", "sha256:", "md5:" + "0" * 32, "0" * 64, "sha256:" + "g" * 64, "sha256:" + "A" * 64]
)
def test_what_is_not_a_digest_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a sha256 digest"):
        Digest.parse(text)


def test_every_kind_of_error_has_its_exit_code() -> None:
    codes = {
        UsageError: ExitCode.USAGE,
        CaptureError: ExitCode.USAGE,
        EvaluationError: ExitCode.EVALUATION_FAILED,
        OutOfMemoryError: ExitCode.OUT_OF_MEMORY,
        TimedOutError: ExitCode.TIMED_OUT,
        InfrastructureError: ExitCode.INFRASTRUCTURE,
        IntegrityError: ExitCode.TAMPERED,
    }
    assert {kind: kind("x").exit_code for kind in codes} == codes
    assert issubclass(CaptureError, ReproError)


def test_a_failing_program_is_reported_with_the_end_of_its_output() -> None:
    with pytest.raises(InfrastructureError) as caught:
        process.run([sys.executable, "-c", "import sys; print('why', file=sys.stderr); sys.exit(3)"])
    assert "exit code 3" in caught.value.what
    assert caught.value.details == "why"


def test_a_program_gets_its_input_and_a_time_limit() -> None:
    done = process.run([sys.executable, "-c", "print(input())"], stdin="ü\n", env={"PYTHONUTF8": "1"})
    assert done.stdout == "ü\n"
    with pytest.raises(TimedOutError):
        process.run([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.2)


def test_a_missing_program_is_named() -> None:
    with pytest.raises(InfrastructureError, match="no-such-program"):
        process.run(["no-such-program"])


HALF = """
import sys, time
from pathlib import Path
from repro.files import atomic_file
with atomic_file(Path(sys.argv[1])) as stream:
    stream.write(b"half")
    stream.flush()
    print(flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def writing(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that is in the middle of writing a file, and ends when its input does."""
    command = [sys.executable, "-c", HALF, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield process
        finally:
            process.kill()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="there, nothing tells leftovers from files being written")
def test_what_a_killed_writer_left_goes_with_the_next_write(tmp_path: Path) -> None:
    with writing(tmp_path / "file") as process:
        process.kill()
    with writing(tmp_path / "file.other") as process:
        process.kill()
    (tmp_path / ".file.mine").write_bytes(b"")
    assert len(names(tmp_path)) == 3
    atomic_write(tmp_path / "file", b"whole")
    left = names(tmp_path)
    assert [name for name in left if not name.startswith(".file.other.")] == [".file.mine", "file"]
    assert len(left) == 3


@pytest.mark.skipif(os.name != "posix", reason="there, nothing tells leftovers from files being written")
def test_what_another_process_is_writing_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with writing(path) as process:
        before = names(tmp_path)
        atomic_write(path, b"whole")
        assert names(tmp_path) == [*before, "file"]
        process.communicate(b"")
        assert process.returncode == 0
    assert path.read_bytes() == b"half"
    assert names(tmp_path) == ["file"]


@pytest.mark.skipif(os.name != "posix", reason="there, nothing tells leftovers from files being written")
def test_many_writers_do_not_take_each_others_files_away(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: atomic_write(path, bytes([number])), range(200)))
    assert names(tmp_path) == ["file"]
