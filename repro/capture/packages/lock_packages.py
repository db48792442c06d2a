"""Installed distributions → locked packages, at exactly the installed versions. Never a resolve, and none left out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from repro.capture.model import Distribution, Interpreter
from repro.capture.packages.choose import Chosen, Unlockable, abi_tag, best_compatible, choose, target_tags
from repro.capture.packages.cures import explain
from repro.capture.packages.drafts import Draft, Tags, runs_on
from repro.capture.packages.index import IndexClient, IndexFile
from repro.capture.packages.origins import LocalWheel
from repro.capture.packages.record_match import doubtful, installed_file, readable
from repro.capture.packages.retarget import Releases, Retargeted, is_foreign, retarget
from repro.errors import CaptureError
from repro.lock import Package
from repro.progress import Progress
from repro.store import ObjectStore
from repro.words import count

_NOWHERE = Path()


def lock_packages(
    interpreter: Interpreter,
    *,
    targets: Sequence[str],
    glibc: str,
    client: IndexClient,
    local_wheels: Callable[[Distribution], LocalWheel | None],
    built_wheels: Callable[[Distribution, Sequence[IndexFile]], LocalWheel],
    store: ObjectStore,
    progress: Progress,
    preferred: Mapping[str, str] | None = None,
    provided: Mapping[str, Mapping[str, str]] | None = None,
) -> tuple[Package, ...]:
    """Lock everything that is installed, and what another platform needs beside it, sorted by name.

    Args:
        interpreter: The captured environment.
        targets: Platforms to lock for, such as `linux/amd64`.
        glibc: Version of the base image's C library.
        client: The package indexes.
        local_wheels: Makes the wheel of an editable, local, VCS or direct-URL install; None for any other
            (`origins.local_wheel`).
        built_wheels: Makes the wheel of an install that no published wheel stands for, given the files of its release
            (`origins.built_wheel`).
        store: The project's object store, which receives what has no public source.
        progress: Told of each package, of doubts, and of how other platforms differ from the laptop.
        preferred: Versions to take for what other platforms need beside the installed packages, where they fit.
        provided: What each target has from elsewhere than an index, such as conda's: versions by name.

    Raises:
        CaptureError: Packages can't be locked; `problems` names each with its version, the reason and the cures.
        InfrastructureError: An index can't be reached.
        IntegrityError: A file on this machine is not the one that its index page announces.
    """
    abi = abi_tag(interpreter.implementation, interpreter.soabi)
    tags = {
        target: target_tags(interpreter.version, interpreter.implementation, target, glibc, abi) for target in targets
    }
    task = progress.start("locking packages", len(interpreter.distributions))
    drafts = [Draft(distribution) for distribution in interpreter.distributions]
    for draft in drafts:
        draft.make_local(local_wheels)
    rest = [draft for draft in drafts if draft.local is None and not draft.problems]
    releases = client.look_up((draft.distribution.name, draft.distribution.version) for draft in rest)
    platforms = _Platforms(interpreter, tags, releases, client, progress, provided or {})
    plans, problems = platforms.plans(preferred or {})
    taking = _Taking(interpreter, tags, client, built_wheels, progress)
    for draft in drafts:
        there = {target: tags[target] for target in tags if draft.distribution.name not in plans[target].dropped}
        if draft.local is not None:
            draft.place_local(draft.local, there)
        elif not draft.problems:
            taking.published(draft, releases[draft.distribution.name, draft.distribution.version], there)
        task.advance(detail=draft.label)
    drafts += _added(plans)
    _raise_problems(drafts, problems, client)
    completed = client.complete(file for draft in drafts for file in draft.published)
    packages = [draft.package(completed, store, progress) for draft in drafts if draft.locked]
    task.finish(count(len(packages), "package"))
    return tuple(sorted(packages, key=lambda package: package.name))


@dataclass(frozen=True, slots=True)
class _Platforms:
    """How the environment differs on each target, and who is told."""

    interpreter: Interpreter
    tags: Tags
    releases: Releases
    client: IndexClient
    progress: Progress
    provided: Mapping[str, Mapping[str, str]]

    def plans(self, preferred: Mapping[str, str]) -> tuple[dict[str, Retargeted], list[str]]:
        """The differences by target, none on the laptop's own platform, and what stands in the way."""
        plans = {target: Retargeted({}, ()) for target in self.tags}
        problems = []
        liked = dict(preferred)
        for target in self.tags:
            if not is_foreign(self.interpreter, target):
                continue
            try:
                plans[target] = self._plan(target, liked)
            except CaptureError as error:
                problems.append(f"{error.what}: {', '.join(error.problems)}; {error.fix}")
            liked |= {one.name: one.version for one in plans[target].added}
            self._tell(target, plans[target])
        return plans, problems

    def _plan(self, target: str, preferred: Mapping[str, str]) -> Retargeted:
        return retarget(
            self.interpreter,
            target,
            self.tags[target],
            releases=self.releases,
            client=self.client,
            preferred=preferred,
            provided=self.provided.get(target),
        )

    def _tell(self, target: str, plan: Retargeted) -> None:
        versions = {one.name: one.version for one in self.interpreter.distributions}
        dropped = [f"{name} {versions[name]} ({reason})" for name, reason in sorted(plan.dropped.items())]
        added = [f"{one.name} {one.version} (for {', '.join(one.parents)})" for one in plan.added]
        if dropped:
            self.progress.warn(f"{target} leaves out {_count(dropped)}: {'; '.join(dropped)}")
        if added:
            self.progress.warn(f"{target} adds {_count(added)} that never ran here: {'; '.join(added)}")


