"""The conda packages of a lock, as the environment has them now."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace

from repro.capture.conda.contents import Contents, inspect
from repro.capture.conda.patches import TRUST
from repro.capture.conda.places import mentions, portable
from repro.capture.interpreter import platform_of
from repro.capture.model import Interpreter
from repro.conda.environment import CondaPrefix
from repro.conda.records import Record, package_of
from repro.digest import Digest
from repro.lock import CondaPackage, CondaPatch, Lock

_UNTOLD = Digest("0" * 64)
"""Of an archive whose record says none: it stands in no lock."""


def installed_conda(interpreter: Interpreter, lock: Lock) -> tuple[CondaPackage, ...]:
    """What a lock of this environment would say, as far as its records tell; nothing where it is none of conda's.

    Of the laptop's own platform each package is compared by itself. Of others what a solver chose stays as long as the
    laptop has what it was chosen for; what only one platform needs is no difference.

    Args:
        interpreter: As `repro.capture.conda.installed.with_conda` gives it.
        lock: Whose packages they are.
    """
    conda, own = interpreter.conda, platform_of(interpreter)
    if conda is None:
        return ()
    if own not in lock.targets:
        return tuple(_foreign(one, conda) for one in lock.conda if not one.captured or one.name in conda.named)
    others = [one for one in lock.conda if one.target != own]
    ours = {one.name: one for one in lock.conda if one.target == own}
    return (*others, *_native(interpreter, conda, ours, own))


def _native(
    interpreter: Interpreter, conda: CondaPrefix, locked: Mapping[str, CondaPackage], own: str
) -> Iterator[CondaPackage]:
    """Packages of which anything is left: something else has taken the place of the others."""
    allowed = [name for name, one in locked.items() if one.patched]
    for one in inspect(interpreter, allowed):
        name = one.record.name
        if one.left and name in locked:
            yield _installed(one, locked[name], conda)
        elif one.left:
            yield _added(one.record, own, asked=name in conda.asked)


def _installed(found: Contents, locked: CondaPackage, conda: CondaPrefix) -> CondaPackage:
    """The locked package with what is there; where an archive came from counts only when it is another one."""
    record = found.record
    same = record.label == locked.label and record.sha256 in {None, locked.sha256}
    edited = [path for path in found.changed if locked.patched or not path.endswith(TRUST)]
    return replace(
        locked,
        version=record.version,
        build=record.build,
        channel=locked.channel if same else record.public_channel,
        sha256=record.sha256 or locked.sha256,
        requested=record.name in conda.asked,
        without=found.without(),
        patched=tuple(_patch(conda, path) for path in edited),
    )


def _patch(conda: CondaPrefix, path: str) -> CondaPatch:
    """An edited file as a capture would lock it."""
    file = conda.path / path
    data = file.read_bytes()
    data = portable(data, conda) if mentions(data, conda) else data
    return CondaPatch(path, Digest.of(data), len(data), os.access(file, os.X_OK))


def _added(record: Record, own: str, *, asked: bool) -> CondaPackage:
    sha256, size = record.sha256 or _UNTOLD, record.size or 0
    return replace(package_of(record, own, url=record.public_url, sha256=sha256, size=size), requested=asked)


def _foreign(locked: CondaPackage, conda: CondaPrefix) -> CondaPackage:
    """What was chosen for another platform, with what the laptop has now in place of what it had."""
    record = conda.named.get(locked.name)
    now = "" if record is None else f"{record.version} {record.build}"
    chosen = f"{locked.version} {locked.build}"
    if now == (chosen if locked.captured is None else locked.captured):
        return locked
    return replace(locked, captured=None if now == chosen else now)
