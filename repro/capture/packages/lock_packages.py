"""Installed distributions → locked packages, at exactly the installed versions. Never a resolve, and none left out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from repro.capture.model import Distribution, Interpreter
from repro.capture.packages.choose import (
    MACHINES,
    Chosen,
    Unlockable,
    abi_tag,
    best_compatible,
    choose,
    target_tags,
)
from repro.capture.packages.index import IndexClient, IndexFile
from repro.capture.packages.origins import LocalWheel
from repro.capture.packages.simple import canonical_version
from repro.capture.packages.sources import index_source
from repro.digest import Digest
from repro.errors import CaptureError, IntegrityError
from repro.http import redact
from repro.lock import Origin, Package, PackageFile
from repro.progress import Progress
from repro.store import ObjectStore

_MOST_NAMES = 4
_TORCH_INDEX = "https://download.pytorch.org/whl/"
_Tags = Mapping[str, Sequence[Tag]]


@dataclass(slots=True)
class _Draft:
    """What is known so far of one package: a wheel made here, and published files, each with their targets."""

    distribution: Distribution
    local: LocalWheel | None = None
    local_targets: list[str] = field(default_factory=list)
    published: dict[IndexFile, list[str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        return f"{self.distribution.name} {self.distribution.version}"


def lock_packages(
    interpreter: Interpreter,
    *,
    targets: Sequence[str],
    glibc: str,
    client: IndexClient,
    local_wheels: Callable[[Distribution], LocalWheel | None],
    built_wheels: Callable[[Distribution], LocalWheel],
    store: ObjectStore,
    progress: Progress,
) -> tuple[Package, ...]:
    """Lock everything that is installed, sorted by name.

    Args:
        interpreter: The captured environment.
        targets: Platforms to lock for, such as `linux/amd64`.
        glibc: Version of the base image's C library.
        client: The package indexes.
        local_wheels: Makes the wheel of an editable, local, VCS or direct-URL install; None for any other
            (`origins.local_wheel`).
        built_wheels: Makes the wheel of an install that no published wheel stands for (`origins.built_wheel`).
        store: The project's object store, which receives what has no public source.
        progress: Told of each package, and of doubts.

    Raises:
        CaptureError: Packages can't be locked; `problems` names each with its version, the reason and the cure.
        InfrastructureError: An index can't be reached.
        IntegrityError: A file on this machine is not the one that its index page announces.
    """
    abi = abi_tag(interpreter.implementation, interpreter.soabi)
    tags = {
        target: target_tags(interpreter.version, interpreter.implementation, target, glibc, abi) for target in targets
    }
    task = progress.start("locking packages", len(interpreter.distributions))
    drafts = [_Draft(distribution) for distribution in interpreter.distributions]
    for draft in drafts:
        _take_local(draft, local_wheels, tags)
    rest = [draft for draft in drafts if draft.local is None and not draft.problems]
    releases = client.look_up((draft.distribution.name, draft.distribution.version) for draft in rest)
    for draft in rest:
        files = releases[draft.distribution.name, draft.distribution.version]
        _take_published(draft, files, tags, built_wheels, progress)
        task.advance(detail=draft.label)
    _raise_problems(drafts, client)
    completed = client.complete(file for draft in drafts for file in draft.published)
    packages = [_package(draft, completed, store, progress) for draft in drafts]
    task.finish(f"{len(packages)} packages")
    return tuple(sorted(packages, key=lambda package: package.name))


def _take_local(draft: _Draft, make: Callable[[Distribution], LocalWheel | None], tags: _Tags) -> None:
    try:
        draft.local = make(draft.distribution)
    except CaptureError as error:
        draft.problems.append(_sentence(draft.label, error))
        return
    if draft.local is None:
        return
    for target in tags:
        if _runs_on(draft.local, tags[target]):
            draft.local_targets.append(target)
        else:
            draft.problems.append(
                f"{draft.label}: its wheel {draft.local.path.name}, made on this machine, does not run on {target}; "
                f"lock for this machine's platform only, or publish a wheel for {target}"
            )


def _take_published(
    draft: _Draft,
    files: Sequence[IndexFile],
    tags: _Tags,
    make: Callable[[Distribution], LocalWheel],
    progress: Progress,
) -> None:
    missing: list[Unlockable] = []
    for target, runnable in tags.items():
        choice = choose(draft.distribution, files, target, runnable)
        if isinstance(choice, Chosen):
            _take(draft, choice, target, progress)
        else:
            missing.append(choice)
    if any(one.built_here for one in missing) or (missing and not draft.distribution.tags):
        _take_built(draft, missing, make, tags, progress)
        missing = [] if draft.problems else [one for one in missing if one.target not in draft.local_targets]
    for one in missing:
        choice = best_compatible(draft.distribution, files, one.target, tags[one.target])
        if isinstance(choice, Chosen):
            _take(draft, choice, one.target, progress)
        else:
            draft.problems.append(_explain(one))


def _take(draft: _Draft, choice: Chosen, target: str, progress: Progress) -> None:
    draft.published.setdefault(choice.file, []).append(target)
    for doubt in choice.doubts:
        progress.warn(f"{draft.label}: {doubt}")


def _take_built(
    draft: _Draft,
    missing: Sequence[Unlockable],
    make: Callable[[Distribution], LocalWheel],
    tags: _Tags,
    progress: Progress,
) -> None:
    """Let a wheel made from the installed files stand for what no index has."""
    try:
        made = make(draft.distribution)
    except CaptureError as error:
        draft.problems.append(_sentence(draft.label, error))
        return
    draft.local = made
    progress.warn(f"{draft.label} {missing[0].reason}: locked as a wheel made from the installed files")
    draft.local_targets += [one.target for one in missing if _runs_on(made, tags[one.target])]


def _runs_on(wheel: LocalWheel, tags: Sequence[Tag]) -> bool:
    try:
        _, _, _, own = parse_wheel_filename(wheel.path.name)
    except InvalidWheelFilename:
        return False
    return not own.isdisjoint(tags)


def _package(
    draft: _Draft, completed: Mapping[IndexFile, IndexFile], store: ObjectStore, progress: Progress
) -> Package:
    distribution = draft.distribution
    files = [
        *_local_files(draft, store, progress),
        *(_published_file(completed[file], targets, store) for file, targets in draft.published.items()),
    ]
    _warn_of_yanked(draft, progress)
    origin, source = _origin(draft)
    return Package(
        name=distribution.name,
        version=_version(draft, progress),
        origin=origin,
        source=source,
        files=tuple(sorted(files, key=lambda file: file.name)),
        requested=distribution.requested,
    )


def _origin(draft: _Draft) -> tuple[Origin, str]:
    if draft.local is not None:
        return draft.local.origin, draft.local.source
    first = next(iter(draft.published))
    return ("index", index_source(first.index)) if first.local_path is None else ("local", first.name)


def _local_files(draft: _Draft, store: ObjectStore, progress: Progress) -> list[PackageFile]:
    wheel = draft.local
    if wheel is None:
        return []
    for warning in wheel.warnings:
        progress.warn(f"{draft.label}: {warning}")
    digest = store.add_file(wheel.path)
    store.offer_wheel(digest, wheel.path.name)
    targets = tuple(sorted(draft.local_targets))
    return [PackageFile(wheel.path.name, digest, wheel.path.stat().st_size, None, targets)]


def _published_file(file: IndexFile, targets: Iterable[str], store: ObjectStore) -> PackageFile:
    if file.sha256 is None or file.size is None:
        raise AssertionError(file.name)  # IndexClient.complete filled both in
    ordered = tuple(sorted(targets))
    if file.local_path is None:
        return PackageFile(file.name, file.sha256, file.size, redact(file.url), ordered)
    return PackageFile(file.name, _keep(file, file.sha256, store), file.size, None, ordered)


def _keep(file: IndexFile, announced: Digest, store: ObjectStore) -> Digest:
    """Copy a file that only this machine has into the store. Raises IntegrityError when it isn't what its page says."""
    path = file.local_path
    if path is None:
        raise AssertionError(file.name)
    digest = store.add_file(path)
    if digest != announced:
        raise IntegrityError(
            f"{path.name} is not the file that its index announces: expected {announced}, found {digest}",
            where=str(path),
            fix="Repair the local index.",
        )
    store.offer_wheel(digest, file.name)
    return digest


