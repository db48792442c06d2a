"""Which conda packages an image has, and where its Python is when that is one of them. Pure."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from repro.lock import CondaPackage, Lock
from repro.plan import layout
from repro.plan.model import CondaLink

PYTHON = "python"
"""The conda package that is the interpreter."""


def links(lock: Lock, target: str) -> list[CondaLink]:
    """Every conda package of a target, by name."""
    packages = sorted(of_target(lock.conda, target), key=lambda package: package.name)
    python = next((package for package in packages if package.name == PYTHON), None)
    folder = site_packages(python) if python else None
    return [CondaLink(package, folder) for package in packages]


def of_target(packages: Iterable[CondaPackage], target: str) -> list[CondaPackage]:
    """Those of one target."""
    return [package for package in packages if package.target == target]


def python_of(lock: Lock, target: str) -> CondaPackage | None:
    """The package that supplies the interpreter, where one does."""
    if lock.python.supply != "conda":
        return None
    return next((one for one in of_target(lock.conda, target) if one.name == PYTHON), None)


def site_packages(python: CondaPackage) -> str:
    """Where a conda Python looks for packages, relative to its prefix.

    Builds without the global interpreter lock (PEP 703) end in `_cp313t`, and have that `t` behind their version.
    """
    minor = ".".join(python.version.split(".")[:2])
    threads = "t" if python.build.endswith(f"cp{minor.replace('.', '')}t") else ""
    return f"lib/python{minor}{threads}/site-packages"


def python_path(python: CondaPackage) -> PurePosixPath:
    """Absolute path of a conda Python's program in the image."""
    minor = ".".join(python.version.split(".")[:2])
    return layout.ENVIRONMENT / "bin" / f"python{minor}"
