"""Which absolute paths are the system's or the environment's: decided by name, no run needed."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from repro.capture.model import Interpreter
from repro.capture.outside import Outside


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
