"""Editable installs become wheels, built by their own backends from a copy of the tree."""

import re
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from repro.capture.packages.build_wheels import build_wheel
from repro.capture.packages.repack import repack
from repro.errors import CaptureError, InfrastructureError
from tests.capture.packages.installed import Venv, git, run, write
from tests.capture.packages.projects import FLIT, GRAND_TOUR, LEGACY, PDM, PLAIN, POETRY, SETUPTOOLS, make

SCM = {
    "pyproject.toml": """
[build-system]
requires = ["setuptools>=77", "setuptools-scm>=8"]
build-backend = "setuptools.build_meta"
[project]
name = "scm-thing"
dynamic = ["version"]
[tool.setuptools]
packages = ["scm_thing"]
[tool.setuptools_scm]
version_file = "scm_thing/_version.py"
""",
    ".gitignore": "_version.py\n*_pb2.py\n*.egg-info\n.venv\n",
    "scm_thing/__init__.py": "from scm_thing.schema_pb2 import FIELDS\n",
    "scm_thing/schema_pb2.py": "FIELDS = 3\n",
    ".venv/pyvenv.cfg": "",
    ".venv/lib/huge.py": "raise SystemExit\n",
}


@pytest.fixture
def venv(tmp_path: Path) -> Venv:
    return Venv(tmp_path / "laptop")


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


@pytest.mark.parametrize(
    ("project", "name", "tool", "expected"),
    [
        (PLAIN, "plain-thing", "pip", {"plain_thing/__init__.py", "plain_thing/data.csv"}),
        (FLIT, "flit-thing", "uv", {"flit_thing.py"}),
        (LEGACY, "old-thing", "uv", {"old_thing.py"}),
        (POETRY, "poetry-thing", "uv", {"poetry_thing/__init__.py"}),
        (PDM, "pdm-thing", "uv", {"pdm_thing/__init__.py"}),
        (SETUPTOOLS, "src-thing", "uv", {"src_thing/__init__.py", "src_thing/part/__init__.py"}),
    ],
)
def test_editable_installs_build_leave_no_litter_and_give_the_same_bytes_twice(
    *, project: dict[str, str], name: str, tool: str, expected: set[str], venv: Venv, tmp_path: Path
) -> None:
    tree = make(tmp_path / "source tree", project)
    venv.install(tool, "-e", tree)
    distribution, interpreter = venv.distribution(name)
    write(tree, {"__pycache__/x.cpython-311.pyc": "", "build/lib/left_over.py": "", "node_modules/a/b.js": ""})
    before = snapshot(tree)

    first = build_wheel(tree, distribution, interpreter, tmp_path / "1", tmp_path / "scratch")
    second = build_wheel(tree, distribution, interpreter, tmp_path / "2", tmp_path / "another" / "scratch")

    assert first.name == f"{name.replace('-', '_')}-{distribution.version}-py3-none-any.whl"
    assert first.read_bytes() == second.read_bytes()
    assert names(first) == expected
    assert snapshot(tree) == before
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_built_wheel_installs_and_repacks_to_itself(tmp_path: Path) -> None:
    tree = make(tmp_path / "tree", GRAND_TOUR)
    venv = Venv(tmp_path / "laptop", seed=True)
    venv.pip("-e", tree)
    distribution, interpreter = venv.distribution("grand-tour")

    first = build_wheel(tree, distribution, interpreter, tmp_path / "1", tmp_path / "scratch")
    second = build_wheel(tree, distribution, interpreter, tmp_path / "2", tmp_path / "else" / "where")
    fresh = Venv(tmp_path / "fresh")
    fresh.pip("--no-deps", "--no-index", first)

    assert first.read_bytes() == second.read_bytes()
    assert repack(*fresh.distribution("grand-tour"), tmp_path / "out").read_bytes() == first.read_bytes()
    assert run(fresh.python, "-c", "import tour, tour._fast, space.part; tour.main()") == "touring\n"


def test_setup_py_develop_builds_too(tmp_path: Path) -> None:
    tree = make(tmp_path / "tree", LEGACY)
    venv = Venv(tmp_path / "laptop")
    venv.uv("setuptools<77")
    run(venv.python, "setup.py", "--quiet", "develop", cwd=tree)
    distribution, interpreter = venv.distribution("old-thing")

    assert distribution.editable
    assert distribution.source_tree == tree
    wheel = build_wheel(tree, distribution, interpreter, tmp_path / "out", tmp_path / "scratch")
    assert names(wheel) == {"old_thing.py"}


