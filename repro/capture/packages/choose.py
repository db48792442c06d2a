"""Which published wheel stands for an installed distribution on a target. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from packaging.tags import Tag, compatible_tags, cpython_tags, generic_tags, parse_tag
from packaging.utils import BuildTag, InvalidWheelFilename, parse_wheel_filename

from repro.capture.model import Distribution
from repro.capture.packages.index import IndexFile
from repro.errors import UsageError

MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
"""The machine of each target as wheel tags and platform markers spell it."""
_OLDEST_GLIBC = {"x86_64": 5, "aarch64": 17}
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}  # PEP 600


@dataclass(frozen=True, slots=True)
class Chosen:
    """The wheel to install.

    Attributes:
        file: The published file.
        how: "same" has the tags of the installed one; "compatible" is the best that the target can run.
        doubts: What the author should know, one sentence each.
        others: Other files that are as good by all that their names say.
    """

    file: IndexFile
    how: Literal["same", "compatible"]
    doubts: tuple[str, ...] = ()
    others: tuple[IndexFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Unlockable:
    """No published wheel can stand for a distribution.

    Attributes:
        name: Project name.
        version: Installed version.
        target: Where it was to be installed.
        reason: Why not, as the end of a sentence.
        candidates: File names that were looked at.
        built_here: Whether the installed copy runs on the target but was not taken from these files.
    """

    name: str
    version: str
    target: str
    reason: str
    candidates: tuple[str, ...]
    built_here: bool


def target_tags(python_version: str, implementation: str, target: str, glibc: str, abi: str | None = None) -> list[Tag]:
    """Every wheel tag that installs on a target, the most specific first.

    Args:
        python_version: Such as `3.11.7`.
        implementation: `sys.implementation.name`.
        target: A key of `MACHINES`.
        glibc: Version of the C library there, such as `2.36`.
        abi: ABI tag when it isn't the usual one: `cp313t`, `pypy310_pp73`.

    Raises:
        UsageError: The target is unknown.
    """
    platforms = _platforms(target, glibc)
    numbers = [int(part) for part in python_version.split(".")[:2]]
    if implementation == "cpython":
        interpreter = f"cp{numbers[0]}{numbers[1]}"
        own = list(cpython_tags(numbers, [abi or interpreter], platforms))
    else:
        prefix = {"pypy": "pp"}.get(implementation, implementation)
        interpreter = f"{prefix}{numbers[0]}{numbers[1]}"
        own = list(generic_tags(interpreter, [abi] if abi else [], platforms))
    return list(dict.fromkeys([*own, *compatible_tags(numbers, interpreter, platforms)]))


def abi_tag(implementation: str, soabi: str) -> str | None:
    """The ABI tag that an interpreter's SOABI stands for, or None for the usual one."""
    parts = soabi.split("-")
    if implementation == "cpython":
        return f"cp{parts[1]}" if len(parts) > 1 and parts[1].endswith("t") else None
    return "_".join(parts[:2]) if len(parts) > 1 else None


def choose(
    distribution: Distribution, files: Sequence[IndexFile], target: str, tags: Sequence[Tag]
) -> Chosen | Unlockable:
    """The wheel for one target.

    The one whose tags, and build number, are exactly those of the installed WHEEL file, when the target can run it.
    When the target could run the installed one but no such file is published, the installed one was built somewhere
    else, and nothing stands for it. Otherwise (another platform, or no WHEEL file) the best wheel for the target.

    Args:
        distribution: What is installed.
        files: The files of its release, in the order of the indexes.
        target: For messages.
        tags: What the target can run (`target_tags`).
    """
    ranks = {tag: rank for rank, tag in enumerate(tags)}
    wheels = [_Wheel.parse(file) for file in files if file.name.endswith(".whl")]
    readable = [wheel for wheel in wheels if wheel is not None]
    installed = frozenset(tag for line in distribution.tags for tag in parse_tag(line))
    runs_here = any(tag in ranks for tag in installed)
    if runs_here:
        same = [wheel for wheel in readable if wheel.tags == installed]
        if same:
            return _chosen([wheel for wheel in same if wheel.number == distribution.build] or same, "same", ())
        return _missing(distribution, files, target, built_here=True)
    return _best(distribution, files, target, readable, ranks)