def _warn_of_yanked(draft: _Draft, progress: Progress) -> None:
    for file in draft.published:
        if file.yanked is not None:
            progress.warn(f"{draft.label} was yanked from {file.index}: {file.yanked or 'no reason given'}")


def _version(draft: _Draft, progress: Progress) -> str:
    """The installed version, or what a source tree says by now when it has moved on since it was installed."""
    installed = draft.distribution.version
    if draft.local is None:
        return installed
    made = str(parse_wheel_filename(draft.local.path.name)[1])
    if canonical_version(made) == canonical_version(installed):
        return installed
    progress.warn(f"{draft.label}: its source has version {made} by now, and that is what is locked")
    return made


def _explain(missing: Unlockable) -> str:
    names = missing.candidates
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    there = f"; there is {', '.join(names[:_MOST_NAMES])}{more}" if names else ""
    return f"{missing.name} {missing.version} {missing.reason}{there}; {_cure(missing)}"


def _cure(missing: Unlockable) -> str:
    _, _, variant = missing.version.partition("+")
    if variant and missing.name.startswith("torch"):
        return f"add its index with --extra-index-url {_TORCH_INDEX}{variant}"
    if not missing.candidates:
        return "name the index that it came from with --extra-index-url"
    machine = MACHINES[missing.target]
    return (
        f"install a version that has a wheel for {machine}, "
        "or build one and name its folder in repro.toml, [index] find-links"
    )


def _sentence(label: str, error: CaptureError) -> str:
    return f"{label}: {error.what}" + (f"; {error.fix}" if error.fix else "")


def _raise_problems(drafts: Iterable[_Draft], client: IndexClient) -> None:
    problems = sorted(problem for draft in drafts for problem in draft.problems)
    if problems:
        count = sum(bool(draft.problems) for draft in drafts)
        raise CaptureError(
            f"{count} installed {'package' if count == 1 else 'packages'} can't be locked",
            problems=problems,
            fix="Follow the cure given with each, then capture again.",
            details=f"looked in {client.settings}",
        )
