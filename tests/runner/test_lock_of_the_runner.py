"""The pinned packages of the runner: complete for every Python that images may have, and from the public index only."""

import tomllib
from pathlib import Path

import pytest
from packaging.markers import Environment
from packaging.pylock import Pylock
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

import repro.plan

TEXT = (Path(repro.plan.__file__).parent / "runner_lock.toml").read_text(encoding="utf-8")
PYLOCK = Pylock.from_dict(tomllib.loads(TEXT))


def wanted(minor: int, machine: str):
    environment: Environment = {
        "implementation_name": "cpython", "implementation_version": f"3.{minor}.1", "os_name": "posix",
        "platform_machine": machine, "platform_release": "", "platform_system": "Linux", "platform_version": "",
        "platform_python_implementation": "CPython", "python_full_version": f"3.{minor}.1",
        "python_version": f"3.{minor}", "sys_platform": "linux",
    }  # fmt: skip
    return [package for package in PYLOCK.packages if not package.marker or package.marker.evaluate(environment)]


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("minor", range(9, 15))
def test_every_package_has_a_wheel_for_glibc_2_28(minor, machine):
    platforms = [*(f"manylinux_2_{number}_{machine}" for number in range(28, 16, -1)), f"manylinux2014_{machine}"]
    platforms += ["manylinux_2_12_x86_64", "manylinux_2_5_x86_64"] if machine == "x86_64" else []
    tags = {*cpython_tags((3, minor), [f"cp3{minor}"], platforms), *compatible_tags((3, minor), None, platforms)}
    packages = wanted(minor, machine)
    without = [
        package.name
        for package in packages
        if not any(parse_wheel_filename(wheel.url.rpartition("/")[2])[3] & tags for wheel in package.wheels or ())
    ]
    assert without == []
    names = [package.name for package in packages]
    assert {"nbclient", "pyyaml", "pyzmq", "installer"} <= set(names)
    assert ("tomli" in names) is (minor < 11)
    assert len(names) == len(set(names))


def test_only_public_addresses_and_sha256():
    for package in PYLOCK.packages:
        for wheel in package.wheels or ():
            assert wheel.url.startswith("https://files.pythonhosted.org/packages/")
            assert set(wheel.hashes) == {"sha256"}
    assert "file:" not in TEXT
