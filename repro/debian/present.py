"""Packages that are in place, in the base or chosen before: what they fulfil and what they can't stand."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from repro.debian.control import Clause, Fields, Relation, relations
from repro.debian.version import satisfies
from repro.errors import IntegrityError

_AGAINST = ("conflicts", "breaks")


@dataclass(frozen=True, slots=True)
class Present:
    """A set of packages, looked up by name.

    Attributes:
        versions: Version of each real package.
        provided: For each virtual one, who provides it and as which version (empty when it says none).
        against: For each name, who conflicts with it or breaks it, and in which versions.
    """

    versions: Mapping[str, str]
    provided: Mapping[str, tuple[tuple[str, str], ...]]
    against: Mapping[str, tuple[tuple[str, Relation], ...]]

    @classmethod
    def of(cls, paragraphs: Iterable[Fields], architecture: str) -> "Present":
        """Those of one architecture, or of all. Raises IntegrityError when a relation can't be read."""
        versions: dict[str, str] = {}
        provided: dict[str, tuple[tuple[str, str], ...]] = {}
        against: dict[str, tuple[tuple[str, Relation], ...]] = {}
        for fields in paragraphs:
            if fields.get("architecture", "all") not in {architecture, "all"}:
                continue
            name = fields["package"]
            versions[name] = fields["version"]
            for virtual, version in provisions(fields):
                provided[virtual] = (*provided.get(virtual, ()), (name, version))
            for relation in dislikes(fields):
                against[relation.name] = (*against.get(relation.name, ()), (name, relation))
        return cls(versions, provided, against)

    def fulfils(self, relation: Relation) -> bool:
        """Whether one of them is what the relation means."""
        version = self.versions.get(relation.name)
        if version is not None and allows(relation, version):
            return True
        return any(offers(version, relation) for _, version in self.provided.get(relation.name, ()))

    def clash(self, fields: Fields) -> str | None:
        """Why the package with these fields can't be beside them, or None."""
        name, version = fields["package"], fields["version"]
        for relation in dislikes(fields):
            found = self._hit(relation, but=name)
            if found:
                return f"{name} {version} can't be beside {found}"
        names = [(name, version), *provisions(fields)]
        for known, known_version in names:
            for owner, relation in self.against.get(known, ()):
                matched = allows(relation, known_version) if known == name else offers(known_version, relation)
                if owner != name and matched:
                    return f"{owner} can't be beside {name} {version}"
        return None

    def _hit(self, relation: Relation, but: str) -> str | None:
        version = self.versions.get(relation.name)
        if version is not None and relation.name != but and allows(relation, version):
            return f"{relation.name} {version}"
        for owner, provided in self.provided.get(relation.name, ()):
            if owner != but and offers(provided, relation):
                return f"{owner}, which provides {relation.name}"
        return None


def provisions(fields: Fields) -> Iterator[tuple[str, str]]:
    """The virtual packages of a paragraph with their versions, empty where it says none."""
    for clause in relations(fields.get("provides", "")):
        yield clause[0].name, clause[0].version


def dislikes(fields: Fields) -> Iterator[Relation]:
    """What a paragraph conflicts with or breaks."""
    for field in _AGAINST:
        for clause in relations(fields.get(field, "")):
            yield from clause


def offers(version: str, relation: Relation) -> bool:
    """Whether a provided virtual package is what is meant; without a version it fulfils only unversioned relations."""
    return not relation.operator or (bool(version) and allows(relation, version))


def allows(relation: Relation, version: str) -> bool:
    """Whether a version is meant. Raises IntegrityError for what is no version."""
    try:
        return not relation.operator or satisfies(version, relation.operator, relation.version)
    except ValueError as error:
        raise IntegrityError(f"a relation can't be judged: {error}", where=str(relation)) from error


def wording(clause: Clause) -> str:
    """A clause for messages."""
    return " | ".join(map(str, clause))
