"""Runs that would never end well: each is ended with its reason, in bounded time and memory, and leaves no process."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from repro.runner import stops

DAEMON = """\
import subprocess, sys, time
subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True,
                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
"""
FLOOD = "while True: print('x' * 1000)"
FLOOD_BELOW_PYTHON = "import os\nline = b'y' * 65536\nwhile True: os.write(2, line)"


@pytest.fixture
def small_limits(monkeypatch):
    monkeypatch.setattr(stops, "KEPT_OUTPUT", 1 << 20)
    monkeypatch.setattr(stops, "MOST_OUTPUT", 8 << 20)


def test_a_cell_that_prints_for_ever_is_stopped(bench, survivors, small_limits):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    failure = bench.notebook("x = 1", FLOOD).failure
    assert (failure.kind, failure.cell) == ("died", 2)
    assert failure.message == "it printed more than 8 MiB and was stopped; print less"
    assert survivors() == []
    assert (bench.out / "executed.ipynb").stat().st_size < 4 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400 << 10


def test_a_flood_that_goes_past_pythons_streams_is_stopped(bench, survivors, small_limits):
    failure = bench.notebook(FLOOD_BELOW_PYTHON).failure
    assert failure.message == "it printed more than 8 MiB and was stopped; print less"
    assert survivors() == []


@pytest.mark.parametrize("stream", ["sys.stderr.write('e' * 2**20)", "os.write(1, b'e' * 2**20)"])
def test_a_flood_is_told_of_the_cell_that_printed_it(bench, small_limits, stream):
    """Also where that has ended by the time that somebody counts, and where no cell follows."""
    source = f"import os, sys\nfor _ in range(20): {stream}"
    for cells in ([source, "x = 1"], [source]):
        failure = bench.notebook(*cells).failure
        assert (failure.kind, failure.cell, failure.source) == ("died", 1, source)


@pytest.mark.parametrize("source", [FLOOD, "import sys\nwhile True: sys.stdout.write('no end')"])
def test_a_script_that_prints_for_ever_is_stopped(bench, survivors, small_limits, source):
    failure = bench.script(source).failure
    assert (failure.kind, failure.message) == ("died", "the script printed more than 8 MiB and was stopped; print less")
    assert survivors() == []
    assert (bench.out / "output.log").stat().st_size <= (1 << 20) + (1 << 16)


def test_much_output_is_cut_and_the_run_goes_on(bench, small_limits):
    record = bench.notebook("for _ in range(4000): print('x' * 500)", ("auc = 0.5", "metrics"))
    assert record.failure is None
    assert [metric.value for metric in record.metrics] == [0.5]
    assert any("only the first 1 MiB of its output are kept" in warning for warning in record.warnings)
    assert (bench.out / "executed.ipynb").stat().st_size < 2 << 20
    script = bench.script("for _ in range(4000): print('x' * 500)\nopen('done', 'w').close()")
    assert script.failure is None
    assert (bench.root / "done").exists()
    assert any("only the first 1 MiB" in warning for warning in script.warnings)


@pytest.mark.skipif(sys.platform != "linux", reason="told by /proc")
@pytest.mark.parametrize("kind", ["notebook", "script"])
def test_a_daemon_does_not_outlive_the_run_and_is_named(bench, survivors, kind):
    record = bench.notebook(DAEMON) if kind == "notebook" else bench.script(DAEMON)
    assert record.failure is None
    assert survivors() == []
    [warning] = [one for one in record.warnings if "behind" in one]
    assert "time.sleep(600)" in warning


def test_a_program_that_ends_by_itself_right_after_is_not_named(bench, survivors, monkeypatch, tmp_path):
    """It is there when the script ends, and gone when its grace is over, however long that takes it here."""
    given = []

    def grace(_: float) -> None:
        given.append(survivors())
        (tmp_path / "end").touch()
        until = time.monotonic() + 120
        while survivors() and time.monotonic() < until:
            time.sleep(0.01)

    monkeypatch.setattr(stops, "time", SimpleNamespace(sleep=grace))
    waiting = f"import os\nwhile not os.path.exists({str(tmp_path / 'end')!r}): time.sleep(0.01)"
    source = DAEMON.replace("'import time; time.sleep(600)'", repr(f"import time\n{waiting}"))
    assert not any("behind" in warning for warning in bench.script(source).warnings)
    assert len(given) == len(given[0]) == 1


def test_a_kernel_that_will_not_shut_down_is_killed(bench, survivors):
    began = time.monotonic()
    record = bench.notebook("import atexit, threading, time\natexit.register(time.sleep, 600)\nx = 1")
    assert record.failure is None
    assert time.monotonic() - began < 300  # and not the 600 s that it would take
    assert survivors() == []


def test_a_cell_that_ignores_interrupts_is_killed_when_its_time_is_over(bench, survivors):
    cell = (
        "import signal, time\nfor one in (signal.SIGINT, signal.SIGTERM): signal.signal(one, signal.SIG_IGN)\n"
        "while True: time.sleep(1)"
    )
    failure = bench.notebook(cell, cell_timeout=1.0).failure
    assert failure.kind == "timeout"
    assert survivors() == []


def test_a_script_that_asks_for_input_is_told_what_to_do(bench):
    failure = bench.script("name = input('who? ')").failure
    assert (failure.kind, failure.message) == ("cell", stops.ASKS_FOR_INPUT)
    assert "name = input" in failure.traceback


_FULL = [
    "raise OSError(28, 'No space left on device', 'model.bin')",
    "import errno\nraise OSError(errno.EDQUOT, 'Disk quota exceeded')",
    "import sqlite3\nraise sqlite3.OperationalError('database or disk is full')",
    "raise OSError(\"Can't write data (file write failed: errno = 28, error message = 'No space left on device')\")",
]


@pytest.mark.parametrize("source", _FULL)
def test_a_full_disk_that_the_program_runs_into_is_told_as_one(bench, source):
    failure = bench.script(source).failure
    assert failure.kind == "cell"
    assert failure.message.endswith(stops.FULL_DISK)


def test_a_full_disk_that_a_cell_runs_into_is_told_as_one(bench):
    failure = bench.notebook(_FULL[0]).failure
    full = "OSError: [Errno 28] No space left on device: 'model.bin'"
    assert (failure.kind, failure.message) == ("cell", f"{full}; {stops.FULL_DISK}")
    other = bench.notebook("raise OSError(2, 'No such file')").failure
    assert stops.FULL_DISK not in other.message


@pytest.mark.parametrize(
    "cell",
    [
        "!{sys.executable} -c 'input()'",
        "!read x; cat",
        "!!{sys.executable} -c 'input()'",
        "%%bash\nread x </dev/stdin\ncat",
        "import subprocess\nsubprocess.run([sys.executable, '-c', 'input()'])",
    ],
)
def test_programs_that_a_cell_starts_are_at_the_end_of_their_input(bench, cell):
    assert bench.notebook("import sys", cell, "done = 1", cell_timeout=300.0).failure is None


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere they keep the terminal, so that they end with it")
def test_programs_that_a_cell_starts_have_no_terminal_to_ask_on(bench):
    ask = "import getpass\ntry: getpass.getpass()\nexcept EOFError: print('nobody')"
    (bench.root / "ask.py").write_text(ask)
    record = bench.notebook("import sys", "!{sys.executable} ask.py", "!cat /dev/tty", cell_timeout=300.0)
    assert record.failure is None
    asked, opened = (cell.outputs[0]["text"] for cell in bench.executed().cells[1:])
    assert "nobody" in asked
    assert "/dev/tty" in opened


def test_programs_that_a_cell_starts_still_print_as_on_a_terminal(bench):
    look = "!{sys.executable} -c 'import os; print(os.isatty(1), os.isatty(0)); exit(3)'"
    assert bench.notebook("import sys", look, "_exit_code").failure is None
    first, second = (cell.outputs[0] for cell in bench.executed().cells[1:])
    assert first["text"].split() == ["True", "False"]
    assert second["data"]["text/plain"] == "3"


def test_a_program_that_expects_a_terminal_of_the_users_own_has_it(bench):
    start = "import pexpect, sys\nchild = pexpect.spawn(sys.executable, ['-c', 'print(input()[::-1])'])"
    record = bench.notebook(
        "!true", start, "child.sendline('abc')", "child.expect('cba', timeout=120)", cell_timeout=300.0
    )
    assert record.failure is None


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small file system")
def test_a_disk_that_the_run_fills_is_named_with_the_cell(bench, kernel_python, tmp_path):
    """A real file system with room for a megabyte or two, for the project and for what the run leaves."""
    program = (
        "import sys, pathlib\n"
        "from repro.runner.documents import Evaluation\n"
        "from repro.runner.execute import execute\n"
        "root = pathlib.Path(sys.argv[1])\n"
        "record = execute(Evaluation('notebook', 'n.ipynb', sys.argv[2], ''), root, root / 'out')\n"
        "print(record.failure.kind, record.failure.cell, record.failure.message)\n"
    )
    bench.write_notebook("x = 1", "with open('big', 'wb') as f:\n    while True: f.write(bytes(1 << 20))")
    small = tmp_path / "small"
    script = f"""
mkdir {small} && mount -t tmpfs -o size=3m none {small} && cp '{bench.root}'/work.ipynb {small}/n.ipynb &&
'{sys.executable}' -c "$0" {small} '{kernel_python}'"""
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, program],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout == f"cell 2 OSError: [Errno 28] No space left on device; {stops.FULL_DISK}\n", done.stderr