def _count(things: Sequence[str]) -> str:
    return f"{len(things)} {'package' if len(things) == 1 else 'packages'}"


def _added(plans: Mapping[str, Retargeted]) -> list[Draft]:
    """What other platforms need beside the installed packages."""
    drafts: dict[str, Draft] = {}
    for target, plan in plans.items():
        for one in plan.added:
            draft = drafts.setdefault(one.name, Draft(Distribution(one.name, one.version, _NOWHERE, _NOWHERE)))
            draft.published.setdefault(one.file, []).append(target)
            if draft.distribution.version != one.version:
                draft.problems.append(
                    f"{draft.label} does not do for {target}, which takes {one.version}; "
                    "capture for one platform only (--platform)"
                )
    return list(drafts.values())


@dataclass(frozen=True, slots=True)
class _Taking:
    """Choosing published files, and what has to be known for that."""

    interpreter: Interpreter
    tags: Tags
    client: IndexClient
    make: Callable[[Distribution, Sequence[IndexFile]], LocalWheel]
    progress: Progress

    def published(self, draft: Draft, files: Sequence[IndexFile], tags: Tags) -> None:
        """Give a draft its file for each of these targets, or its problems."""
        missing: list[Unlockable] = []
        for target, runnable in tags.items():
            choice = self._sure(draft.distribution, choose(draft.distribution, files, target, runnable), target)
            if isinstance(choice, Chosen):
                self._take(draft, choice, target)
            else:
                missing.append(choice)
        if any(one.built_here for one in missing) or (missing and not draft.distribution.tags):
            self._take_built(draft, files, missing)
            missing = [] if draft.problems else [one for one in missing if one.target not in draft.local_targets]
        for one in missing:
            choice = best_compatible(draft.distribution, files, one.target, tags[one.target])
            if isinstance(choice, Chosen):
                self._take(draft, choice, one.target)
            else:
                draft.problems.append(explain(one, self.interpreter, self.tags, self.client))

    def _sure(self, distribution: Distribution, choice: Chosen | Unlockable, target: str) -> Chosen | Unlockable:
        """The very file that is installed, by its RECORD, where names don't tell or metadata differ."""
        if isinstance(choice, Unlockable) or choice.how != "same":
            return choice
        if not (choice.others or doubtful(distribution, choice.file)):
            return choice
        if not readable(distribution):
            return _untold(choice)
        files = (choice.file, *choice.others)
        found = installed_file(distribution, files, self.client)
        if found is not None:
            return Chosen(found, "same")
        reason = "was not installed from a published wheel (none has its RECORD)"
        names = tuple(sorted({file.name for file in files}))
        return Unlockable(distribution.name, distribution.version, target, reason, names, built_here=True)

    def _take(self, draft: Draft, choice: Chosen, target: str) -> None:
        draft.published.setdefault(choice.file, []).append(target)
        for doubt in choice.doubts:
            self.progress.warn(f"{draft.label}: {doubt}")

    def _take_built(self, draft: Draft, files: Sequence[IndexFile], missing: Sequence[Unlockable]) -> None:
        """Let a wheel made from the installed files, or from source, stand for what no index has."""
        draft.make_local(lambda distribution: self.make(distribution, files))
        made = draft.local
        if made is None:
            return
        self.progress.warn(f"{draft.label} {missing[0].reason}: locked as {made.how}")
        draft.local_targets += [one.target for one in missing if runs_on(made, self.tags[one.target])]


def _untold(choice: Chosen) -> Chosen:
    """A choice with the doubt that it may be another of the files that their names don't tell apart."""
    names = sorted({file.name for file in (choice.file, *choice.others)})
    if len(names) == 1:  # the indexes that differ about one name are told already
        return choice
    doubt = f"no RECORD says which of {', '.join(names)} was installed; {choice.file.name} is taken"
    return replace(choice, doubts=(*choice.doubts, doubt))


def _raise_problems(drafts: Iterable[Draft], others: Sequence[str], client: IndexClient) -> None:
    problems = sorted(problem for draft in drafts for problem in draft.problems)
    if problems or others:
        count = sum(bool(draft.problems) for draft in drafts)
        raise CaptureError(
            f"{count} installed {'package' if count == 1 else 'packages'} can't be locked"
            if problems
            else "what other platforms need can't be locked",
            problems=[*problems, *others],
            fix="Follow the cure given with each, then capture again.",
            details=f"looked in {client.settings}",
        )
