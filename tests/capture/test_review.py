"""Findings in the course of a capture: what is told when, and what stops it."""

import os
import sys
from pathlib import Path

import nbformat
import pytest

from repro.capture.evidence import Evidence
from repro.capture.findings import Finding
from repro.capture.model import Interpreter
from repro.capture.probe import probe
from repro.capture.project import open_project
from repro.capture.request import CaptureRequest
from repro.capture.review import Review, review, unfound_modules
from repro.digest import Digest
from repro.errors import CaptureError, ExitCode
from repro.lock import LockedFile
from repro.progress import Silent
from repro.runner.observed import GeneratorFact, Happened, Observed, Place

NOTHING = Evidence(metrics=(), files=(), outputs=(), warnings=())


class Told(Silent):
    """Remembers warnings, and what was told of findings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.findings: list[list[str]] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def tell(self, findings: tuple[Finding, ...]) -> None:
        self.findings.append([f"{one.level} {one.rule}" for one in findings])


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Interpreter:
    return probe(Path(sys.executable), cwd=tmp_path_factory.mktemp("probe"), env=os.environ)


def look(folder: Path, interpreter: Interpreter, told: Told, *cells: str, **options: bool) -> Review:
    document = nbformat.v4.new_notebook()
    document.cells = [nbformat.v4.new_code_cell(text) for text in cells]
    nbformat.write(document, folder / "work.ipynb")
    (folder / "repro.toml").touch()
    request = CaptureRequest(folder / "work.ipynb", **options)
    project = open_project(request)
    return review(project, request, interpreter, env=os.environ, progress=told, tell=told.tell)


def test_errors_are_told_before_the_run_and_lowered_when_it_succeeded(tmp_path: Path, interpreter: Interpreter) -> None:
    told = Told()
    seen = look(tmp_path, interpreter, told, "print(x)", "x = 1")
    assert told.warnings == [
        "work.ipynb: cell 1, line 1: `x` is used here, but defined only in cell 2; the run will tell"
    ]
    assert [one.level for one in seen.settled(NOTHING)] == ["warning"]
    assert told.findings == [["error undefined-name"], ["warning undefined-name"]]


def test_strict_stops_before_the_run(tmp_path: Path, interpreter: Interpreter) -> None:
    told = Told()
    with pytest.raises(CaptureError, match="with --strict, these findings stop the capture") as caught:
        look(tmp_path, interpreter, told, "!pip install x", "import json", strict=True)
    (problem,) = caught.value.problems
    assert problem.startswith("warning: work.ipynb: cell 1, line 1: `pip install` changes the environment")
    assert "(changes-environment). Install it once" in problem
    assert "# repro: allow changes-environment" in (caught.value.fix or "")
    assert caught.value.exit_code is ExitCode.USAGE
    assert told.findings == [["warning changes-environment", "note unused-import"]]


def test_strict_waits_for_the_run_where_that_may_disprove(tmp_path: Path, interpreter: Interpreter) -> None:
    draw = "import random\nrandom.random()"
    seen = look(tmp_path, interpreter, Told(), draw, strict=True)
    seeded = Observed(draws=(GeneratorFact("random", True, Place(1)),))
    assert seen.settled(Evidence((), (), (), (), observed=seeded)) == ()
    with pytest.raises(CaptureError, match="findings stop"):
        seen.settled(NOTHING)
    with pytest.raises(CaptureError, match="findings stop"):
        look(tmp_path, interpreter, Told(), draw, strict=True, rerun=False)


def test_strict_lets_notes_pass_and_stops_for_what_a_run_showed(tmp_path: Path, interpreter: Interpreter) -> None:
    seen = look(tmp_path, interpreter, Told(), "import json", "work = 1", strict=True)
    assert [one.rule for one in seen.settled(NOTHING)] == ["unused-import"]
    reached = Evidence((), (), (), (), observed=Observed(network=(Happened("a.org:443", 2),)))
    with pytest.raises(CaptureError, match="findings stop") as caught:
        seen.settled(reached)
    assert caught.value.problems[0].startswith("warning: work.ipynb: cell 2: the run reached a.org:443")


def test_errors_stop_a_capture_without_a_run(tmp_path: Path, interpreter: Interpreter) -> None:
    with pytest.raises(CaptureError, match="without a run that could disprove them"):
        look(tmp_path, interpreter, Told(), "print(x)", rerun=False)
    seen = look(tmp_path, interpreter, Told(), "!pip install x", rerun=False)
    assert [one.rule for one in seen.settled(NOTHING)] == ["changes-environment"]


def test_repro_toml_silences_rules(tmp_path: Path, interpreter: Interpreter) -> None:
    (tmp_path / "repro.toml").write_text('[findings]\nallow = ["changes-environment"]\n', encoding="utf-8")
    assert look(tmp_path, interpreter, Told(), "!pip install x", strict=True).found == ()


def test_modules_are_looked_for_where_the_run_looks(tmp_path: Path, interpreter: Interpreter) -> None:
    (tmp_path / "helpers.py").touch()
    seen = look(tmp_path, interpreter, Told(), "import helpers, nbformat, json\nhelpers, nbformat, json")
    assert seen.found == ()
    (finding,) = look(tmp_path, interpreter, Told(), "import no_such_module\nno_such_module.x").found
    assert (finding.level, finding.rule) == ("error", "missing-import")


def test_looking_for_modules_imports_none(tmp_path: Path, interpreter: Interpreter) -> None:
    (tmp_path / "loud.py").write_text("raise SystemExit(1)", encoding="utf-8")
    names = ["loud", "nowhere", "os", "sys", "__future__", "not an identifier"]
    found = unfound_modules(names, interpreter.executable, cwd=tmp_path, env=os.environ)
    assert found == {"nowhere", "not an identifier"}
    assert unfound_modules([], Path("/nothing"), cwd=tmp_path, env={}) == frozenset()


def test_what_a_run_read_confirms_that_it_reads_what_it_writes(tmp_path: Path, interpreter: Interpreter) -> None:
    cells = ["text = open('cache.txt').read()", "open('cache.txt', 'w').write(text)"]
    seen = look(tmp_path, interpreter, Told(), *cells)
    assert [one.rule for one in seen.found] == ["own-input"]
    assert seen.settled(NOTHING) == ()
    read = LockedFile("cache.txt", "data", Digest.of(b"text"), 4)
    assert len(seen.settled(Evidence((), (read,), (), ()))) == 1


def test_a_script_is_looked_at_too(tmp_path: Path, interpreter: Interpreter) -> None:
    (tmp_path / "work.py").write_text("\ufeffprint(x)\nx = 1\n", encoding="utf-8")
    (tmp_path / "repro.toml").touch()
    request = CaptureRequest(tmp_path / "work.py")
    seen = review(open_project(request), request, interpreter, env=os.environ, progress=Silent())
    assert [str(one.place) for one in seen.found] == ["work.py: line 1"]
