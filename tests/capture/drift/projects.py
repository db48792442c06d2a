"""An environment that is only described, and the files of a project."""

from pathlib import Path

from repro.capture.drift import Drift, drift
from repro.capture.model import Distribution, Interpreter
from tests.capture.packages.installed import write

SITE = Path("/laptop/.venv/lib/python3.11/site-packages")


def distribution(name: str, version: str = "1.0", *requires: str, **more: object) -> Distribution:
    return Distribution(name, version, SITE, SITE / f"{name}-{version}.dist-info", requires=requires, **more)  # type: ignore[arg-type]


def interpreter(*distributions: Distribution, version: str = "3.11.7") -> Interpreter:
    return Interpreter(
        executable=Path("/laptop/.venv/bin/python"),
        base_executable=Path("/usr/bin/python3"),
        prefix=Path("/laptop/.venv"),
        base_prefix=Path("/usr"),
        implementation="cpython",
        version=version,
        system="Linux",
        machine="x86_64",
        platform="linux-x86_64",
        soabi="",
        glibc="2.36",
        paths={},
        sys_path=(str(SITE),),
        distributions=distributions,
    )


def pins(**versions: str) -> Interpreter:
    """An environment with these versions; `_` stands for `-`."""
    return interpreter(*(distribution(name.replace("_", "-"), version) for name, version in versions.items()))


def drifts(root: Path, files: dict[str, str], installed: Interpreter, *imported: str) -> list[Drift]:
    write(root, files)
    return list(drift(root, installed, {name: (name,) for name in imported}))


def told(root: Path, files: dict[str, str], installed: Interpreter, *imported: str) -> list[str]:
    """File, kind and package of each difference."""
    return [f"{one.place}: {one.kind} {one.package}" for one in drifts(root, files, installed, *imported)]
