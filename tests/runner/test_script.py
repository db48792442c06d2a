"""Scripts as subjects."""

import json
import sys

import pytest


def test_a_script_writes_metrics_and_its_lines_are_told(bench):
    record = bench.script(
        "import json, sys\nprint('one', *sys.argv[1:])\nprint('två', file=sys.stderr)\n"
        "json.dump({'auc': 0.1, 'bad': float('nan')}, open('metrics.json', 'w'))\nsys.exit(0)\n",
        args=("--fast", "a b"),
    )
    assert record.failure is None
    assert repr([(metric.name, metric.value, metric.source) for metric in record.metrics]) == (
        "[('auc', 0.1, 'metrics.json'), ('bad', nan, 'metrics.json')]"
    )
    assert sorted(event.title for event in bench.events) == ["one --fast a b", "två"]
    assert sorted((bench.out / "output.log").read_text(encoding="utf-8").splitlines()) == ["one --fast a b", "två"]


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("raise ValueError('no data')", "cell", "ValueError: no data"),
        ("raise MemoryError", "cell", "MemoryError"),
        ("import sys; sys.exit(3)", "cell", "the script exited with code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "died", "the script was killed by SIGKILL"),
    ],
)
def test_failures(bench, source, kind, message):
    failure = bench.script(source).failure
    assert (failure.kind, failure.message) == (kind, message)


def test_the_traceback_is_kept(bench):
    failure = bench.script("def load():\n    open('nowhere')\nload()\n").failure
    assert "in load" in failure.traceback
    assert failure.message.startswith("FileNotFoundError")


@pytest.mark.parametrize("limits", [{"timeout": 1.0}, {"cell_timeout": 1.0}])
def test_time_limits_kill_the_whole_group(bench, survivors, limits):
    source = (
        "import subprocess, sys\nprint('up', flush=True)\nsubprocess.run([sys.executable, '-c', 'while True: pass'])\n"
    )
    failure = bench.script(source, **limits).failure
    assert failure.kind == "timeout"
    assert "the script" in failure.message
    assert survivors() == []


def test_a_child_that_keeps_the_output_open_does_not_hold_the_run(bench, survivors):
    record = bench.script("import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'while True: pass'])\n")
    assert record.failure is None
    assert survivors() == []


def test_an_interpreter_that_is_not_there(bench):
    assert bench.script("pass", python="/no/such/python").failure.kind == "start"


def test_only_a_file_that_the_run_wrote_counts(bench):
    (bench.root / "metrics.json").write_text(json.dumps({"auc": 0.9}))
    record = bench.script("pass")
    assert (record.failure, record.metrics) == (None, ())
    assert (
        record.warnings[0] == "metrics.json was there before and this run did not write it: its metrics were not taken"
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /dev/full")
def test_a_log_that_cannot_be_kept_stops_nothing_that_fails_by_itself(bench):
    log = bench.out / "output.log"
    bench.out.mkdir(exist_ok=True)
    log.symlink_to("/dev/full")
    failure = bench.script("for _ in range(9): print('x' * 9999)\nraise ValueError('no data')").failure
    assert failure.message == "ValueError: no data"
    assert sum("x" in event.title for event in bench.events) == 9
    with pytest.raises(OSError, match="No space left"):
        bench.script("print('x')")
