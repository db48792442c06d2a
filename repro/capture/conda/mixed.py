"""pip's packages on top of conda's: what either needs of the other on a target."""

from collections.abc import Iterable

from packaging.utils import canonicalize_name

from repro.capture.model import Interpreter
from repro.capture.packages.markers import firm_edges, parse_requirements, target_environment
from repro.conda.records import PYTHON
from repro.conda.specs import required_name
from repro.lock import CondaPackage


def needed_by_pip(interpreter: Interpreter, target: str) -> frozenset[str]:
    """Names of the conda packages that pip's packages need on a target.

    Args:
        interpreter: The captured environment, conda's distributions included.
        target: Such as `linux/amd64`.
    """
    own = {one.name: one.conda for one in interpreter.distributions if one.conda is not None}
    needs = {one.name: parse_requirements(one.requires) for one in interpreter.distributions if one.conda is None}
    there = target_environment(interpreter.version, interpreter.implementation, target)
    return frozenset(own[edge.name] for edge in firm_edges(needs, there) if edge.name in own)


def provided_distributions(interpreter: Interpreter, packages: Iterable[CondaPackage]) -> dict[str, str]:
    """Version of each Python distribution that a target's conda packages bring, by its normalised name.

    What was captured is known by its metadata; of what the target has beside it, the package's own name is taken, which
    is the distribution's but for few (conda-forge, "Contributing packages: naming").

    Args:
        interpreter: The captured environment, conda's distributions included.
        packages: Those of the target.
    """
    packages = list(packages)
    there = {package.name: package for package in packages}
    known = {one.conda for one in interpreter.distributions}
    found: dict[str, str] = {
        canonicalize_name(package.name): package.version
        for package in packages
        if package.name not in known and PYTHON in map(required_name, package.depends)
    }
    for one in interpreter.distributions:
        if one.conda in there:
            moved = there[one.conda].captured is not None and not _same_version(there[one.conda])
            found[one.name] = there[one.conda].version if moved else one.version
    return found


def _same_version(package: CondaPackage) -> bool:
    return (package.captured or "").partition(" ")[0] == package.version
