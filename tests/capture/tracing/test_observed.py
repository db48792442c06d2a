"""What real interpreters and a real kernel tell under observation, and that nothing else changes for them."""

import json
import os
from pathlib import Path

import pytest

from repro.capture.tracing.hooks import observing_hooks
from repro.runner.cells import CellClock, Span
from repro.runner.events import CELL_FINISHED, CELL_STARTED, Event
from repro.runner.observed import FILE, GeneratorFact, Happened, Observed, Place, load_observed, observe

CELLS = (
    (
        "import os, random\nimport numpy as np\nimport local\nos.environ.get('REPRO_NOT_SET')\nos.environ['HOME']\n"
        "copied = dict(os.environ), os.environ.copy(), {**os.environ}, [os.environ[name] for name in os.environ]"
    ),
    "random.random(); np.random.rand()",
    "np.random.rand(); random.seed(1); np.random.seed(5)\nnp.random.rand(); random.random()",
    (
        "rng = [np.random.default_rng(), random.Random()]\n"
        "kept = [np.random.default_rng(4), np.random.RandomState(4), random.Random(3)]"
    ),
    (
        "import socket, subprocess, sys, tempfile\nsubprocess.run([sys.executable, '-c', 'pass'])\n"
        "tempfile.mkdtemp()\ntry: socket.create_connection(('127.0.0.1', 9))\nexcept OSError: pass"
    ),
    "np.random.seed(); np.random.rand()",
)


def test_a_notebook_by_cell(observatory, monkeypatch):
    monkeypatch.setenv("DATA_FROM", "somewhere")
    (observatory.root / "local.py").write_text("import os\n\nFOLDER = os.getenv('DATA_FROM')\n")
    found = observatory.observed(*CELLS)
    own = [one for one in found.variables if one.place.owner != "library"]
    assert [(one.name, one.present, one.place) for one in own] == [
        ("DATA_FROM", True, Place(1, "local.py", 3, "project")),
        ("REPRO_NOT_SET", False, Place(1, "", 4, "cell")),
        ("HOME", True, Place(1, "", 5, "cell")),
    ]
    assert [one.name for one in found.missing_variables(["HOME"])] == ["DATA_FROM"]
    assert [(one.generator, one.fixed, one.place.cell, one.place.line) for one in found.seeds] == [
        ("random", True, 3, 1),
        ("numpy.random", True, 3, 1),
        ("numpy.random", False, 6, 1),
    ]
    assert sorted((one.place.cell, one.generator, one.fixed) for one in found.draws) == [
        (2, "numpy.random", False),
        (2, "random", False),
        (3, "numpy.random", False),
        (3, "numpy.random", True),
        (3, "random", True),
        (6, "numpy.random", False),
    ]
    entropy = [(one.generator, one.place) for one in found.entropy]
    assert entropy == [
        ("numpy.random", Place(4, "", 1, "cell")),
        ("random.Random", Place(4, "", 1, "cell")),
    ]
    assert found.network == (Happened("127.0.0.1:9", 5),)
    assert any(one.cell == 5 and one.what.endswith("-c pass") for one in found.processes)
    assert {one.place.cell for one in found.unseeded()} == {2, 3, 4, 6}


def test_a_seeded_notebook_has_nothing_unseeded(observatory):
    found = observatory.observed(
        "import random, numpy as np\nrandom.seed(3)\nnp.random.seed(3)", "np.random.rand(); random.shuffle([1, 2, 3])"
    )
    assert found.unseeded() == ()
    assert {one.place.cell for one in found.draws} == {2}


def test_a_script_and_its_children(observatory):
    found = observatory.script(
        "import multiprocessing, os, random, subprocess, sys\n"
        "def work():\n    os.environ.get('IN_CHILD')\n"
        "if __name__ == '__main__':\n"
        "    subprocess.run([sys.executable, '-c', 'import os; os.environ.get(\"IN_GRANDCHILD\")'])\n"
        "    child = multiprocessing.get_context('spawn').Process(target=work)\n"
        "    child.start(); child.join()\n    random.random()\n"
    )
    assert {"IN_CHILD", "IN_GRANDCHILD"} <= {one.name for one in found.variables}
    assert found.draws == (GeneratorFact("random", fixed=False, place=Place()),)


def test_folders_of_the_project_that_are_listed_with_their_order(observatory, make_files):
    make_files("p/data/b.csv", "p/data/a.csv", "p/quiet/x.csv", "other/y.csv")
    found = observatory.script("import os\nos.listdir('data'); os.listdir('../other'); list(os.scandir('data'))\n")
    (listing,) = (one for one in found.listings if one.folder)
    assert listing.folder == "data"
    assert listing.names == tuple(entry.name for entry in os.scandir(observatory.root / "data"))


