"""Notebooks in real kernels: what comes back, what fails how, and what is left behind (nothing)."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from repro.runner import limits
from repro.runner.documents import Evaluation, RunRecord
from repro.runner.events import CELL_FINISHED, CELL_STARTED, KERNEL_READY
from repro.runner.report import failure_text
from repro.runner.trace import read_trace

LOOK_AROUND = """\
{
    'inherited': os.environ['INHERITED'],
    'own': os.environ['OWN'],
    'startup': 'PYTHONSTARTUP' in os.environ,
    'path': '/somewhere/else' in sys.path,
    'hook': any('hook' in entry for entry in sys.path),
    'module': 'sitecustomize' in sys.modules,
    'prefix': sys.executable,
}"""
BUSY_WITH_A_CHILD = """\
import subprocess, sys
subprocess.Popen([sys.executable, '-c', 'while True: pass'])
while True: pass
"""


def pythons() -> list[str]:
    """The interpreter that runs the tests and what pyenv has from 3.9 on: kernels of every age."""
    found = [str(path) for path in sorted((Path.home() / ".pyenv" / "versions").glob("3.*/bin/python"))]
    others = [path for path in found if int(path.split("/3.")[-1].split(".")[0]) >= 9]
    return [sys.executable, *(path for path in others if not Path(path).samefile(sys.executable))]


def test_a_run_leaves_record_copy_and_cells_and_never_touches_the_notebook(bench):
    cells = ["import os\nprint(os.path.basename(os.getcwd()))", "", "1 + 1"]
    from_ = bench.root / "deep" / "n.ipynb"
    record = bench.notebook(*cells, name="deep/n.ipynb")
    assert record.failure is None
    assert [cell.number for cell in record.cells] == [1, 3]
    assert [(event.kind, event.number, event.total) for event in bench.events] == [
        (KERNEL_READY, 0, 3),
        (CELL_STARTED, 1, 3),
        (CELL_FINISHED, 1, 3),
        (CELL_STARTED, 3, 3),
        (CELL_FINISHED, 3, 3),
    ]
    assert bench.events[1].title == "import os"
    executed = bench.executed()
    assert executed.cells[0].outputs[0].text == "deep\n"
    assert executed.cells[2].outputs[0].data["text/plain"] == "2"
    assert [cell.execution_count for cell in executed.cells] == [1, None, 2]
    assert '"outputs": []' in from_.read_text()
    assert RunRecord.from_json((bench.out / "record.json").read_bytes()) == record
    assert record.packages["ipykernel"]
    assert record.python_executable == bench.python
    assert record.machine["cpus"]


@pytest.mark.parametrize("python", pythons())
def test_kernels_of_every_age(python, tmp_path, make_environment, bench_at):
    interpreter = make_environment(tmp_path / "env", python, "ipykernel")
    bench = bench_at(interpreter)
    (bench.root / "local.py").write_text("VALUE = 0.1\n")
    (bench.root / "data.txt").write_text("5")
    record = bench.notebook(
        "import local\nn = int(open('data.txt').read())",
        ("{'auc': local.VALUE, 'n': n, 'nan': float('nan')}", "metrics"),
    )
    assert record.failure is None
    assert repr([(metric.name, metric.value) for metric in record.metrics]) == "[('auc', 0.1), ('n', 5), ('nan', nan)]"
    trace = read_trace(bench.out / "repro-trace")
    assert {str(bench.root / "local.py"), str(bench.root / "data.txt")} <= trace.reads.keys()
    assert trace.modules["local"] == str(bench.root / "local.py")


def test_environment(bench, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere/else")
    monkeypatch.setenv("PYTHONSTARTUP", "/no/such/startup.py")
    monkeypatch.setenv("INHERITED", "yes")
    record = bench.notebook(
        "import os, sys",
        (LOOK_AROUND, "metrics"),
        environment={"OWN": "1"},
    )
    assert {metric.name: metric.value for metric in record.metrics} == {
        "inherited": "yes",
        "own": "1",
        "startup": False,
        "path": True,
        "hook": False,
        "module": False,
        "prefix": bench.python,
    }


def test_a_failing_cell_is_quoted_and_ends_the_run(bench):
    record = bench.notebook("x = 1", "y = x / 0", "open('later', 'w')")
    failure = record.failure
    assert (failure.kind, failure.cell, failure.message) == ("cell", 2, "ZeroDivisionError: division by zero")
    assert failure.source == "y = x / 0"
    assert "----> 1" in failure.traceback
    assert "\x1b" not in failure.traceback
    assert failure.traceback.startswith("-------")
    assert "An error occurred" not in failure.traceback
    assert failure.traceback.splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert failure_text(failure).count("y = x / 0") == 1
    assert [cell.number for cell in record.cells] == [1]
    assert record.metrics == ()
    assert not (bench.root / "later").exists()
    assert bench.executed().cells[1].outputs[0].ename == "ZeroDivisionError"


def test_tags_are_honoured(bench):
    record = bench.notebook(("1 / 0", "raises-exception"), ("open('x', 'w')", "skip-execution"), "done = 1")
    assert record.failure is None
    assert [cell.number for cell in record.cells] == [1, 3]
    assert not (bench.root / "x").exists()


def test_input_is_refused_in_words(bench):
    (bench.root / "asking.py").write_text("def ask():\n    return input('who? ')\n")
    failure = bench.notebook("import asking\nname = asking.ask()").failure
    assert (failure.kind, failure.cell) == ("cell", 1)
    assert "keyboard input" in failure.message
    assert failure.message.endswith("; replace it by a constant or a variable")
    assert "asking.py" in failure.traceback
    assert "kernelbase" not in failure.traceback


def test_memory_error_is_the_cells_own(bench):
    failure = bench.notebook("raise MemoryError('no room')").failure
    assert (failure.kind, failure.message) == ("cell", "MemoryError: no room")


def test_a_cell_that_takes_longer_than_a_cell_may(bench, survivors):
    failure = bench.notebook("x = 1", "while True: pass", cell_timeout=10.0).failure
    assert (failure.kind, failure.cell, failure.source) == ("timeout", 2, "while True: pass")
    assert failure.message == "it did not finish within its time limit of 10 s"
    assert survivors() == []


def test_a_cell_that_runs_when_the_time_for_everything_is_over(bench, survivors, monkeypatch):
    """Its clock is put forward to the last second as the cell starts: what comes before it may take long here."""
    began, ahead = time.monotonic(), 0.0

    def tell(event):
        nonlocal ahead
        if (event.kind, event.number) == (CELL_STARTED, 2):
            ahead = 599 - (time.monotonic() - began)

    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + ahead))
    monkeypatch.setattr(bench, "events", SimpleNamespace(append=tell))
    failure = bench.notebook("x = 1", "while True: pass", timeout=600.0, cell_timeout=300.0).failure
    assert (failure.kind, failure.cell, failure.source) == ("timeout", 2, "while True: pass")
    assert failure.message == "it was still running when the time limit of 600 s for the whole evaluation ended"
    assert survivors() == []


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("import os; os._exit(7)", "the kernel exited with code 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "the kernel was killed by SIGKILL"),
        ("import ctypes; ctypes.string_at(0)", "the kernel was killed by SIGSEGV"),
    ],
)
def test_a_kernel_that_dies(bench, cell, message):
    failure = bench.notebook("x = 1", cell).failure
    assert (failure.kind, failure.cell, failure.message) == ("died", 2, message)


def test_children_do_not_outlive_the_run(bench, survivors):
    record = bench.notebook(
        "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'input()'], stdin=-1) and None"
    )
    assert record.failure is None
    assert survivors() == []


def test_an_interpreter_without_ipykernel(bench, tmp_path):
    plain = tmp_path / "plain"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(plain)], check=True)
    failure = bench.notebook("1", python=str(plain / "bin" / "python")).failure
    assert failure.kind == "start"
    assert "ipykernel is not installed" in failure.message


def test_an_interpreter_that_is_not_there(bench):
    failure = bench.notebook("1", python="/no/such/python").failure
    assert (failure.kind, "No such file" in failure.message) == ("start", True)


@pytest.mark.parametrize("text", ["{ not json", '{"cells": 5}', "[]", ""])
def test_a_corrupt_notebook(bench, text):
    (bench.root / "bad.ipynb").write_text(text)
    failure = bench.run("notebook", "bad.ipynb").failure
    assert failure.kind == "start"
    assert "bad.ipynb is not a notebook that can be read" in failure.message


def test_a_notebook_that_is_not_there(bench):
    assert bench.run("notebook", "none.ipynb").failure.message == "there is no file none.ipynb"


def test_ctrl_c_is_passed_on_and_leaves_no_process(bench, survivors):
    """The interrupt arrives while a cell with a child of its own is running."""
    program = (
        "import sys, pathlib, os, signal\n"
        "from repro.runner.documents import Evaluation\n"
        "from repro.runner.execute import execute\n"
        "def tell(event):\n"
        "    if event.kind == 'cell-started' and event.number == 2:\n"
        "        print('running', flush=True)\n"
        "evaluation = Evaluation.from_json(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "try:\n"
        "    execute(evaluation, pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]), tell)\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(130)\n"
    )
    bench.write_notebook("x = 1", BUSY_WITH_A_CHILD)
    document = bench.out.parent / "evaluation.json"
    document.write_bytes(Evaluation("notebook", "work.ipynb", bench.python, "").to_json())
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(document), str(bench.root), str(bench.out)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "running\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert survivors() == []
