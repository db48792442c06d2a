"""What people are told of a conda environment on another platform: what stands in its way, and how it differs. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from repro.capture.conda.counterparts import Counterpart, Counterparts
from repro.capture.conda.culprits import Group
from repro.capture.conda.solve import Published, Solver, nearest
from repro.conda.blas import blas_variant
from repro.conda.specs import required_name
from repro.errors import CaptureError
from repro.words import count, few

_MOST_VERSIONS = 4
_MOST_CURES = 2


def raise_problems(
    target: str,
    solver: Solver,
    captured: Counterparts,
    found: Sequence[Published],
    groups: Sequence[Group],
) -> None:
    """Say everything that keeps packages from a target at once.

    Args:
        target: Such as `linux/amd64`.
        solver: Who was asked.
        captured: The environment beside what the target has.
        found: What would be there.
        groups: What doesn't fit together.

    Raises:
        CaptureError: There is something.
    """
    there = {one.name: one for one in found}
    grouped = {name for group in groups for name in group.names}
    lacking = [
        one
        for one in captured.by_name.values()
        if one.stuck or (one.name in there and not (one.same or one.may_differ or one.name in grouped))
    ]
    problems = [_no_build(one, captured, found, target) for one in sorted(lacking, key=lambda one: one.name)]
    problems += [_no_fit(group, captured, there, target) for group in groups]
    if problems:
        looked = ", ".join(channel.url for channel in solver.channels)
        raise CaptureError(
            f"{count(len(problems), 'conda package')} can't be locked for {target}"
            if not groups
            else f"the captured conda packages can't be locked for {target}",
            problems=problems,
            fix="Follow the cure given with each, then capture again.",
            details="\n\n".join([*(group.message for group in groups), f"looked in {looked}"]),
        )


def _no_build(one: Counterpart, captured: Counterparts, found: Sequence[Published], target: str) -> str:
    """Which package it is, what there is in its place, and what can be done."""
    start = f"{one.name} {one.record.version} has no build for {captured.subdir}"
    if one.absent:
        return (
            f"{start}, nor has any other version, and nothing here needs it; remove {one.name} from the environment "
            "if the work does without it, and run it again"
        )
    others = nearest(one.record.version, {each.version for each in one.published})
    parents = sorted(each.name for each in found if one.name in map(required_name, each.depends))
    why = f", where {', '.join(parents)} would need it" if parents else ""
    return f"{start}{why}; there is {few(others, _MOST_VERSIONS)}; {_cures(one.name, others, target)}"


def _no_fit(group: Group, captured: Counterparts, there: Mapping[str, Published], target: str) -> str:
    """Which packages they are, what there would be without their versions, and what can be done."""
    if not group.versions_matter:
        names = " and ".join(group.names)
        return f"{names} can't be installed on {captured.subdir} in any version; the solver's reasons are below"
    named = " and ".join(f"{name} {captured.by_name[name].record.version}" for name in group.names)
    moved = [
        there[name]
        for name in group.names
        if name in there and there[name].version != captured.by_name[name].record.version
    ]
    start = f"{named} {'do' if len(group.names) > 1 else 'does'} not fit on {captured.subdir}"
    if not moved:
        return f"{start}; {_allow(group.names, target)}"
    instead = " and ".join(f"{one.name}={one.version}" for one in moved)
    return (
        f"{start}; install {instead}, which would, and run it again, or {_allow([one.name for one in moved], target)}"
    )


def _cures(name: str, versions: Sequence[str], target: str) -> str:
    wanted = " or ".join(f"{name}={version}" for version in versions[:_MOST_CURES])
    have = "has" if len(versions) == 1 else "have"
    return f"install {wanted}, which {have} one, and run it again, or {_allow([name], target)}"


def _allow(names: Sequence[str], target: str) -> str:
    listed = ", ".join(f'"{name}"' for name in names)
    return f"let {target} have another version (may-differ = [{listed}] under [conda] in repro.toml)"


def differences(target: str, captured: Counterparts, found: Sequence[Published]) -> Iterable[str]:
    """How a target differs from the laptop, in lines for people."""
    there = {one.name for one in found}
    left = {name: one for name, one in sorted(captured.by_name.items()) if not one.replaced}
    gone = [_gone(one, captured) for name, one in left.items() if name not in there]
    new = [_new(one, found) for one in found if one.name not in captured.by_name]
    kept = [(left[one.name].record, one) for one in found if one.name in left]
    moved = [f"{now.name} {now.version} for {was.version}" for was, now in kept if now.version != was.version]
    blas = [
        f"{now.name} by {is_now} for {before}"
        for was, now in kept
        if (before := blas_variant(was.name, was.build)) != (is_now := blas_variant(now.name, now.build))
    ]
    if gone:
        yield f"{target} leaves out {count(len(gone), 'conda package')}: {'; '.join(gone)}"
    if new:
        yield f"{target} adds {count(len(new), 'conda package')} that never ran here: {'; '.join(new)}"
    if moved:
        yield f"{target} has another version of {count(len(moved), 'conda package')}: {'; '.join(moved)}"
    if blas:
        yield f"{target} has another BLAS, so sums may differ in their last digits: {'; '.join(blas)}"


def _gone(one: Counterpart, captured: Counterparts) -> str:
    if one.absent:
        return f"{one.name} {one.record.version} (it has no build for {captured.subdir})"
    return f"{one.name} {one.record.version} (only {', '.join(one.parents)} needed it on {captured.laptop})"


def _new(one: Published, found: Sequence[Published]) -> str:
    parents = [other.name for other in found if one.name in map(required_name, other.depends)]
    return f"{one.name} {one.version} (for {', '.join(parents)})"