def test_numbers_of_the_systems_own_are_seen_however_they_are_asked_for(observatory):
    found = observatory.script("import random\nrandom.SystemRandom().random()\nrandom.SystemRandom().randrange(9)\n")
    assert [(one.generator, one.place.line) for one in found.entropy] == [
        ("random.SystemRandom", 2),
        ("random.SystemRandom", 3),
    ]


def test_results_are_the_same_to_the_last_bit(observatory):
    cells = (
        (
            "import random, secrets, numpy as np\nfrom numpy.random import seed\nrandom.seed(7); seed(7)\n"
            "state = random.getstate()\na = random.gauss(0, 1); random.setstate(state); b = random.gauss(0, 1)"
        ),
        "rng = np.random.default_rng(3)\nx = rng.normal(size=1000) @ np.random.rand(1000)",
        (
            "{'x': float(x), 'a': a, 'same': a == b, 'r': random.random(), 'n': len(secrets.token_hex(4)),"
            " 'kind': isinstance(np.random.RandomState(1), np.random.RandomState), 'seed': random.Random(4).random()}"
        ),
    )
    with_, without = (observatory.notebook(*cells, observing=one, tags=("metrics",)) for one in (True, False))
    assert (with_.failure, without.failure) == (None, None)
    assert with_.metrics == without.metrics
    assert len(with_.metrics) == 7


def test_the_environments_own_sitecustomize_still_runs(observatory, tmp_path, monkeypatch):
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("import os, random\nos.environ['FROM_SITE'] = '1'\nrandom.seed(9)\n")
    monkeypatch.setenv("PYTHONPATH", str(own))
    found = observatory.script("import os, random\nassert os.environ['FROM_SITE'] == '1'\nrandom.random()\n")
    assert [one.fixed for one in found.draws] == [True]


def test_facts_are_kept_in_the_runs_folder(tmp_path):
    lines = [
        {"t": 5, "k": "variable", "p": "A", "n": f"present\t{tmp_path}/m.py\t3\t{tmp_path}/m.py\t3"},
        {"t": 6, "k": "variable", "p": "B", "n": "absent\t/x/site-packages/y.py\t1\t\t0"},
        {"t": 15, "k": "seed", "p": "torch", "n": "fixed\t/tmp/ipykernel_1/2.py\t2\t/tmp/ipykernel_1/2.py\t2"},
        {"t": 25, "k": "draw", "p": "torch", "n": "free\t\t0\t\t0"},
        {"t": 26, "k": "network", "p": "host:443"},
        {"t": 36, "k": "network", "p": "host:443"},
        {"t": 27, "k": "process", "p": "true"},
        {"t": 28, "k": "seed", "p": "torn", "n": "fixed"},
        {"t": "29", "k": "seed", "p": "torn"},
    ]
    trace = tmp_path / "trace"
    trace.mkdir()
    (trace / "1-0.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"t": 1, "k"')
    found = observe(trace, [Span(1, 10, 20), Span(2, 21, 30), Span(3, 31)], tmp_path)
    assert [one.place for one in found.variables] == [
        Place(None, "m.py", 3, "project"),
        Place(None, "/x/site-packages/y.py", 1, "library"),
    ]
    assert found.seeds == (GeneratorFact("torch", fixed=True, place=Place(1, "", 2, "cell")),)
    assert found.draws == (GeneratorFact("torch", fixed=False, place=Place(2)),)
    assert (found.network, found.processes) == ((Happened("host:443", 2),), (Happened("true", 2),))
    for one in (found, Observed()):
        (tmp_path / FILE).write_bytes(one.to_json())
        assert load_observed(tmp_path) == one


def test_another_document_is_refused(tmp_path):
    (tmp_path / FILE).write_text('{"schema": "repro.observed/9"}')
    with pytest.raises(ValueError, match="observed/1"):
        load_observed(tmp_path)


def test_the_clock_of_cells():
    clock = CellClock()
    for event in (Event(CELL_STARTED, 1), Event(CELL_FINISHED, 1), Event("output"), Event(CELL_STARTED, 4)):
        clock.take(event)
    first, second = clock.spans
    assert (first.cell, second.cell) == (1, 4)
    assert first.start <= first.end <= second.start < second.end


def test_hooks_are_files_of_the_package():
    assert [path.name for path in observing_hooks(blind=True)] == ["repro_readers.py"]
    assert all(isinstance(path, Path) and path.is_file() for path in observing_hooks(blind=True))
