"""Which installs need a wheel of their own, and what a lock may say of where they came from."""

import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from repro.capture.packages.origins import built_wheel, local_wheel
from repro.errors import CaptureError
from tests.capture.packages.installed import Venv, git, run
from tests.capture.packages.projects import FLIT, PLAIN, make, sdist

TOOLS = ("pip", "uv")


@pytest.fixture
def venv(tmp_path: Path) -> Venv:
    return Venv(tmp_path / "laptop")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("tool", TOOLS)
def test_a_git_install_names_its_commit(tool: str, venv: Venv, root: Path, tmp_path: Path) -> None:
    tree = make(tmp_path / "repository", PLAIN)
    git(tree, "init", "--quiet")
    git(tree, "add", ".")
    git(tree, "commit", "--quiet", "-m", "first")
    commit = git(tree, "rev-parse", "HEAD")
    venv.install(tool, f"git+file://{tree}")

    made = local_wheel(*venv.distribution("plain-thing"), root, tmp_path / "scratch")

    assert made is not None
    assert (made.origin, made.source, made.warnings) == ("vcs", f"local git repository repository at {commit}", ())
    assert zipfile.is_zipfile(made.path)


@pytest.mark.parametrize("tool", TOOLS)
def test_local_directories_archives_and_editables_name_no_machine_path(
    tool: str, venv: Venv, root: Path, tmp_path: Path
) -> None:
    inside, outside = make(root / "libs" / "plain", PLAIN), make(tmp_path / "flit tree", FLIT)
    venv.install(tool, inside)
    venv.install(tool, "-e", outside)
    plain = local_wheel(*venv.distribution("plain-thing"), root, tmp_path / "scratch")
    flit = local_wheel(*venv.distribution("flit-thing"), root, tmp_path / "scratch")
    assert plain is not None
    assert flit is not None
    assert (plain.origin, plain.source) == ("local", "libs/plain")
    assert (flit.origin, flit.source) == ("editable", "flit tree")

    archive = sdist(outside, tmp_path / "sdist")
    other = Venv(tmp_path / "other")
    other.install(tool, archive.as_uri() if tool == "uv" else archive)
    again = local_wheel(*other.distribution("flit-thing"), root, tmp_path / "scratch")
    assert again is not None
    assert (again.origin, again.source) == ("url", archive.name)


@pytest.mark.parametrize("tool", TOOLS)
def test_a_wheel_by_direct_url_is_repacked(tool: str, venv: Venv, root: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path / "wheels", make(tmp_path / "tree", FLIT))
    wheel = next((tmp_path / "wheels").glob("*.whl"))
    venv.install(tool, "--no-deps", f"flit-thing @ {wheel.as_uri()}")

    made = local_wheel(*venv.distribution("flit-thing"), root, tmp_path / "scratch")

    assert made is not None
    assert (made.origin, made.source, made.path.name) == ("url", wheel.name, wheel.name)
    with zipfile.ZipFile(wheel) as before, zipfile.ZipFile(made.path) as after:
        assert set(after.namelist()) == set(before.namelist())


def test_an_install_from_an_index_needs_none_and_a_built_one_is_repacked(
    venv: Venv, root: Path, tmp_path: Path
) -> None:
    archive = sdist(make(tmp_path / "tree", FLIT), tmp_path / "links")
    venv.uv("flit-core")
    venv.uv("--find-links", archive.parent, "--no-build-isolation", "flit-thing")
    distribution, interpreter = venv.distribution("flit-thing")

    assert local_wheel(distribution, interpreter, root, tmp_path / "scratch") is None
    made = built_wheel(distribution, interpreter, tmp_path / "scratch")
    assert (made.origin, made.source) == ("built", "flit-thing==0.1")
    assert made.path.name == "flit_thing-0.1-py3-none-any.whl"


def test_what_conda_says_of_its_build_machine_is_no_local_install(venv: Venv, root: Path, tmp_path: Path) -> None:
    venv.uv(make(tmp_path / "tree", FLIT))
    distribution, interpreter = venv.distribution("flit-thing")
    assert local_wheel(distribution, interpreter, root, tmp_path) is not None
    assert local_wheel(replace(distribution, installer="conda"), interpreter, root, tmp_path) is None


