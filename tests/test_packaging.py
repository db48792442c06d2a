"""What is shipped: the wheel holds both packages whole and nothing else, and works where it is installed."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "uv", "build", "-q", "--wheel", "-o", folder, ROOT], check=True)
    (path,) = folder.glob("*.whl")
    return path


def _sources(folder: Path) -> set[str]:
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder.parent).as_posix() for path in files}


def test_the_wheel_holds_exactly_its_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    packages = (ROOT / "repro", ROOT / "builders" / "repro_docker", ROOT / "builders" / "repro_oci")
    assert names == {name for package in packages for name in _sources(package)}
    assert {"repro/py.typed", "repro_docker/py.typed", "repro_oci/py.typed"} <= names
    assert {"repro/plan/runner_lock.toml", "repro/debian/known-scripts.toml"} <= names


def test_the_installed_wheel_works(wheel: Path, tmp_path: Path) -> None:
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "-q", "--python", sys.executable, tmp_path / "env"], check=True)
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([*uv, "pip", "install", "-q", "--python", python, wheel], check=True)
    repro = tmp_path / "env" / "bin" / "repro"
    done = subprocess.run([repro, "--version"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "repro" in done.stdout
    code = "from repro.build import find_builder; print(*(find_builder(name).name for name in ('docker', 'oci')))"
    done = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "docker oci"
