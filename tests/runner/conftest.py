"""Real kernels for the runner's tests, and notebooks made of a few lines."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from repro.runner.documents import Evaluation, RunRecord
from repro.runner.events import Event
from repro.runner.execute import execute

Cell = str | tuple[str, ...]


def _make_environment(folder: Path, python: str, *packages: str) -> str:
    """A virtual environment with packages from the index; its interpreter."""
    uv = [sys.executable, "-m", "uv", "--no-config", "--quiet"]
    subprocess.run([*uv, "venv", "--no-project", "--python", python, str(folder)], check=True)
    interpreter = str(folder / "bin" / "python")
    subprocess.run([*uv, "pip", "install", "--python", interpreter, *packages], check=True)
    return interpreter


@pytest.fixture(scope="session")
def kernel_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter with ipykernel, NumPy and pandas, apart from the one that runs the tests."""
    return _make_environment(tmp_path_factory.mktemp("kernel"), sys.executable, "ipykernel", "numpy", "pandas")


def write_notebook(path: Path, *cells: Cell) -> None:
    """Cells are sources, or tuples of a source and its tags."""
    made = [(cell, ()) if isinstance(cell, str) else (cell[0], cell[1:]) for cell in cells]
    code = [nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)}) for source, tags in made]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=code), path)


@dataclass
class Bench:
    """A project folder in which notebooks and scripts are run."""

    root: Path
    out: Path
    python: str

    def __post_init__(self) -> None:
        self.events: list[Event] = []

    def write_notebook(self, *cells: Cell, name: str = "work.ipynb") -> None:
        write_notebook(self.root / name, *cells)

    def notebook(self, *cells: Cell, name: str = "work.ipynb", **settings: object) -> RunRecord:
        self.write_notebook(*cells, name=name)
        return self.run("notebook", name, **settings)

    def script(self, source: str, name: str = "work.py", **settings: object) -> RunRecord:
        (self.root / name).write_text(source)
        return self.run("script", name, **settings)

    def run(self, kind: str, name: str, **settings: object) -> RunRecord:
        evaluation = Evaluation(**{"kind": kind, "path": name, "python": self.python, "python_version": "", **settings})
        return execute(evaluation, self.root, self.out, self.events.append)

    def executed(self) -> nbformat.NotebookNode:
        return nbformat.read(self.out / "executed.ipynb", as_version=4)


@pytest.fixture(scope="session")
def make_environment() -> Callable[..., str]:
    """Makes further environments."""
    return _make_environment


@pytest.fixture
def bench_at(tmp_path: Path) -> Callable[[str], Bench]:
    """A project folder for an interpreter of the test's own."""

    def make(python: str) -> Bench:
        root = tmp_path / "project with späces"
        root.mkdir()
        return Bench(root, tmp_path / "out", python)

    return make


@pytest.fixture
def bench(bench_at: Callable[[str], Bench], kernel_python: str) -> Bench:
    return bench_at(kernel_python)


@pytest.fixture
def survivors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], list[str]]:
    """Processes that the test's evaluations left, told by a variable that all of them inherit."""
    mark = f"WORK_MARK={tmp_path}"
    monkeypatch.setenv(*mark.split("=", 1))

    def find() -> list[str]:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                environment = (process / "environ").read_bytes().split(b"\0")
                state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if os.fsencode(mark) in environment and int(process.name) != os.getpid() and state != "Z":
                found.append((process / "cmdline").read_text().replace("\0", " "))
        return found

    return find
