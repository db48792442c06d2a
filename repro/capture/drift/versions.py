"""Versions as Poetry and conda write them → PEP 440 specifiers. What can't be said so allows every version."""

import re
from collections.abc import Callable

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from repro.capture.drift.model import ANY

_OPERATOR = re.compile(r"\s*(\^|~=|~|===|==|!=|>=|<=|>|<|=)?\s*([^\s,<>=!~^]+)")
_MINOR = 2
_Convert = Callable[[str, str], str]


def poetry_specifiers(text: str) -> tuple[SpecifierSet, ...]:
    """Poetry's constraints: `^1.2`, `~1.2`, `1.2.*`, `>=1,<2`, `1.2.3`, `*`, and alternatives with `||`."""
    return _alternatives(re.split(r"\|\|?", text), _poetry_part)


def conda_specifiers(text: str) -> tuple[SpecifierSet, ...]:
    """Conda's version part of a match specification: `1.26` (any 1.26.x), `==1.26.4`, `>=1,<2`, `1.26.*`, `1.1|1.2`."""
    return _alternatives(text.split("|"), _conda_part)


def conda_holds(text: str, version: str) -> bool:
    """Whether a conda package's version is one that such a specification allows.

    Versions needn't be PEP 440's (`9e`, `1.1.1w`): equal ones are told by their text, and of an order that can't be
    told it is assumed that it holds.
    """
    if text == f"=={version}":
        return True
    alternatives = (_OPERATOR.findall(one) for one in text.split("|"))
    return any(all(_holds(operator, wanted, version) for operator, wanted in parts) for parts in alternatives)


def _holds(operator: str, wanted: str, version: str) -> bool:
    fuzzy, stem = operator in {"", "="}, wanted.rstrip("*").rstrip(".")
    if (fuzzy and (not stem or f"{version}.".startswith(f"{stem}."))) or (operator == "==" and version == wanted):
        return True
    try:
        return SpecifierSet(_conda_part(operator, wanted)).contains(Version(version), prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return not fuzzy and operator != "=="


def _alternatives(texts: list[str], convert: _Convert) -> tuple[SpecifierSet, ...]:
    try:
        return tuple(SpecifierSet(",".join(_parts(one, convert))) for one in texts)
    except (InvalidSpecifier, InvalidVersion):
        return ANY


def _parts(text: str, convert: _Convert) -> list[str]:
    found = (convert(operator, version) for operator, version in _OPERATOR.findall(text))
    return [part for part in found if part]


def _poetry_part(operator: str, version: str) -> str:
    if version in {"*", "x"}:
        return ""
    if operator == "^":
        return f">={version},<{_caret(Version(version))}"
    if operator == "~":
        return f">={version},<{_tilde(Version(version))}"
    return f"{'==' if operator in {'', '='} else operator}{version}"


def _conda_part(operator: str, version: str) -> str:
    if version == "*":
        return ""
    if operator in {"", "="}:
        return f"=={version}" if version.endswith(".*") else f"=={version.rstrip('*').rstrip('.')}.*"
    return f"{operator}{version}"


def _caret(version: Version) -> str:
    """The first version that changes the leftmost part which isn't zero."""
    release = version.release
    place = next((index for index, part in enumerate(release) if part), len(release) - 1)
    return _raised(release, place)


def _tilde(version: Version) -> str:
    release = version.release
    return _raised(release, min(len(release), _MINOR) - 1)


def _raised(release: tuple[int, ...], place: int) -> str:
    return ".".join(map(str, (*release[:place], release[place] + 1)))