def test_a_version_from_git_is_kept_and_generated_source_comes_along(venv: Venv, tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", SCM)
    git(tree, "init", "--quiet")
    git(tree, "add", ".")
    git(tree, "commit", "--quiet", "-m", "first")
    git(tree, "tag", "v1.3")
    venv.uv("-e", tree)
    distribution, interpreter = venv.distribution("scm-thing")
    index = (tree / ".git" / "index").read_bytes()

    wheel = build_wheel(tree, distribution, interpreter, tmp_path / "out", tmp_path / "scratch")

    assert wheel.name == "scm_thing-1.3-py3-none-any.whl"
    assert names(wheel) == {"scm_thing/__init__.py", "scm_thing/_version.py", "scm_thing/schema_pb2.py"}
    assert (tree / ".git" / "index").read_bytes() == index
    assert git(tree, "status", "--porcelain") == ""

    (tree / "scm_thing" / "__init__.py").write_text("FIELDS = 4\n")
    with pytest.raises(
        CaptureError, match=r"scm-thing 1\.3 is installed, but its source is now version 1\.4"
    ) as caught:
        build_wheel(tree, distribution, interpreter, tmp_path / "out", tmp_path / "scratch")
    assert "ommit" in caught.value.fix


def test_a_project_below_the_top_of_its_repository_builds(venv: Venv, tmp_path: Path) -> None:
    top = write(tmp_path / "repository", {"README.md": "read me\n", "data/big.bin": "x"})
    tree = make(top / "packages" / "plain", PLAIN)
    git(top, "init", "--quiet")
    git(top, "add", ".")
    venv.uv("-e", tree)
    distribution, interpreter = venv.distribution("plain-thing")

    wheel = build_wheel(tree, distribution, interpreter, tmp_path / "out", tmp_path / "scratch")
    assert names(wheel) == {"plain_thing/__init__.py", "plain_thing/data.csv"}


def test_links_inside_the_tree_and_out_of_it_are_built_as_files(venv: Venv, tmp_path: Path) -> None:
    tree = make(tmp_path / "tree", PLAIN)
    (tmp_path / "elsewhere.csv").write_text("far\n")
    (tree / "src/plain_thing/near.csv").symlink_to("data.csv")
    (tree / "src/plain_thing/far.csv").symlink_to(tmp_path / "elsewhere.csv")
    (tree / "src/plain_thing/dangling.csv").symlink_to(tmp_path / "nowhere.csv")
    venv.uv("-e", tree)
    wheel = build_wheel(tree, *venv.distribution("plain-thing"), tmp_path / "out", tmp_path / "scratch")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("plain_thing/near.csv") == b"a,b\n1,2\n"
        assert archive.read("plain_thing/far.csv") == b"far\n"


def test_a_failing_build_shows_the_end_of_its_log(venv: Venv, tmp_path: Path) -> None:
    tree = make(tmp_path / "tree", LEGACY)
    venv.uv("-e", tree)
    distribution, interpreter = venv.distribution("old-thing")
    (tree / "setup.py").write_text("raise RuntimeError('no such compiler as fortran-99')\n")

    with pytest.raises(CaptureError, match="does not build") as caught:
        build_wheel(tree, distribution, interpreter, tmp_path / "out", tmp_path / "scratch")
    assert "no such compiler as fortran-99" in caught.value.details
    assert not (tmp_path / "out").exists()


def test_a_backend_that_no_index_has_is_named_with_the_package_that_needs_it(venv: Venv, tmp_path: Path) -> None:
    tree = make(tmp_path / "tree", FLIT)
    venv.uv("-e", tree)
    distribution, interpreter = venv.distribution("flit-thing")
    project = (tree / "pyproject.toml").read_text("utf-8")
    (tree / "pyproject.toml").write_text(re.sub(r"requires = .*", 'requires = ["flit_core>=9999"]', project), "utf-8")

    with pytest.raises(InfrastructureError, match=r"flit_core>=9999 can't be installed.* flit-thing ") as caught:
        build_wheel(tree, distribution, interpreter, tmp_path / "out", tmp_path / "scratch")
    assert caught.value.where == str(tree)


def test_a_changed_version_and_a_vanished_tree_are_named(venv: Venv, tmp_path: Path) -> None:
    tree = make(tmp_path / "tree", FLIT)
    venv.uv("-e", tree)
    distribution, interpreter = venv.distribution("flit-thing")

    with pytest.raises(CaptureError, match=r"flit-thing 0\.2 is installed, but its source is now version 0\.1$"):
        build_wheel(tree, replace(distribution, version="0.2"), interpreter, tmp_path / "out", tmp_path / "scratch")
    (tree / "pyproject.toml").unlink()
    with pytest.raises(CaptureError, match="no Python project"):
        build_wheel(tree, distribution, interpreter, tmp_path / "out", tmp_path / "scratch")


def test_the_kernels_interpreter_builds(tmp_path: Path) -> None:
    tree = write(
        tmp_path / "tree",
        {
            "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n',
            "own.py": """
import sys, zipfile
def build_wheel(directory, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(f"{directory}/own-1-py3-none-any.whl", "w") as archive:
        archive.writestr("own_python.txt", sys.base_prefix)
        archive.writestr("own-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: own\\nVersion: 1\\n")
        archive.writestr("own-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr("own-1.dist-info/RECORD", "")
    return "own-1-py3-none-any.whl"
build_editable = build_wheel
""",
        },
    )
    venv = Venv(tmp_path / "laptop")
    venv.uv("-e", tree)
    distribution, interpreter = venv.distribution("own")
    wheel = build_wheel(tree, distribution, interpreter, tmp_path / "out", tmp_path / "scratch")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("own_python.txt").decode() == str(interpreter.base_prefix) == sys.base_prefix
