"""Which of conda's environments a kernel's name, or a project, means."""

from pathlib import Path

import pytest

from repro.capture.conda.kernels import conda_kernels
from repro.capture.environments import candidate_environments
from repro.capture.readiness import Readiness, no_kernel_error


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def environment(prefix: Path, mark: str = "conda-meta") -> Path:
    python = prefix / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_bytes(b"\x7fELF")
    python.chmod(0o755)
    (prefix / mark).mkdir()
    return python


def test_a_kernel_of_nb_conda_kernels_means_the_environment_of_its_name(home: Path, tmp_path: Path) -> None:
    inside = environment(home / "miniforge3" / "envs" / "Work")
    elsewhere = environment(tmp_path / "elsewhere" / "other")
    (home / ".conda").mkdir()
    (home / ".conda" / "environments.txt").write_text(f"{elsewhere.parents[1]}\n{inside.parents[1]}\n\n/gone/other\n")
    assert [one.python for one in conda_kernels("conda-env-Work-py", {})] == [inside]
    assert [one.python for one in conda_kernels("conda-env-other-python3", {})] == [elsewhere]
    assert conda_kernels("conda-env-none-py", {}) == []
    assert conda_kernels("python3", {}) == []


def test_the_base_environment_has_a_name_of_its_own(home: Path) -> None:
    python = environment(home / "miniforge3", "condabin")
    environ = {"CONDA_EXE": str(home / "miniforge3" / "bin" / "conda")}
    assert [one.python for one in conda_kernels("conda-root-py", environ)] == [python]
    assert [one.python for one in conda_kernels("conda-base-py", environ)] == [python]


def found(root: Path) -> list[Path]:
    return [one.python for one in candidate_environments(root, root, {})]


def test_a_project_of_pixis_has_its_default_environment(tmp_path: Path) -> None:
    environment(tmp_path / ".pixi" / "envs" / "gpu")
    default = environment(tmp_path / ".pixi" / "envs" / "default")
    assert found(tmp_path) == [default]


def test_the_only_environment_of_pixis_is_the_projects_whatever_its_name(tmp_path: Path) -> None:
    only = environment(tmp_path / ".pixi" / "envs" / "gpu")
    assert found(tmp_path) == [only]
    environment(tmp_path / ".pixi" / "envs" / "cpu")
    assert found(tmp_path) == []


def test_conda_project_keeps_its_environment_in_envs(tmp_path: Path) -> None:
    python = environment(tmp_path / "envs" / "default")
    assert found(tmp_path) == [python]


def test_the_cure_for_a_missing_kernel_is_pixis() -> None:
    state = Readiness(Path("/p"), "3.11.7", "ModuleNotFoundError: No module named 'ipykernel'", has_pip=True)
    assert "pixi add ipykernel" in str(no_kernel_error(Path("/p"), "pixi", state, "pixi", "a.ipynb").fix)
