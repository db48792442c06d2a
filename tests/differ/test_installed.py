"""Which Python counts as the project's: one that is merely found and has other packages is none."""

import sys
import sysconfig
import venv
from dataclasses import replace
from pathlib import Path

import pytest

from repro.capture.config import Config
from repro.capture.probe import probe
from repro.differ.installed import find_environment
from repro.errors import InfrastructureError
from repro.lock import Lock, Subject
from tests.lock.samples import plain_lock


@pytest.fixture
def lock(tmp_path: Path) -> Lock:
    """Of a script, with half a dozen packages that are installed here, repro's own environment."""
    (tmp_path / "evaluate.py").touch()
    package = plain_lock().packages[0]
    installed = probe(Path(sys.executable), cwd=tmp_path, env={}).distributions
    names = [one for one in installed if one.name in {"click", "docker", "nbclient", "nbformat", "requests", "rich"}]
    packages = tuple(replace(package, name=one.name, version=one.version) for one in names)
    return replace(plain_lock(), subject=Subject("script", "evaluate.py"), packages=packages)


def found(root: Path, lock: Lock, python: Path | None = None) -> None:
    """With nothing but a python3 on PATH, which has the packages that are installed here."""
    home = root / "elsewhere"
    venv.create(home, symlinks=True)
    (site,) = home.glob("lib/python*/site-packages")
    (site / "all.pth").write_text(sysconfig.get_path("purelib"))
    environ = {"PATH": str(home / "bin")}
    find_environment(root, lock, Config(), notebook=None, python=python, environ=environ)


def test_one_that_has_the_locked_packages_is_the_projects(tmp_path: Path, lock: Lock) -> None:
    found(tmp_path, lock)


def test_one_in_which_most_differ_is_another_unless_it_is_named(tmp_path: Path, lock: Lock) -> None:
    others = tuple(replace(package, version="0") for package in lock.packages[2:])
    other = replace(lock, packages=(*lock.packages[:2], *others))
    with pytest.raises(InfrastructureError, match="another environment"):
        found(tmp_path, other)
    found(tmp_path, other, Path(sys.executable))
