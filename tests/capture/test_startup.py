"""What shapes imports as an interpreter starts: carried into the image, or told."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from repro.capture.probe import probe
from repro.capture.startup import startup_warnings, with_import_path
from repro.digest import Digest
from repro.lock import Environment, LockedFile
from tests.capture.packages.installed import Venv, run, write
from tests.capture.plain_wheels import plain_wheel

PLAIN = Environment("UTC", "C.UTF-8", 1, {"PYTHONHASHSEED": "0"})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A notebook's directory, a src/ tree, and an environment of its own."""
    root = tmp_path / "mein projekt"
    write(root, {"notebooks/n.ipynb": "", "src/mylib/__init__.py": "", "tools/helper.py": "", "empty/data.csv": ""})
    Venv(root / ".venv")
    return root


def carried(
    project: Path,
    pythonpath: str = "",
    environment: Environment = PLAIN,
    modules: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> str | None:
    workdir = project / "notebooks"
    names = ("src/mylib/__init__.py", "tools/helper.py", "empty/data.csv", "notebooks/beside.py")
    files = [LockedFile(name, "code", Digest.of(b""), 0) for name in names]
    env = {"PYTHONPATH": pythonpath, "PYTHONNOUSERSITE": "1"}
    interpreter = probe(project / ".venv" / "bin" / "python", cwd=workdir, env=env)
    found = with_import_path(environment, interpreter, files, modules, root=project, workdir=workdir)
    return found.variables.get("PYTHONPATH")


def test_directories_of_the_project_on_pythonpath_are_carried(project: Path, tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", {"other.py": ""})
    listed = [project / "tools", project / "src", outside, project / "empty", project / "notebooks", project / "none"]
    value = carried(project, ":".join(map(str, listed)))
    assert value == "../tools:../src"
    there = run(
        "/usr/bin/env", f"PYTHONPATH={value}", "python3", "-c", "import mylib, helper", cwd=project / "notebooks"
    )
    assert there == "", "and that works from the working directory"


def test_directories_that_a_pth_file_names_are_carried(project: Path) -> None:
    site = next((project / ".venv" / "lib").glob("python3*/site-packages"))
    (site / "mine.pth").write_text(f"{project / 'src'}\n")
    assert carried(project) == "../src"


def test_editable_installs_of_the_project_are_imported_from_where_they_lie(project: Path) -> None:
    pyproject = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    write(project, {"pyproject.toml": f'{pyproject}[project]\nname = "mylib"\nversion = "1"\n'})
    Venv.uv(_Existing(project / ".venv"), "-e", project)
    assert carried(project, modules={"mylib": ("mylib",)}) == "../src"
    assert carried(project) is None, "nothing of it was imported"
    compiled = {"mylib": ("mylib", "mylib.core")}
    assert carried(project, modules=compiled) is None, "its finder leads to more than that folder"


class _Existing(Venv):
    def __init__(self, path: Path) -> None:
        self.path = path
        self.python = path / "bin" / "python"


def test_what_is_carried_as_it_is_stays_so(project: Path) -> None:
    allowed = replace(PLAIN, variables={"PYTHONPATH": "/as/it/is"})
    assert carried(project, str(project / "src"), allowed) == "/as/it/is"
    assert carried(project) is None


def test_loose_pth_files_with_code_are_told(tmp_path: Path) -> None:
    venv = Venv(tmp_path / "venv")
    site = next((venv.path / "lib").glob("python3*/site-packages"))
    venv.uv("--no-index", plain_wheel(tmp_path, "owner", {"owned.pth": "import os\n"}))
    write(
        site, {"paths.pth": f"# import\n{tmp_path}\n", "old-nspkg.pth": "import sys\n", "mine.pth": "import sys; 1\n"}
    )
    assert startup_warnings(venv.interpreter()) == (
        (
            f"{site / 'mine.pth'} runs code whenever Python starts and belongs to no installed package: it ran here, "
            "and won't in the image; do what it does in the notebook or script, or install it as a package"
        ),
    )
