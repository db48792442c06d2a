"""The conda packages of two sides: what differs, the BLAS first."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from repro.conda.blas import blas_variant, concerns_blas
from repro.differ.model import AS_PUBLISHED, Change, kind_of
from repro.differ.state import State
from repro.lock import CondaPackage, CondaPatch
from repro.words import count

NOTE = "conda"
"""What the note of each such change begins with."""

_MOST = 8


def conda_changes(before: State, after: State) -> Iterator[Change]:
    """Each conda package that is not the same; those of several platforms once, where the same became of them."""
    old, new = ({(one.name, one.target): one for one in state.lock.conda} for state in (before, after))
    platforms = {target for _, target in old.keys() | new.keys()}
    found: dict[Change, list[str]] = {}
    for key in sorted(old.keys() | new.keys()):
        for change in _changes(old.get(key), new.get(key)):
            found.setdefault(change, []).append(key[1])
    changes = [_placed(change, targets, platforms) for change, targets in found.items()]
    yield from sorted(changes, key=lambda one: (not moves_sums(one), not is_direct(one), one.what))


def is_direct(change: Change) -> bool:
    """Whether somebody asked for the package, of conda or pip."""
    return change.note.removeprefix(f"{NOTE}, ").startswith("direct")


def is_conda(change: Change) -> bool:
    """Whether a change of the group `packages` is one of conda's."""
    return change.note.partition(",")[0] == NOTE


def moves_sums(change: Change) -> bool:
    """Whether it is about the BLAS, by which all sums are computed."""
    return is_conda(change) and (change.aspect == "blas" or concerns_blas(change.what, ""))


def _placed(change: Change, targets: list[str], platforms: set[str]) -> Change:
    """With the platforms in its note, where it doesn't hold for all of them."""
    places = "" if platforms == set(targets) else f", {', '.join(targets)}"
    return replace(change, note=change.note + places)


def _changes(was: CondaPackage | None, now: CondaPackage | None) -> Iterator[Change]:
    known = now or was
    assert known is not None  # noqa: S101 - each key is of one side at least
    direct = any(one is not None and one.requested for one in (was, now))
    note = f"{NOTE}, {'direct' if direct else 'transitive'}"
    if was is None or now is None:
        yield Change(known.name, kind_of(was, now), "version", _release(was), _release(now), note=note)
        return
    yield from _published(was, now, note)
    yield from _linked(was, now, note)
    if was.requested != now.requested:
        told = {True: "direct", False: "transitive"}
        yield Change(was.name, "changed", "requested", told[was.requested], told[now.requested], moves=False, note=NOTE)


def _release(one: CondaPackage | None) -> str:
    return "" if one is None else f"{one.version} {one.build}"


def _published(was: CondaPackage, now: CondaPackage, note: str) -> Iterator[Change]:
    """Another archive: which one, and where from."""
    name = was.name
    if blas_variant(name, was.build) != blas_variant(name, now.build):
        yield Change(name, "changed", "blas", _computing(was), _computing(now), note=note)
    elif was.version != now.version:
        builds = () if was.build == now.build else (f"build {was.build} → {now.build}",)
        yield Change(name, "changed", "version", was.version, now.version, note=note, details=builds)
    elif was.build != now.build:
        yield Change(name, "changed", "build", _release(was), _release(now), note=note)
    elif was.sha256 != now.sha256:
        digests = was.sha256.short, now.sha256.short
        yield Change(name, "changed", "rebuilt", *digests, note=note, details=_rebuilt(was, now))
    if was.channel != now.channel:
        same = (was.label, was.sha256) == (now.label, now.sha256)
        details = ("its archive is the same",) if same else ()
        yield Change(name, "changed", "channel", was.channel, now.channel, moves=not same, note=note, details=details)


def _computing(one: CondaPackage) -> str:
    return f"{blas_variant(one.name, one.build) or 'no BLAS'}, {_release(one)}"


def _rebuilt(was: CondaPackage, now: CondaPackage) -> tuple[str, ...]:
    if was.channel != now.channel:
        return (f"{was.label} is another archive in {now.channel} than in {was.channel}",)
    return (f"{was.channel} has other bytes under the name of {was.label}: somebody replaced the archive",)


def _linked(was: CondaPackage, now: CondaPackage, note: str) -> Iterator[Change]:
    """What becomes of the archive's files, and what the laptop had in its place."""
    name = was.name
    if was.captured != now.captured:
        yield Change(name, "changed", "captured", _captured(was), _captured(now), note=note)
    if was.without != now.without:
        details = _paths(was.without, now.without)
        yield Change(name, "changed", "without", _whole(was), _whole(now), note=note, details=details)
    if was.patched != now.patched:
        details = _patches(was.patched, now.patched)
        yield Change(name, "changed", "patched", _edited(was.patched), _edited(now.patched), note=note, details=details)
    if was.scripts != now.scripts:
        yield Change(name, "changed", "scripts", _script(was), _script(now), note=note)


def _whole(one: CondaPackage) -> str:
    return f"{len(one.without)} left out" if one.without else "none left out"


def _captured(one: CondaPackage) -> str:
    """What the laptop had."""
    if one.captured is None:
        return f"{_release(one)} on the laptop"
    return f"{one.captured or 'nothing'} on the laptop"


def _script(one: CondaPackage) -> str:
    return "no post-link script" if one.scripts is None else f"post-link script: {one.scripts}"


def _paths(was: Iterable[str], now: Iterable[str]) -> tuple[str, ...]:
    old, new = set(was), set(now)
    lines = [*(f"left out: {path}" for path in sorted(new - old)), *(f"back: {path}" for path in sorted(old - new))]
    more = [f"and {len(lines) - _MOST} more"] if len(lines) > _MOST else []
    return (*lines[:_MOST], *more)


def _edited(patches: tuple[CondaPatch, ...]) -> str:
    if not patches:
        return AS_PUBLISHED
    return f"edited by hand in {count(len(patches), 'file')}"


def _patches(was: tuple[CondaPatch, ...], now: tuple[CondaPatch, ...]) -> tuple[str, ...]:
    old, new = ({one.path: one for one in patches} for patches in (was, now))
    lines = [
        *(f"edited: {path}" for path in new if path not in old),
        *(f"edited otherwise: {path}" for path in new if path in old and old[path] != new[path]),
        *(f"no longer edited: {path}" for path in old if path not in new),
    ]
    return tuple(lines)
