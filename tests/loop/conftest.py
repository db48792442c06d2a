"""A small real project with its own environment, captured and built once, and the command line as a user runs it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from repro.engines import Engine, ImageInfo

CELLS = [
    "import json\nimport numpy as np\nfrom helpers import predict",
    'data = np.loadtxt("data/værdier 1.csv", delimiter=",")\nweights = np.load("models/weights.npy")',
    "scores = predict(data, weights)\nerror = float(np.sqrt(np.mean((scores - data[:, -1]) ** 2)))",
    'json.dump({"rmse": error, "n": len(scores), "nothing": float("nan")}, open("metrics.json", "w"))',
]
HELPERS = "import numpy as np\n\n\ndef predict(data, weights):\n    return np.tanh(data[:, :-1] @ weights)\n"
MAKE_DATA = """
import numpy as np
rng = np.random.default_rng(5)
np.savetxt("data/værdier 1.csv", rng.normal(size=(200, 5)), delimiter=",")
np.save("models/weights.npy", rng.normal(size=4))
"""


@dataclass(frozen=True)
class Done:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def command(*args: str | Path) -> list[str]:
    return [sys.executable, "-m", "repro", *(os.fspath(arg) for arg in args)]


def _environ(more: Mapping[str, str] | None) -> dict[str, str]:
    """The variables of a person who has no environment active, no kernels registered, and no BLAS tuned."""
    active = {"VIRTUAL_ENV", "CONDA_PREFIX"}
    theirs = {
        name: value for name, value in os.environ.items() if name not in active and not name.startswith("OPENBLAS_")
    }
    return {**theirs, "JUPYTER_DATA_DIR": os.devnull, **(more or {})}


def repro(cwd: Path, *args: str | Path, env: dict[str, str] | None = None) -> Done:
    """Run `repro ARGS` in a directory."""
    done = subprocess.run(
        command(*args),
        cwd=cwd,
        env=_environ(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def repro_until(
    cwd: Path,
    seen: str,
    act: Callable[[subprocess.Popen[str]], None],
    *args: str | Path,
    env: Mapping[str, str] | None = None,
) -> Done:
    """Run `repro ARGS` in a session of its own and `act` once, as soon as it has printed `seen`."""
    printed = []
    waiting = True
    with subprocess.Popen(
        command(*args),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=_environ({"PYTHONUNBUFFERED": "1", **(env or {})}),
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            printed.append(line)
            if waiting and seen in line:
                act(process)
                waiting = False
    assert not waiting, "".join(printed)
    return Done(process.returncode, "".join(printed), "")


def write_notebook(path: Path, cells: Sequence[str], **metadata: object) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata.update(metadata)
    nbformat.write(notebook, path)


@pytest.fixture(scope="session")
def laptop_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with NumPy and a kernel, as a data scientist would have it."""
    home = tmp_path_factory.mktemp("laptop") / "env"
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "-q", "--python", sys.executable, home], check=True)
    python = home / "bin" / "python"
    subprocess.run([*uv, "pip", "install", "-q", "--python", python, "ipykernel", "numpy<2.4"], check=True)
    return python


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment without any package: images of it are quick to build."""
    home = tmp_path_factory.mktemp("bare") / "env"
    subprocess.run([sys.executable, "-m", "uv", "venv", "-q", "--python", sys.executable, home], check=True)
    return home / "bin" / "python"


def make_script(root: Path, python: Path, *lines: str) -> Path:
    """A project of one script, which can tell the laptop from the image by the variable ON_LAPTOP."""
    root.mkdir(parents=True)
    script = [
        "import json, os, time",
        "on_laptop = 'ON_LAPTOP' in os.environ",
        "metrics = {'rmse': 0.1 + 0.2, 'n': 200}",
        *lines,
        "json.dump(metrics, open('metrics.json', 'w'))",
    ]
    (root / "evaluate.py").write_text("\n".join(script), encoding="utf-8")
    (root / "repro.toml").write_text("[base]\nimage = 'repro-base:bookworm'\n", encoding="utf-8")
    (root / ".venv").symlink_to(python.parent.parent)
    return root


def make_project(root: Path, python: Path, cells: Sequence[str] = CELLS) -> Path:
    """The project on disk; its environment is the shared one, reached through its `.venv`."""
    for folder in ("data", "models"):
        (root / folder).mkdir(parents=True)
    (root / "repro.toml").write_text("[base]\nimage = 'repro-base:bookworm'\n", encoding="utf-8")
    (root / "helpers.py").write_text(HELPERS, encoding="utf-8")
    (root / "unrelated.txt").write_text("not read by the run", encoding="utf-8")
    write_notebook(root / "evaluate me.ipynb", cells)
    subprocess.run([python, "-c", MAKE_DATA], cwd=root, check=True)
    (root / ".venv").symlink_to(python.parent.parent)
    return root


@pytest.fixture
def project(tmp_path: Path, laptop_python: Path) -> Path:
    """A fresh copy of the project, not captured yet."""
    return make_project(tmp_path / "my projekt ü", laptop_python)


@dataclass(frozen=True)
class Captured:
    """A project with its lock and the image built from it. Tests must not change it."""

    root: Path
    lock: Path
    tag: str
    build: Done


@pytest.fixture(scope="session")
def captured(
    tmp_path_factory: pytest.TempPathFactory, laptop_python: Path, engine: Engine, base_image: ImageInfo
) -> Iterator[Captured]:
    """The project captured and built once for all tests that only look at it."""
    root = make_project(tmp_path_factory.mktemp("captured") / "my projekt ü", laptop_python)
    done = repro(root, "capture", "evaluate me.ipynb")
    assert done.code == 0, done
    tag = "repro-test/captured:1"
    built = repro(root, "build", "-t", tag)
    assert built.code == 0, built
    yield Captured(root, root / "repro.lock", tag, built)
    subprocess.run(["docker", "rmi", "-f", tag], check=True, capture_output=True)