def best_wheel(files: Sequence[IndexFile], tags: Sequence[Tag]) -> IndexFile | None:
    """The wheel of a release that an installer would take on a target, when there is any."""
    ranks = {tag: rank for rank, tag in enumerate(tags)}
    wheels = [_Wheel.parse(file) for file in files if file.name.endswith(".whl")]
    best = _ranked([wheel for wheel in wheels if wheel is not None], ranks)
    return _chosen(best, "compatible", ()).file if best else None


def best_compatible(
    distribution: Distribution, files: Sequence[IndexFile], target: str, tags: Sequence[Tag]
) -> Chosen | Unlockable:
    """The best wheel for a target whatever is installed."""
    ranks = {tag: rank for rank, tag in enumerate(tags)}
    wheels = [_Wheel.parse(file) for file in files if file.name.endswith(".whl")]
    return _best(distribution, files, target, [wheel for wheel in wheels if wheel is not None], ranks)


@dataclass(frozen=True, slots=True)
class _Wheel:
    file: IndexFile
    build: BuildTag
    tags: frozenset[Tag]

    @classmethod
    def parse(cls, file: IndexFile) -> "_Wheel | None":
        try:
            _, _, build, tags = parse_wheel_filename(file.name)
        except InvalidWheelFilename:
            return None
        return cls(file, build, tags)

    @property
    def number(self) -> str:
        """The build tag as a WHEEL file says it, "" without one."""
        return "".join(map(str, self.build))


def _best(
    distribution: Distribution, files: Sequence[IndexFile], target: str, wheels: Sequence[_Wheel], ranks: dict[Tag, int]
) -> Chosen | Unlockable:
    best = _ranked(wheels, ranks)
    if not best:
        return _missing(distribution, files, target, built_here=False)
    doubts = () if distribution.tags else ("it has no WHEEL file, so which wheel was installed can't be told",)
    return _chosen(best, "compatible", doubts)


def _ranked(wheels: Sequence[_Wheel], ranks: Mapping[Tag, int]) -> list[_Wheel]:
    """Those with the most specific tag that the target can run; none when it can run none."""

    def rank(wheel: _Wheel) -> int:
        return min((ranks[tag] for tag in wheel.tags if tag in ranks), default=len(ranks))

    best = min(map(rank, wheels), default=len(ranks))
    return [] if best == len(ranks) else [wheel for wheel in wheels if rank(wheel) == best]


def _chosen(wheels: Sequence[_Wheel], how: Literal["same", "compatible"], doubts: tuple[str, ...]) -> Chosen:
    """The highest build number, as installers do; of equals the one of the first index."""
    newest = max(wheel.build or (0, "") for wheel in wheels)
    equals = [wheel.file for wheel in wheels if (wheel.build or (0, "")) == newest]
    first = equals[0]
    others = tuple(file for file in (wheel.file for wheel in wheels) if _differ(file, first))
    for other in others:
        if other.name == first.name:
            doubts += (f"{first.index} and {other.index} have different files named {first.name}; the first is taken",)
    return Chosen(first, how, doubts, others)


def _differ(one: IndexFile, other: IndexFile) -> bool:
    return one.name != other.name or (None not in {one.sha256, other.sha256} and one.sha256 != other.sha256)


def _missing(distribution: Distribution, files: Sequence[IndexFile], target: str, *, built_here: bool) -> Unlockable:
    names = tuple(sorted({file.name for file in files}))
    wheels = any(name.endswith(".whl") for name in names)
    if not files:
        reason = "is on no index"
    elif built_here and not wheels:
        reason = "is published as source only"
    elif built_here:
        tags = f"{'tag' if len(distribution.tags) == 1 else 'tags'} {', '.join(distribution.tags)}"
        reason = f"was not installed from a published wheel (none has its {tags})"
    elif wheels:
        reason = f"has no wheel that runs on {target}"
    else:
        reason = "has no wheel, only source"
    return Unlockable(distribution.name, distribution.version, target, reason, names, built_here)


def _platforms(target: str, glibc: str) -> list[str]:
    machine = MACHINES.get(target)
    if machine is None:
        raise UsageError(f"unknown target {target}", fix=f"Choose from {', '.join(MACHINES)}.")
    newest = int(glibc.split(".")[1])
    found = [f"linux_{machine}"]
    for minor in range(newest, _OLDEST_GLIBC[machine] - 1, -1):
        found.append(f"manylinux_2_{minor}_{machine}")
        if minor in _LEGACY:
            found.append(f"{_LEGACY[minor]}_{machine}")
    return found
