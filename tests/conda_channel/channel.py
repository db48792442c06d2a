"""The channels that tests install from: their packages, their index."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from rattler.index import index_fs

from tests.conda_channel import demo
from tests.conda_channel.archives import write_package
from tests.conda_channel.blas import NUMPY_DEPENDS, blas_packages
from tests.conda_channel.compiled import MINOR
from tests.conda_channel.elsewhere import packages_elsewhere
from tests.conda_channel.interpreter import python_package
from tests.conda_channel.package import CondaPackage
from tests.conda_channel.wheels import convert_wheel

PINS = Path(__file__).parents[2] / "examples" / "breast-cancer" / "requirements.txt"
"""Which projects the channel has, and in which versions."""
TOOLS = ("pip==25.0.1", "setuptools==80.9.0", "wheel==0.45.1")
FURTHER_DEPENDS = {"numpy": NUMPY_DEPENDS}


def write_channel(channel: Path, scratch: Path) -> None:
    """Make all packages and their index.

    Args:
        channel: A new folder.
        scratch: Where wheels are downloaded to.
    """
    wheels = [convert_wheel(path, FURTHER_DEPENDS.get(_project(path), ())) for path in download(scratch)]
    compiled = {package.name: package for package in wheels if not package.noarch}
    for package in (python_package(), *_small(), *wheels, *blas_packages(), *packages_elsewhere(compiled)):
        write_package(channel, package)
    write_package(channel, demo.old_format(), ".tar.bz2")
    index_channel(channel)


def write_private_channel(channel: Path) -> None:
    """One package, for a channel that isn't everybody's."""
    write_package(channel, demo.private())
    index_channel(channel)


def _small() -> Iterator[CondaPackage]:
    yield demo.libdemo()
    yield demo.postlinked()
    yield demo.empty_directory()
    yield from demo.clashing()
    yield _python_abi()


def _python_abi() -> CondaPackage:
    tag = f"cp{MINOR.replace('.', '')}"
    constrains = [f"python {MINOR}.* *_cpython"]
    return CondaPackage("python_abi", MINOR, f"8_{tag}", "noarch", 8, constrains=constrains, noarch="generic")


def download(folder: Path) -> list[Path]:
    """The pinned wheels for this machine's Python."""
    options = ["-qqq", "--no-deps", "--only-binary", ":all:", "-d", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "download", *options, *_pinned(), *TOOLS], check=True)
    return sorted(folder.glob("*.whl"))


def _pinned() -> Iterator[str]:
    for line in PINS.read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if text:
            wanted = Requirement(text)
            if wanted.marker is None or wanted.marker.evaluate():
                yield f"{wanted.name}{wanted.specifier}"


def _project(wheel: Path) -> str:
    return wheel.name.partition("-")[0]


def index_channel(channel: Path) -> None:
    """Write repodata.json and its other forms for what is in the folder now."""
    (channel / "noarch").mkdir(parents=True, exist_ok=True)
    asyncio.run(index_fs(channel, force=True))


def without_sha256(channel: Path, target: Path) -> None:
    """The same channel with an index as old ones are, which has md5 only."""
    for path in sorted(channel.rglob("*")):
        copy = target / path.relative_to(channel)
        if path.name == "repodata.json":
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(json.dumps(_md5_only(json.loads(path.read_bytes()))), encoding="utf-8")
        elif path.suffix == ".conda" or path.name.endswith(".tar.bz2"):
            copy.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, copy)


def _md5_only(index: dict[str, dict[str, dict[str, object]]]) -> dict[str, dict[str, dict[str, object]]]:
    for kind in ("packages", "packages.conda"):
        for record in index[kind].values():
            del record["sha256"]
    return index
