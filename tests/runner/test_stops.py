"""Runs that would never end well: each is ended with its reason, in bounded time and memory, and leaves no process."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

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


def test_a_program_that_ends_by_itself_right_after_is_not_named(bench, survivors):
    source = DAEMON.replace("600", "0.001")
    assert not any("behind" in warning for warning in bench.script(source).warnings)


def test_a_kernel_that_will_not_shut_down_is_killed(bench, survivors):
    began = time.monotonic()
    record = bench.notebook("import atexit, threading, time\natexit.register(time.sleep, 600)\nx = 1")
    assert record.failure is None
    assert time.monotonic() - began < 60
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
    assert done.stdout == "cell 2 OSError: [Errno 28] No space left on device\n", done.stderr
