"""Comparing Debian versions (deb-version(7)). No package knows another here."""

import functools
import re

_PARTS = re.compile(r"([^0-9]*)([0-9]*)")
_VALID = re.compile(r"(?:[0-9]+:)?[0-9A-Za-z.+~:-]+")

_END: list[object] = [(0,), 0]
"""Nothing, then nothing as a number: what every version ends with, so that `~` can sort before it."""

Key = tuple[int, tuple[object, ...], tuple[object, ...]]


@functools.lru_cache(maxsize=1 << 16)
def version_key(version: str) -> Key:
    """A key that sorts versions as dpkg does: `1.0~rc1` before `1.0`, `1.0-1` before `1:0.1`.

    Raises ValueError when it is no version.
    """
    if not _VALID.fullmatch(version):
        msg = f"not a Debian version: {version!r}"
        raise ValueError(msg)
    epoch, colon, rest = version.partition(":")
    upstream, dash, revision = (rest if colon else version).rpartition("-")
    if not dash:
        upstream, revision = revision, ""
    return int(epoch) if colon else 0, _key(upstream), _key(revision)


def satisfies(version: str, operator: str, wanted: str) -> bool:
    """Whether `version` is in the relation `operator` (`<<`, `<=`, `=`, `>=`, `>>`; Debian policy 7.1) to `wanted`."""
    left, right = version_key(version), version_key(wanted)
    match operator:
        case "<<":
            return left < right
        case "<=" | "<":
            return left <= right
        case "=":
            return left == right
        case ">=" | ">":
            return left >= right
        case ">>":
            return left > right
    msg = f"not an operator of versions: {operator!r}"
    raise ValueError(msg)


def _key(text: str) -> tuple[object, ...]:
    """Runs of non-digits and numbers in turn; the end of a run sorts after `~` and before all else."""
    parts: list[object] = []
    for letters, digits in _PARTS.findall(text):
        parts += [(*map(_order, letters), 0), int(digits or 0)]
    while len(parts) > len(_END) and parts[-2:] == _END:
        del parts[-2:]
    return (*parts, *_END)


def _order(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256
