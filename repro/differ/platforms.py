"""What is under the packages: Python, the base image, Debian packages, and the machine that the baseline is from."""

import re
from collections.abc import Iterator

from repro.differ.model import Change, kind_of
from repro.differ.state import State
from repro.lock import Base, Machine, NativeLibrary, SystemPackage

_HASHED = re.compile(r"-[0-9a-f]{6,}(?=\.)")
"""What auditwheel puts into the names of libraries, other in every build."""
_HARMLESS = frozenset({"system", "kernel"})
"""Facts about the machine that the image brings along itself, or that numbers don't depend on."""


def python_changes(before: State, after: State) -> Iterator[Change]:
    """The interpreter and the base image."""
    if "python" not in {*before.unknown, *after.unknown}:
        old, new = before.lock.python, after.lock.python
        yield from _pair(
            "Python", "version", f"{old.implementation} {old.version}", f"{new.implementation} {new.version}"
        )
    if "base" in {*before.unknown, *after.unknown}:
        return
    yield from _supply(before, after)
    old_base, new_base = before.lock.base, after.lock.base
    if old_base.digest != new_base.digest:
        yield Change("base image", "changed", "digest", _base(old_base), _base(new_base))
    else:
        yield from _pair("base image", "reference", old_base.reference, new_base.reference, moves=False)
    yield from _pair("C library", "version", f"glibc {old_base.glibc}", f"glibc {new_base.glibc}")


def _base(base: Base) -> str:
    return f"{base.reference} {base.digest.short}"


def _supply(before: State, after: State) -> Iterator[Change]:
    old, new = before.lock.python, after.lock.python
    told = {
        "base": "from the base image",
        "packed": "a packed copy of the laptop's",
        "conda": "the conda package python",
    }
    yield from _pair("Python", "supply", told[old.supply], told[new.supply])
    if old.packed and new.packed and old.packed.sha256 != new.packed.sha256 and old.version == new.version:
        yield Change("Python", "changed", "build", old.packed.sha256.short, new.packed.sha256.short)


def system_changes(before: State, after: State) -> Iterator[Change]:
    """Debian packages, by platform where there are several."""
    if "system" in {*before.unknown, *after.unknown}:
        return
    old, new = ({_key(one): one for one in state.lock.system} for state in (before, after))
    for target, name in sorted(old.keys() | new.keys()):
        was, now = old.get((target, name)), new.get((target, name))
        if was is None or now is None:
            versions = was.version if was else "", now.version if now else ""
            yield Change(name, kind_of(was, now), "version", *versions, note=target, details=_reasons(was, now))
        elif was.version != now.version:
            yield Change(name, "changed", "version", was.version, now.version, note=target)
        elif was.sha256 != now.sha256:
            yield Change(name, "changed", "build", was.sha256.short, now.sha256.short, note=target)
        elif was.skip_scripts != now.skip_scripts:
            told = {True: "without its scripts", False: "with its scripts"}
            yield Change(name, "changed", "scripts", told[was.skip_scripts], told[now.skip_scripts], note=target)


def _key(one: SystemPackage) -> tuple[str, str]:
    return one.target, one.name


def _reasons(was: SystemPackage | None, now: SystemPackage | None) -> tuple[str, ...]:
    known = now or was
    return () if known is None else (known.reason,)


def machine_changes(before: State, after: State) -> Iterator[Change]:
    """The machine that the baseline was measured on: evidence, which explains but decides nothing."""
    old, new = before.lock.evidence.machine, after.lock.evidence.machine
    if old is None or new is None or "machine" in {*before.unknown, *after.unknown}:
        return
    for name, was, now in _facts(old, new):
        yield from _pair(name, name.replace(" ", "-"), was, now, moves=name not in _HARMLESS)
    yield from _features(old, new)
    if "libraries" not in {*before.unknown, *after.unknown}:
        yield from _libraries(old, new)


def _facts(old: Machine, new: Machine) -> Iterator[tuple[str, str, str]]:
    yield "processor", old.processor, new.processor
    yield "architecture", old.architecture, new.architecture
    yield "cpus", str(old.cpus), str(new.cpus)
    yield "gpus", ", ".join(old.gpus), ", ".join(new.gpus)
    yield "driver", old.driver or "", new.driver or ""
    yield "cuda", old.cuda or "", new.cuda or ""
    yield "c-library", old.libc or "", new.libc or ""
    yield "system", old.system, new.system
    yield "kernel", old.kernel, new.kernel


def _features(old: Machine, new: Machine) -> Iterator[Change]:
    gone = [name for name in old.features if name not in new.features]
    came = [name for name in new.features if name not in old.features]
    if gone or came:
        yield Change(
            "instruction sets", "changed", "features", " ".join(gone) or "none lost", " ".join(came) or "none new"
        )


def _libraries(old: Machine, new: Machine) -> Iterator[Change]:
    """Libraries with thread pools: BLAS, OpenMP."""
    before, after = ({_library_key(one): one for one in machine.libraries} for machine in (old, new))
    for key in sorted(before.keys() | after.keys()):
        was, now = before.get(key), after.get(key)
        if was is None or now is None:
            yield Change(key[1], kind_of(was, now), "library", _library(was), _library(now), note=key[0])
        elif _library(was) != _library(now):
            yield Change(key[1], "changed", "library", _library(was), _library(now), note=key[0])


def _library_key(one: NativeLibrary) -> tuple[str, str]:
    return one.name, _HASHED.sub("", one.file)


def _library(one: NativeLibrary | None) -> str:
    if one is None:
        return ""
    threads = f"{one.threads} {'thread' if one.threads == 1 else 'threads'}"
    return ", ".join(part for part in (one.version, one.kernel, threads) if part)


def _pair(what: str, aspect: str, was: str, now: str, *, moves: bool = True) -> Iterator[Change]:
    if was != now:
        yield Change(what, kind_of(was, now), aspect, was, now, moves=moves)
