"""Locking system packages: those that the project asks for and those whose libraries the run needs, with all they need.

How closures are found and layers are made is `repro.debian`'s; here it is decided what to ask for.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from repro.capture.needs import Need
from repro.debian.base import BaseView, debian_architecture
from repro.debian.contents import find_files, policy_names
from repro.debian.deb import read_deb
from repro.debian.fetch import fetch_debs
from repro.debian.index import Candidate, Index, load_index
from repro.debian.layer import system_layer
from repro.debian.resolve import Choice, Request, UnresolvableError, choose
from repro.debian.sources import Source, apt_sources, past_sources
from repro.digest import Digest
from repro.errors import CaptureError, UsageError
from repro.http import Session
from repro.lock import SystemPackage
from repro.progress import Progress
from repro.store.objects import ObjectStore

_SHOWN = 3
_LOADED = re.compile(r"(?:usr/)?lib(?:64)?/(?:[a-z0-9_]+-linux-gnu/)?[^/]+")
"""Paths of libraries that the loader finds by itself."""


def lock_system(
    asked: Sequence[str],
    needs: Mapping[str, Sequence[Need]],
    bases: Mapping[str, BaseView],
    *,
    sessions: Callable[[], Session],
    cache: ObjectStore,
    progress: Progress,
    skip_scripts: Sequence[str] = (),
) -> tuple[SystemPackage, ...]:
    """The system packages of every target, ordered by target and name.

    What is needed but can't be had is warned about, for it may be needed by parts that no image uses; what is asked
    for has to be had. All packages are fetched, and their layer is made once, so that a build can't fail later for a
    script that nobody knows.

    Args:
        asked: `[system] apt`: `name` or `name=version`.
        needs: Missing libraries by target (`repro.capture.needs.missing_libraries`).
        bases: The base image of every target.
        sessions: Gives each thread its session (`repro.http.per_thread`).
        cache: Where packages and indexes are kept.
        progress: Told of downloads, notes and warnings.
        skip_scripts: `[system] skip-scripts`.

    Raises:
        CaptureError: Packages can't be chosen, or their scripts aren't known.
        UsageError: The base names no archive, or its keyring is missing.
        IntegrityError: An archive's signature or a digest is wrong, or a package is damaged.
        InfrastructureError: An archive can't be reached.
    """
    found: list[SystemPackage] = []
    for target in sorted(bases):
        work = _Target(target, bases[target], sessions, cache, progress, frozenset(skip_scripts))
        found += work.lock(asked, needs.get(target, ()))
    unused = sorted(set(skip_scripts) - {package.name for package in found})
    if unused:
        progress.warn(f"[system] skip-scripts names packages that are not needed: {', '.join(unused)}")
    return tuple(found)


@dataclass(slots=True)
class _Target:
    """The work for one platform; archives are asked only when something is missing."""

    target: str
    base: BaseView
    sessions: Callable[[], Session]
    cache: ObjectStore
    progress: Progress
    skipped: frozenset[str]
    _index: Index | None = field(default=None)

    def lock(self, asked: Sequence[str], needs: Sequence[Need]) -> list[SystemPackage]:
        requests = [Request(name, "asked", version) for name, _, version in (text.partition("=") for text in asked)]
        required = [need for need in needs if need.required]
        if required:
            requests += self._providers(required, must=bool(asked))
        packages = [self._locked(choice) for choice in self._choices(requests)] if requests else []
        files = self._fetched(packages)
        layer = system_layer([(package, files[package.sha256]) for package in packages], self.base, self.cache)
        for note in layer.notes:
            self.progress.warn(f"system packages ({self.target}): {note}")
        brought = {entry.path.rpartition("/")[2] for entry in layer.entries}
        for need in needs:
            if not need.required and need.soname not in brought:
                self.progress.note(f"{need.soname} is not in the image; only parts that the run did without need it")
        return packages

    @property
    def architecture(self) -> str:
        return debian_architecture(self.target)

    @property
    def sources(self) -> tuple[Source, ...]:
        return apt_sources(self.base)

    def index(self) -> Index:
        if self._index is None:
            sources = self.sources
            if not self.base.installed:
                raise UsageError(
                    f"the base image for {self.target} has no list of its packages",
                    where="repro.toml: base.image",
                    fix="Use a base that keeps /var/lib/dpkg/status: without it nobody can tell what is missing.",
                )
            self._index = self._load(sources)
        return self._index

    def _load(self, sources: Sequence[Source]) -> Index:
        return load_index(sources, self.architecture, sessions=self.sessions, cache=self.cache, progress=self.progress)

    def _choices(self, requests: Sequence[Request]) -> tuple[Choice, ...]:
        try:
            return self._choose(requests)
        except UnresolvableError as error:
            asked = [request for request in requests if request.reason == "asked"]
            if len(asked) == len(requests):
                raise
            choices = self._choose(asked) if asked else ()
            self._warn_of(requests, error.problems)
            return choices

    def _choose(self, requests: Sequence[Request]) -> tuple[Choice, ...]:
        """From what the archives have; where the base is too old for that, also from what they had at its time."""
        try:
            return choose(requests, self.index(), self.base, self.architecture)
        except UnresolvableError as error:
            past = past_sources(self.base) if error.base_too_old else ()
            if not past:
                raise
            self.progress.note("the base image is older than its archive; the archive of its time is looked at, too")
            self._index = self.index().joined(self._load(past))
            return choose(requests, self._index, self.base, self.architecture)

    def _warn_of(self, requests: Iterable[Request], problems: Iterable[str]) -> None:
        needed = ", ".join(request.reason.removeprefix("needs:") for request in requests if request.reason != "asked")
        self.progress.warn(f"libraries that the run needs can't be had ({needed}): {'; '.join(problems)}")

    def _providers(self, needs: Sequence[Need], *, must: bool) -> list[Request]:
        """A request for each soname that some package has."""
        try:
            found = self._packages_with([need.soname for need in needs])
        except UsageError as error:
            if must:
                raise
            self.progress.warn(f"{self._unmet(needs)}: {error.what}")
            return []
        missing = [need for need in needs if need.soname not in found]
        if missing:
            self.progress.warn(f"{self._unmet(missing)}: no package of the base's archives has them")
        return [Request(package, f"needs:{soname}") for soname, package in sorted(found.items())]

    def _unmet(self, needs: Sequence[Need]) -> str:
        users = ", ".join(dict.fromkeys(need.users[0].partition(":")[0] for need in needs[:_SHOWN]))
        sonames = ", ".join(need.soname for need in needs)
        return f"the image for {self.target} will lack {sonames}, which {users} may need"

    def _packages_with(self, sonames: Sequence[str]) -> dict[str, str]:
        found = {soname: package for soname in sonames if (package := self._by_policy(soname))}
        left = [soname for soname in sonames if soname not in found]
        if left:
            listed = find_files(
                left,
                self.sources,
                self.architecture,
                sessions=self.sessions,
                cache=self.cache,
                progress=self.progress,
            )
            found |= {name: min(places, key=lambda place: _rank(name, *place))[1] for name, places in listed.items()}
        return found

    def _by_policy(self, soname: str) -> str | None:
        """The package that should have it by its name, if it really has."""
        for name in policy_names(soname):
            for candidate in self.index().named(name)[:1]:
                if self._brings(candidate, soname):
                    return name
        return None

    def _brings(self, candidate: Candidate, soname: str) -> bool:
        package = self._locked(Choice(candidate, f"needs:{soname}"))
        deb = read_deb(package, self._fetched([package])[package.sha256], self.cache)
        return any(file.path.rpartition("/")[2] == soname for file in deb.files)

    def _fetched(self, packages: Sequence[SystemPackage]) -> Mapping[Digest, Path]:
        return fetch_debs(packages, stores=(), cache=self.cache, sessions=self.sessions, progress=self.progress)

    def _locked(self, choice: Choice) -> SystemPackage:
        candidate = choice.candidate
        if candidate.architecture not in {self.architecture, "all"}:
            raise CaptureError(f"{candidate.name} is for {candidate.architecture}", where=self.target)
        return SystemPackage(
            name=candidate.name,
            version=candidate.version,
            architecture=candidate.architecture,
            target=self.target,
            url=candidate.url,
            sha256=candidate.sha256,
            size=candidate.size,
            reason=choice.reason,
            skip_scripts=candidate.name in self.skipped,
        )


def _rank(soname: str, path: str, package: str) -> tuple[bool, int, str]:
    """Libraries in the loader's own directories first, then packages named alike, then by name."""
    alike = next((number for number, name in enumerate(policy_names(soname)) if package.startswith(name)), 9)
    return _LOADED.fullmatch(path) is None, alike, package
