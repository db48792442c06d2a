"""Versions of packages that a target needs beside the installed ones: the newest that fit. No installed one moves."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.markers import Environment
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version
from resolvelib import AbstractProvider, BaseReporter, ResolutionImpossible, ResolutionTooDeep, Resolver

from repro.capture.packages.choose import best_wheel
from repro.capture.packages.core_metadata import published_requirements
from repro.capture.packages.index import IndexClient, IndexFile
from repro.capture.packages.markers import Edge, Needs, holds
from repro.errors import CaptureError

_ROUNDS = 2000
_Key = tuple[str, frozenset[str]]
"""A project and the extras that it is wanted with."""


@dataclass(frozen=True, slots=True)
class Addition:
    """A package that a target needs and the laptop doesn't.

    Attributes:
        name: Normalised project name.
        version: Chosen version.
        file: Its wheel for the target.
        parents: Which packages require it, sorted.
    """

    name: str
    version: str
    file: IndexFile
    parents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A target that packages are added for.

    Attributes:
        name: Such as `linux/amd64`.
        environment: Its markers' values.
        tags: What it can run, the most specific first.
        installed: Version of each package that is there already.
        needs: What those require there.
        constraints: Requirements of those that whatever is added has to meet.
    """

    name: str
    environment: Environment
    tags: Sequence[Tag]
    installed: Mapping[str, str]
    needs: Needs
    constraints: Mapping[str, tuple[Requirement, ...]]


def choose_additions(
    wanted: Sequence[Edge], place: Place, client: IndexClient, preferred: Mapping[str, str]
) -> tuple[Addition, ...]:
    """Choose what satisfies the wanted requirements and theirs, sorted by name.

    Args:
        wanted: Requirements that no installed package answers.
        place: Where they count.
        client: The package indexes.
        preferred: Versions to take where they fit, such as those for another target.

    Raises:
        CaptureError: Nothing fits; `problems` names the requirements that contradict each other or have no wheel.
        InfrastructureError: An index can't be reached.
    """
    provider = _Provider(place, client, preferred)
    asked = [_Wanted(one.parent, one.requirement) for one in wanted]
    client.look_up((one.name, "0") for one in asked)  # their pages, several at a time
    try:
        result = Resolver(provider, BaseReporter()).resolve(asked, _ROUNDS)
    except ResolutionImpossible as error:
        raise _impossible(place, [cause.requirement for cause in error.causes]) from error
    except ResolutionTooDeep as error:
        raise _impossible(place, []) from error
    parents: dict[str, set[str]] = {}
    for criterion in result.criteria.values():
        for one in criterion.information:
            parents.setdefault(one.requirement.name, set()).add(one.requirement.parent)
    return tuple(
        Addition(name, wheel_version(one.file.name), one.file, tuple(sorted(parents[name] - {name})))
        for (name, extras), one in sorted(result.mapping.items(), key=lambda item: item[0][0])
        if one.file is not None and not extras
    )


def wheel_version(file_name: str) -> str:
    """The version of a wheel as its file name has it, trailing zeros and all."""
    return str(parse_wheel_filename(file_name)[1])


def _impossible(place: Place, causes: Iterable["_Wanted"]) -> CaptureError:
    said = sorted({f"{one.parent} requires {one.requirement}" for one in causes})
    return CaptureError(
        f"on {place.name} the installed packages need others, and no published wheels fit",
        problems=said,
        fix="Install other versions of these packages, or capture for another platform.",
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    parent: str
    requirement: Requirement

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def key(self) -> _Key:
        return self.name, frozenset(canonicalize_name(extra) for extra in self.requirement.extras)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A version to take; without a file it is what is installed."""

    name: str
    extras: frozenset[str]
    version: Version
    file: IndexFile | None


class _Provider(AbstractProvider[_Wanted, _Candidate, _Key]):
    """resolvelib's view of the indexes, with installed packages as facts."""

    def __init__(self, place: Place, client: IndexClient, preferred: Mapping[str, str]) -> None:
        self._place = place
        self._client = client
        self._preferred = preferred
        self._requirements: dict[str, tuple[Requirement, ...]] = {}

    def identify(self, requirement_or_candidate: _Wanted | _Candidate) -> _Key:
        one = requirement_or_candidate
        return one.key if isinstance(one, _Wanted) else (one.name, one.extras)

    def get_preference(self, identifier: _Key, *_: object, **__: object) -> tuple[str, list[str]]:
        return identifier[0], sorted(identifier[1])

    def find_matches(
        self,
        identifier: _Key,
        requirements: Mapping[_Key, Iterator[_Wanted]],
        incompatibilities: Mapping[_Key, Iterator[_Candidate]],
    ) -> Callable[[], Iterator[_Candidate]]:
        name, extras = identifier
        specifiers = [one.requirement.specifier for one in requirements[identifier]]
        if name not in self._place.installed:  # what is installed may contradict itself, and stays all the same
            specifiers += [one.specifier for one in self._place.constraints.get(name, ())]
        wanted = SpecifierSet(",".join(str(one) for one in specifiers if str(one)))
        barred = {one.version for one in incompatibilities[identifier]}
        return lambda: (one for one in self._candidates(name, extras, wanted) if one.version not in barred)

    def is_satisfied_by(self, requirement: _Wanted, candidate: _Candidate) -> bool:
        return requirement.requirement.specifier.contains(candidate.version, prereleases=True)

    def get_dependencies(self, candidate: _Candidate) -> list[_Wanted]:
        there, extras = self._place.environment, candidate.extras
        if candidate.file is None:
            known = [one for one in self._place.needs.get(candidate.name, ()) if not holds(one, there)]
        else:
            known = list(self._published(candidate.file))
        found = [_Wanted(candidate.name, one) for one in known if holds(one, there, extras)]
        if extras and candidate.file is not None:
            found.append(_Wanted(candidate.name, Requirement(f"{candidate.name}=={candidate.version}")))
        return found

    def _published(self, file: IndexFile) -> tuple[Requirement, ...]:
        if file.url not in self._requirements:
            self._requirements[file.url] = published_requirements(file, self._client)
        return self._requirements[file.url]

    def _candidates(self, name: str, extras: frozenset[str], wanted: SpecifierSet) -> Iterator[_Candidate]:
        if name in self._place.installed:
            version = _version(self._place.installed[name])
            if version is not None and wanted.contains(version, prereleases=True):
                yield _Candidate(name, extras, version, None)
            return
        known = [version for version in map(_version, self._client.versions(name)) if version is not None]
        for version in self._ordered(name, list(wanted.filter(known))):
            file = self._wheel(name, version, pinned=_pins(wanted))
            if file is not None:
                yield _Candidate(name, extras, version, file)

    def _ordered(self, name: str, versions: list[Version]) -> list[Version]:
        liked = _version(self._preferred.get(name, ""))
        return sorted(versions, key=lambda version: (version == liked, version), reverse=True)

    def _wheel(self, name: str, version: Version, *, pinned: bool) -> IndexFile | None:
        files = self._client.files(name, str(version))
        python = self._place.environment["python_full_version"]
        fit = [one for one in files if (pinned or one.yanked is None) and _for_python(one, python)]
        return best_wheel(fit, self._place.tags)


def _pins(wanted: SpecifierSet) -> bool:
    """Whether a version is named exactly, which lets a yanked one be taken (PEP 592)."""
    return any(one.operator in {"==", "==="} and not one.version.endswith(".*") for one in wanted)


def _for_python(file: IndexFile, python: str) -> bool:
    try:
        return SpecifierSet(file.requires_python).contains(python, prereleases=True)
    except InvalidSpecifier:
        return True


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None
