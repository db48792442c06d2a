"""Local versions that the author wants in the image instead of the installed ones: `torch==2.5.1+cpu` for 2.5.1."""

from collections.abc import Iterable
from dataclasses import replace

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from repro.capture.model import Interpreter
from repro.errors import UsageError
from repro.progress import Progress


def with_variants(interpreter: Interpreter, variants: Iterable[str], progress: Progress) -> Interpreter:
    """The environment with those builds in place of the installed ones.

    Only the local part of a version may differ (PEP 440): it is the same release, built otherwise.

    Args:
        interpreter: The captured environment.
        variants: Each `name==version+local`, or `name==version` for the plain build.
        progress: Told of each substitution.

    Raises:
        UsageError: One is no such pin, names a package that isn't installed, or another release than is installed.
    """
    wanted: dict[str, Version] = {}
    problems = []
    installed = {one.name: one.version for one in interpreter.distributions}
    for text in variants:
        try:
            name, version = _pin(text)
            _check_same_release(name, version, installed)
        except ValueError as error:
            problems.append(f"{text}: {error}")
            continue
        wanted[name] = version
    if problems:
        raise UsageError(
            "variants of packages can't be taken",
            where="repro.toml: packages.variants",
            problems=problems,
            fix="Write each as name==version+local with the installed version, such as torch==2.5.1+cpu.",
        )
    changed = {name: str(version) for name, version in wanted.items() if Version(installed[name]) != version}
    for name, build in changed.items():
        progress.warn(f"{name} {installed[name]} ran here, and {build} is locked, as repro.toml asks")
    distributions = (replace(one, version=changed.get(one.name, one.version)) for one in interpreter.distributions)
    return replace(interpreter, distributions=tuple(distributions))


def _pin(text: str) -> tuple[str, Version]:
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise ValueError("is no requirement") from error
    pins = list(requirement.specifier)
    if len(pins) != 1 or pins[0].operator != "==" or pins[0].version.endswith(".*"):
        raise ValueError("must pin one version with ==")
    return canonicalize_name(requirement.name), Version(pins[0].version)


def _check_same_release(name: str, version: Version, installed: dict[str, str]) -> None:
    if name not in installed:
        raise ValueError("is not installed")
    try:
        release = Version(installed[name]).public
    except InvalidVersion:
        release = ""
    if release != version.public:
        raise ValueError(f"another release is installed, {installed[name]}")
