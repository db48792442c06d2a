"""What of a lock has no place in an exported file, for people to read."""

from collections.abc import Iterable, Iterator
from typing import Literal

from repro.lock import Lock
from repro.words import count, few

Format = Literal["requirements", "pylock", "conda-lock", "conda-explicit"]

_MOST = 6


def left_out(lock: Lock, kind: Format, target: str) -> Iterator[str]:
    """One sentence for each part of the environment that installing the file doesn't bring.

    Args:
        lock: What was captured.
        kind: The file's format.
        target: The platform that the file is for, where its format is for one.
    """
    if kind == "conda-lock":
        yield from _unpublished(lock)
    if kind in {"conda-lock", "conda-explicit"}:
        yield from _edited(lock, [target] if kind == "conda-explicit" else lock.targets)
    if kind == "conda-explicit":
        yield from _pip(lock, target)
    elif kind in {"requirements", "pylock"} and lock.conda:
        number = len({package.name for package in lock.conda})
        yield (
            f"only Python packages that pip installed are in it: the lock's {count(number, 'conda package')} "
            f"can be exported with --format conda-lock or conda-explicit"
        )


def _pip(lock: Lock, target: str) -> Iterator[str]:
    names = [one.name for one in lock.packages if any(target in file.targets for file in one.files)]
    if names:
        yield (
            f"explicit files have no place for pip's packages, so {_listed(names)} {_are(names)} not in it: export "
            f"them with --format requirements --platform {target}, and install those on top, or use --format conda-lock"
        )


def _unpublished(lock: Lock) -> Iterator[str]:
    names = [one.name for one in lock.packages if any(file.url is None for file in one.files)]
    if names:
        yield (
            f"{_listed(names)} {_are(names)} not in it, because no index has the wheel: install "
            f"{'it' if len(names) == 1 else 'them'} on top, from source or from `--format requirements`"
        )


def _edited(lock: Lock, targets: Iterable[str]) -> Iterator[str]:
    names = sorted({one.name for one in lock.conda if one.patched and one.target in targets})
    if names:
        yield f"files of {_listed(names)} were edited by hand here; the file brings them as they are published"


def _listed(names: list[str]) -> str:
    return few(sorted(names), _MOST)


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"