def test_an_editable_install_without_a_tree_and_an_edited_file_are_told(venv: Venv, root: Path, tmp_path: Path) -> None:
    venv.uv(make(tmp_path / "tree", FLIT))
    distribution, interpreter = venv.distribution("flit-thing")
    (distribution.location / "flit_thing.py").write_text("EDITED = True\n")
    made = local_wheel(distribution, interpreter, root, tmp_path / "scratch")
    assert made is not None
    assert "flit_thing.py" in made.warnings[0]
    with pytest.raises(CaptureError, match="source can't be found"):
        local_wheel(replace(distribution, editable=True, source_tree=None), interpreter, root, tmp_path)


def test_a_source_keeps_commit_and_subdirectory_but_no_credentials(venv: Venv, root: Path, tmp_path: Path) -> None:
    venv.uv(make(tmp_path / "tree", FLIT))
    distribution, interpreter = venv.distribution("flit-thing")
    direct_url = {
        "url": "https://user:secret@example.org/a.git",
        "vcs_info": {"vcs": "git", "requested_revision": "main", "commit_id": "f" * 40},
        "subdirectory": "python",
    }
    made = local_wheel(replace(distribution, direct_url=direct_url), interpreter, root, tmp_path / "scratch")
    assert made is not None
    assert made.source == f"git+https://example.org/a.git@{'f' * 40}#subdirectory=python"

    direct_url = {"url": "https://user:secret@example.org/w.whl?sig=secret", "archive_info": {}}
    made = local_wheel(replace(distribution, direct_url=direct_url), interpreter, root, tmp_path / "scratch")
    assert made is not None
    assert (made.origin, made.source) == ("url", "https://example.org/w.whl")


def committed(tree: Path) -> str:
    git(tree, "init", "--quiet")
    git(tree, "add", ".")
    git(tree, "commit", "--quiet", "-m", "first")
    return git(tree, "rev-parse", "HEAD")


def test_an_editable_beside_the_project_names_its_commit_and_its_changes(
    venv: Venv, root: Path, tmp_path: Path
) -> None:
    top = tmp_path / "repository"
    tree = make(top / "python", FLIT)
    (top / ".gitignore").write_text("__pycache__\n")
    commit = committed(top)
    git(top, "remote", "add", "origin", "https://ann:pw@example.org/lib.git")
    venv.uv("-e", tree)
    distribution, interpreter = venv.distribution("flit-thing")
    pinned = f"git+https://example.org/lib.git@{commit}#subdirectory=python"

    clean = local_wheel(distribution, interpreter, root, tmp_path / "scratch", dirty="refuse")
    assert clean is not None
    assert (clean.source, clean.warnings) == (pinned, ())
    (top / "README").write_text("another part of the repository\n")
    git(top, "add", ".")
    git(top, "commit", "--quiet", "-m", "elsewhere")
    (tree / "flit_thing.py").write_text('"""Another thing."""\n')
    (tree / "notes.txt").write_text("new\n")
    index = (top / ".git" / "index").read_bytes()

    baked = local_wheel(distribution, interpreter, root, tmp_path / "scratch")
    assert baked is not None
    assert baked.source == f"{pinned} with changes"
    assert baked.warnings == (
        "its source python has changes that are not committed, and they are baked: flit_thing.py, notes.txt",
    )
    with zipfile.ZipFile(baked.path) as archive:
        assert b"Another thing" in archive.read("flit_thing.py")
    with pytest.raises(CaptureError, match=r"not committed: flit_thing\.py, notes\.txt") as refused:
        local_wheel(distribution, interpreter, root, tmp_path / "scratch", dirty="refuse")
    assert "dirty-source" in str(refused.value.fix)
    assert (top / ".git" / "index").read_bytes() == index


def test_an_editable_of_the_projects_own_repository_is_named_by_its_path(
    venv: Venv, root: Path, tmp_path: Path
) -> None:
    """A lock that named the commit would change by being committed."""
    tree = make(root / "libs" / "flit", FLIT)
    committed(root)
    (tree / "flit_thing.py").write_text('"""Changed."""\n')
    venv.uv("-e", tree)
    made = local_wheel(*venv.distribution("flit-thing"), root, tmp_path / "scratch")
    assert made is not None
    assert (made.source, made.warnings) == ("libs/flit", ())
    with pytest.raises(CaptureError, match="not committed"):
        local_wheel(*venv.distribution("flit-thing"), root, tmp_path / "scratch", dirty="refuse")
