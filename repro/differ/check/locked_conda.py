"""The conda packages of a lock as if they were installed, for files that declare packages."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from packaging.utils import canonicalize_name

from repro.capture.drift.conda_names import OWNED
from repro.capture.model import Distribution
from repro.conda.records import PYTHON
from repro.conda.specs import required_name
from repro.lock import CondaPackage, Lock

_NOWHERE = Path()


def locked_conda(lock: Lock, *, laptop: bool) -> dict[str, CondaPackage]:
    """Those of the first target, by name.

    Args:
        lock: The lock.
        laptop: Whether they are wanted as the laptop had them, which may be of another platform than the target.
    """
    here = [one for one in lock.conda if one.target == lock.targets[0]]
    found = map(_captured, here) if laptop else iter(here)
    return {one.name: one for one in found if one is not None}


def _captured(package: CondaPackage) -> CondaPackage | None:
    if package.captured is None:
        return package
    version, _, build = package.captured.partition(" ")
    return replace(package, version=version, build=build) if version else None


def distributions(lock: Lock) -> Iterator[Distribution]:
    """The Python packages that they bring, by the package's own name and by the modules that a run imported."""
    for package in locked_conda(lock, laptop=True).values():
        if PYTHON in map(required_name, package.depends):
            modules = lock.modules.get(f"{OWNED}{package.name}", ())
            names = {package.name, *(module.partition(".")[0] for module in modules)}
            for name in sorted({str(canonicalize_name(name)) for name in names}):
                yield Distribution(name, package.version, _NOWHERE, _NOWHERE, installer="conda")
