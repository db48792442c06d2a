"""Reading control data: paragraphs of fields (deb822(5)) and relations between packages (Debian policy 7.1)."""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from repro.errors import IntegrityError

Fields = Mapping[str, str]
"""A paragraph's fields by lower-case name; lines of a value are joined by newlines, without their leading space."""

_RELATION = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]*)(?::(?P<arch>[a-z0-9-]+))?\s*"
    r"(?:\(\s*(?P<operator><<|<=|=|>=|>>|<|>)\s*(?P<version>[^\s()<>=]+)\s*\))?\s*(?:\[[^\]]*\])?"
)


@dataclass(frozen=True, slots=True)
class Relation:
    """One package that a field names.

    Attributes:
        name: A package, or a virtual one.
        operator: How its version has to compare, empty for any version.
        version: With what.
        architecture: Qualifier such as `any`, or empty.
    """

    name: str
    operator: str = ""
    version: str = ""
    architecture: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.operator} {self.version})" if self.operator else self.name


Clause = tuple[Relation, ...]
"""Alternatives in order of preference; one of them is enough."""


def paragraphs(text: str, where: str) -> Iterator[Fields]:
    """The paragraphs of a control file. Raises IntegrityError for a line that is neither field nor continuation."""
    for block in re.split(r"\n(?:[ \t]*\n)+", text.replace("\r\n", "\n")):
        fields = _fields(block, where)
        if fields:
            yield fields


def _fields(block: str, where: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in block.split("\n"):
        if line[:1] in {" ", "\t"} and name:
            fields[name] += "\n" + line[1:]
            continue
        if line.startswith("#") or not line.strip():
            continue
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or not name or name in fields:
            raise IntegrityError(f"not a control file: {line[:80]!r}", where=where)
        fields[name] = value.strip()
    return fields


@functools.lru_cache(maxsize=1 << 14)
def relations(text: str) -> tuple[Clause, ...]:
    """The clauses of a Depends, Provides, Breaks or Conflicts field. Raises IntegrityError when it can't be read."""
    clauses = [clause.strip() for clause in text.replace("\n", " ").split(",")]
    return tuple(tuple(_relation(part.strip()) for part in clause.split("|")) for clause in clauses if clause)


def _relation(text: str) -> Relation:
    found = _RELATION.fullmatch(text)
    if found is None:
        raise IntegrityError(f"not a relation between packages: {text[:80]!r}")
    return Relation(found["name"], found["operator"] or "", found["version"] or "", found["arch"] or "")
