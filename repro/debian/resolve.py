"""Which packages a request needs beside what the base has: one closure, decided the same way every time.

A package of the base is never replaced. Where the newest version of a package would need that, an older one is taken
that fits the base, if an archive has it.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from repro.debian.base import BaseView
from repro.debian.control import Clause, Relation
from repro.debian.index import Candidate, Index
from repro.debian.present import Present, allows, offers, provisions, wording
from repro.errors import CaptureError


@dataclass(frozen=True, slots=True)
class Request:
    """One package that somebody needs.

    Attributes:
        name: Package, real or virtual.
        reason: Why: `asked` or `needs:<soname>`.
        version: Exactly this one, or any when it is empty.
    """

    name: str
    reason: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One package that enters the image, and why: the request's reason or `depends:<package>`."""

    candidate: Candidate
    reason: str


class UnresolvableError(CaptureError):
    """No choice of packages does.

    Attributes:
        base_too_old: Whether packages of the base in other versions than needed are to blame.
    """

    base_too_old = False


def _unresolvable(problems: Sequence[str], *, base_too_old: bool) -> UnresolvableError:
    error = UnresolvableError(
        "the system packages can't be chosen",
        where="repro.toml: system.apt",
        problems=problems,
        fix="Use a newer base image, or one that has these packages: packages of the base are never replaced."
        if base_too_old
        else "Correct the names, or use a base image that has the packages already.",
    )
    error.base_too_old = base_too_old
    return error


@dataclass(frozen=True, slots=True)
class _Unmet:
    """Why a candidate can't be used."""

    text: str
    base_too_old: bool = False


def choose(requests: Sequence[Request], index: Index, base: BaseView, architecture: str) -> tuple[Choice, ...]:
    """The packages that are missing, ordered by name.

    Args:
        requests: What is needed; the first reason that sorts is kept where a package has several.
        index: What archives offer for that architecture.
        base: Who has what already.
        architecture: Debian's name of it.

    Raises:
        UnresolvableError: No choice fulfils all requests; every one that fails is named.
        IntegrityError: An index or the base's status can't be parsed.
    """
    search = _Search(index, Present.of(base.installed, architecture), architecture)
    ordered = sorted(set(requests), key=lambda one: (one.reason != "asked", one.name, one.reason))
    problems = search.run(ordered)
    if problems:
        texts = list(dict.fromkeys(problem.text for problem in problems))
        raise _unresolvable(texts, base_too_old=any(problem.base_too_old for problem in problems))
    return tuple(search.chosen[name] for name in sorted(search.chosen))


class _Search:
    """What is chosen so far. When a candidate turns out wrong, it is tried no more, and all begins anew."""

    def __init__(self, index: Index, present: Present, architecture: str) -> None:
        self._index = index
        self._base = present
        self._architecture = architecture
        self._wrong: dict[tuple[str, str], _Unmet] = {}
        self.chosen: dict[str, Choice] = {}

    def run(self, requests: Sequence[Request]) -> list[_Unmet]:
        """Choose what all requests need; returns those that can't be met, the others are met without them."""
        wanted, problems = list(requests), list[_Unmet]()
        while True:
            self.chosen = {}
            for request in tuple(wanted):
                unmet = self._add(request)
                if unmet is not None:
                    wanted.remove(request)
                    problems.append(unmet)
            wrong = self._close()
            if wrong is None:
                return problems
            candidate, why = wrong
            self._wrong[candidate.name, candidate.version] = why

    def _add(self, request: Request) -> _Unmet | None:
        relation = Relation(request.name, "=" if request.version else "", request.version)
        found = self._pick((relation,))
        if isinstance(found, Candidate):
            self.chosen[found.name] = Choice(found, request.reason)
        return found if isinstance(found, _Unmet) else None

    def _close(self) -> tuple[Candidate, _Unmet] | None:
        """Choose all that the chosen need; or say which candidate can't stay, and why."""
        waiting = deque(choice.candidate for choice in self.chosen.values())
        while waiting:
            candidate = waiting.popleft()
            clash = self._clash(candidate)
            if clash is not None:
                return candidate, clash
            for clause in candidate.depends:
                found = self._pick(clause)
                if isinstance(found, _Unmet):
                    text = f"{candidate.name} {candidate.version} needs {found.text}"
                    return candidate, _Unmet(text, found.base_too_old)
                if found is not None:
                    self.chosen[found.name] = Choice(found, f"depends:{candidate.name}")
                    waiting.append(found)
        return None

    def _clash(self, candidate: Candidate) -> _Unmet | None:
        text = self._base.clash(candidate.fields)
        if text is not None:
            return _Unmet(f"{text} of the base image", base_too_old=True)
        others = (choice.candidate.fields for choice in self.chosen.values())
        text = Present.of(others, self._architecture).clash(candidate.fields)
        return None if text is None else _Unmet(text)

    def _pick(self, clause: Clause) -> Candidate | _Unmet | None:
        """Who can fulfil a clause: None when it is fulfilled already."""
        if self._fulfilled(clause):
            return None
        for relation in clause:
            for candidate in self._candidates(relation):
                if self._may_be_chosen(candidate):
                    return candidate
        return self._why_not(clause)

    def _fulfilled(self, clause: Clause) -> bool:
        return any(self._base.fulfils(relation) or _fulfils(self.chosen, relation) for relation in clause)

    def _candidates(self, relation: Relation) -> list[Candidate]:
        real = [one for one in self._index.named(relation.name) if allows(relation, one.version)]
        virtual = self._index.providers(relation.name)
        return real + [one for one in virtual if _offered(one, relation)]

    def _may_be_chosen(self, candidate: Candidate) -> bool:
        taken = candidate.name in self._base.versions or candidate.name in self.chosen
        return not taken and (candidate.name, candidate.version) not in self._wrong

    def _why_not(self, clause: Clause) -> _Unmet:
        for relation in clause:
            version = self._base.versions.get(relation.name)
            if version is not None:
                return _Unmet(f"{wording(clause)}, but the base image has {relation.name} {version}", base_too_old=True)
        reasons = [
            self._wrong.get((one.name, one.version)) for relation in clause for one in self._candidates(relation)
        ]
        known = next((reason for reason in reasons if reason is not None), None)
        if known is not None:
            return known
        chosen = next((self.chosen[relation.name] for relation in clause if relation.name in self.chosen), None)
        if chosen is not None:
            return _Unmet(
                f"{wording(clause)}, but {chosen.candidate.name} {chosen.candidate.version} is needed as well"
            )
        name = clause[0].name
        there = [f"{name} {one.version}" for one in self._index.named(name)] or self._index.similar(name)
        hint = f"; there is {', '.join(there)}" if there else ""
        return _Unmet(f"{wording(clause)}, which no archive of the base image offers for {self._architecture}{hint}")


def _fulfils(chosen: Mapping[str, Choice], relation: Relation) -> bool:
    real = chosen.get(relation.name)
    if real is not None and allows(relation, real.candidate.version):
        return True
    return any(_offered(choice.candidate, relation) for choice in chosen.values())


def _offered(candidate: Candidate, relation: Relation) -> bool:
    fields = candidate.fields
    return any(name == relation.name and offers(version, relation) for name, version in provisions(fields))
