"""Which absolute paths are the system's or the environment's: decided by name, no run needed."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from repro.capture.model import Interpreter
from repro.capture.outside import Outside, bring_inside, outside_problems, put_instead


def interpreter(prefix: str, base: str | None = None, *sys_path: str) -> Interpreter:
    library = f"{base or prefix}/lib/python3.11"
    return Interpreter(
        executable=Path(prefix, "bin/python"),
        base_executable=Path(base or prefix, "bin/python3.11"),
        prefix=Path(prefix),
        base_prefix=Path(base or prefix),
        implementation="cpython",
        version="3.11.2",
        system="Linux",
        machine="x86_64",
        platform="linux-x86_64",
        soabi="",
        glibc=None,
        paths={"stdlib": library, "purelib": f"{prefix}/lib/python3.11/site-packages"},
        sys_path=(library, *sys_path),
        distributions=(),
    )


DEBIAN = interpreter("/usr", None, "/usr/local/lib/python3.11/dist-packages", "/srv/shared")
VENV = interpreter("/srv/anna/.venv", "/usr")
LOCAL = interpreter("/usr/local")


@pytest.mark.parametrize("python", [DEBIAN, VENV, LOCAL], ids=["debian", "venv", "local"])
@pytest.mark.parametrize(
    "path",
    [
        "/run/media/anna/usb/data.csv",
        "/run/user/1000/gvfs/share/data.csv",
        "/dev/shm/x",
        "/usr/local/share/d.csv",
        "/usr/local/data.csv",
        "/usr/data.csv",
        "/usr/libs/data.csv",
        "/opt/data.csv",
        "/srv/shared/data.csv",
    ],
)
def test_media_shared_memory_and_local_files_are_nobodys(python: Interpreter, path: str) -> None:
    assert not Outside(python, environ={"XDG_RUNTIME_DIR": "/run/user/1000"}).belongs(path)


@pytest.mark.parametrize(
    "path",
    [
        "/usr/lib/python3/x.py",
        "/usr/lib64/x.so",
        "/usr/share/zoneinfo/UTC",
        "/usr/bin/env",
        "/usr/include/x.h",
        "/usr/local/share/fonts/Lato.ttf",
        "/etc/passwd",
        "/proc/meminfo",
        "/sys/fs/cgroup/memory.max",
        "/lib/x.so",
        "/run/user/1000/jupyter/kernel.json",
    ],
)
def test_the_system_belongs(path: str) -> None:
    assert Outside(VENV, environ={"XDG_RUNTIME_DIR": "/run/user/1000"}).belongs(path)


@pytest.mark.parametrize("device", [os.devnull, "/dev/urandom"])
def test_devices_are_no_files(device: str) -> None:
    assert Outside(VENV, environ={}).belongs(device)


def test_what_lies_under_the_interpreters_own_folders_belongs() -> None:
    assert Outside(VENV, environ={}).belongs("/srv/anna/.venv/share/any.json")
    assert Outside(DEBIAN, environ={}).belongs("/usr/local/lib/python3.11/dist-packages/x.py")
    assert not Outside(VENV, environ={}).belongs("/usr/local/lib/python3.11/dist-packages/x.py")
    assert Outside(LOCAL, environ={}).belongs("/usr/local/lib/python3.11/json/decoder.py")
    assert Outside(LOCAL, environ={}).belongs("/usr/local/share/jupyter/kernels/python3/kernel.json")
    assert Outside(replace(LOCAL, prefix=Path("/opt/env")), environ={}).belongs("/opt/env/any.json")


def test_shared_memory_of_the_run_is_temporary(tmp_path: Path) -> None:
    outside = Outside(VENV, environ={})
    assert outside.made_by_run("/dev/shm/joblib-that-is-gone/0.pkl", 0)
    assert not outside.made_by_run("/srv/joblib-that-is-gone/0.pkl", 0)


def test_a_data_file_is_to_be_copied_unless_the_run_can_do_without_it(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert bring_inside(tmp_path, "/srv/data/x.csv", module=False) == (
        f"copy it into {tmp_path.name}/ and read it there, "
        "or, if the run can do without it, exclude it in repro.toml, [files] exclude"
    )


def test_a_module_can_not_be_left_out(tmp_path: Path) -> None:
    cure = bring_inside(tmp_path, "/srv/shared/x.py", module=True)
    assert "install it as a package" in cure
    assert "exclude" not in cure


def test_a_project_whose_root_nothing_marks_may_begin_further_up(tmp_path: Path) -> None:
    """A notebook in a folder of its own, without git: the folder above it is what people mean."""
    notebooks = tmp_path / "churn" / "notebooks"
    notebooks.mkdir(parents=True)
    data = str(tmp_path / "churn" / "data" / "x.csv")
    assert bring_inside(notebooks, data, module=False).startswith(
        f"put an empty repro.toml into {tmp_path / 'churn'}, where the project begins then, or copy it into notebooks/"
    )
    (notebooks / "repro.toml").touch()
    assert bring_inside(notebooks, data, module=False).startswith("copy it into notebooks/")


def test_nobodys_home_becomes_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for far in (tmp_path / "x.csv", tmp_path.parent / "x.csv", Path("/x.csv"), Path("/srv/x.csv")):
        assert "empty repro.toml" not in bring_inside(tmp_path / "churn", str(far), module=False)


def test_a_link_to_a_folder_asks_for_the_folder(tmp_path: Path) -> None:
    assert put_instead(str(tmp_path)) == "put the folder itself there"
    assert put_instead(str(tmp_path / "x.csv")) == "put the file itself there"


@pytest.mark.parametrize("name", [".netrc", ".aws/credentials", ".keras/keras.json", ".config/dask/dask.yaml"])
def test_settings_and_logins_are_not_to_be_copied_into_the_project(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    cure = bring_inside(tmp_path / "project", str(tmp_path / name), module=False)
    assert "copy" not in cure
    assert cure.endswith(f'exclude = ["~/{name}"]')


@pytest.mark.parametrize("name", ["data.json", ".keras/datasets/mnist.npz", ".cache/x/config.json"])
def test_data_of_the_home_directory_is_to_be_copied(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert "copy it into project/" in bring_inside(tmp_path / "project", str(tmp_path / name), module=False)


def test_very_many_files_outside_are_one_problem() -> None:
    names = [f"/far/images/{number}.png" for number in range(300)]
    (problem,) = outside_problems(names, "copy them")
    assert problem.startswith("300 files in /far/images lie outside the project: /far/images/0.png, ")
    assert problem.endswith(" and 295 more; copy them")
    assert list(outside_problems(names[:2], "copy it")) == [
        f"{name} lies outside the project; copy it" for name in names[:2]
    ]
