"""A project folder and an environment with a kernel, for runs under observation."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from repro.runner.documents import Evaluation, RunRecord
from repro.runner.execute import execute
from repro.runner.observed import Observed, load_observed
from tests.capture.packages.installed import Venv


@pytest.fixture(scope="session")
def kernel_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    venv = Venv(tmp_path_factory.mktemp("kernel") / "venv")
    venv.uv("ipykernel", "numpy")
    return venv.python


@dataclass(frozen=True)
class Observatory:
    """Runs notebooks and scripts in a project folder."""

    root: Path
    out: Path
    python: Path

    def notebook(self, *cells: str, observing: bool = True, tags: tuple[str, ...] = ()) -> RunRecord:
        made = [nbformat.v4.new_code_cell(cell) for cell in cells]
        made[-1].metadata["tags"] = list(tags)
        nbformat.write(nbformat.v4.new_notebook(cells=made), self.root / "n.ipynb")
        return self._run("notebook", "n.ipynb", observing=observing)

    def observed(self, *cells: str) -> Observed:
        record = self.notebook(*cells)
        assert record.failure is None, record.failure
        return load_observed(self.out)

    def script(self, source: str) -> Observed:
        (self.root / "s.py").write_text(source)
        record = self._run("script", "s.py")
        assert record.failure is None, record.failure
        return load_observed(self.out)

    def _run(self, kind: str, name: str, *, observing: bool = True) -> RunRecord:
        """Run it; where nothing is to be observed, beside an observer that does nothing."""
        hooks = () if observing else (self.root.parent / "repro_observe.py",)
        for hook in hooks:
            hook.write_text("def start(recorder):\n    pass\n")
        return execute(Evaluation(kind, name, str(self.python), ""), self.root, self.out, hooks=hooks)


@pytest.fixture
def observatory(tmp_path: Path, kernel_python: Path) -> Observatory:
    root = tmp_path.resolve() / "p"
    root.mkdir()
    return Observatory(root, tmp_path / "out", kernel_python)


@pytest.fixture
def make_files(tmp_path: Path) -> Callable[..., Path]:
    """Makes files below a folder, each with its name in it."""

    def make(*names: str) -> Path:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        return tmp_path.resolve()

    return make
