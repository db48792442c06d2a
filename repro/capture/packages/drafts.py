"""One installed distribution on its way into the lock: which files stand for it where, and what is wrong with it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from repro.capture.model import Distribution
from repro.capture.packages.index import IndexFile
from repro.capture.packages.origins import LocalWheel
from repro.capture.packages.simple import canonical_version
from repro.capture.packages.sources import index_source
from repro.digest import Digest
from repro.errors import CaptureError, IntegrityError
from repro.lock import Origin, Package, PackageFile
from repro.progress import Progress
from repro.store import ObjectStore
from repro.urls import redact

Tags = Mapping[str, Sequence[Tag]]
"""What each target can run, the most specific first."""


@dataclass(slots=True)
class Draft:
    """What is known so far of one package: a wheel made here, and published files, each with their targets."""

    distribution: Distribution
    local: LocalWheel | None = None
    local_targets: list[str] = field(default_factory=list)
    published: dict[IndexFile, list[str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """Name and version."""
        return f"{self.distribution.name} {self.distribution.version}"

    @property
    def locked(self) -> bool:
        """Whether it has a file for any target."""
        return bool(self.local_targets or self.published)

    def make_local(self, make: Callable[[Distribution], LocalWheel | None]) -> None:
        """Make a wheel of what is installed; a failure becomes a problem."""
        try:
            self.local = make(self.distribution)
        except CaptureError as error:
            self.problems.append(f"{self.label}: {error.what}" + (f"; {error.fix}" if error.fix else ""))

    def place_local(self, wheel: LocalWheel, tags: Tags) -> None:
        """Take a wheel that was made here for every target that runs it; the others are problems."""
        for target in tags:
            if runs_on(wheel, tags[target]):
                self.local_targets.append(target)
            else:
                self.problems.append(
                    f"{self.label}: its wheel {wheel.path.name}, made on this machine, does not run on {target}; "
                    f"lock for this machine's platform only, or publish a wheel for {target}"
                )

    def package(self, completed: Mapping[IndexFile, IndexFile], store: ObjectStore, progress: Progress) -> Package:
        """The locked package; files that only this machine has go into the store.

        Args:
            completed: The published files with digest and size (`IndexClient.complete`).
            store: The project's object store.
            progress: Told of yanked files and doubts.

        Raises:
            IntegrityError: A file on this machine is not the one that its index page announces.
        """
        files = [
            *_local_files(self, store, progress),
            *(_published_file(completed[file], targets, store) for file, targets in self.published.items()),
        ]
        _warn_of_yanked(self, progress)
        origin, source = _origin(self)
        return Package(
            name=self.distribution.name,
            version=_version(self, progress),
            origin=origin,
            source=source,
            files=tuple(sorted(files, key=lambda file: file.name)),
            requested=self.distribution.requested,
        )


def runs_on(wheel: LocalWheel, tags: Sequence[Tag]) -> bool:
    """Whether a wheel that was made here can be installed with these tags."""
    try:
        _, _, _, own = parse_wheel_filename(wheel.path.name)
    except InvalidWheelFilename:
        return False
    return not own.isdisjoint(tags)


def _origin(draft: Draft) -> tuple[Origin, str]:
    if draft.local is not None:
        return draft.local.origin, draft.local.source
    first = next(iter(draft.published))
    return ("index", index_source(first.index)) if first.local_path is None else ("local", first.name)


def _local_files(draft: Draft, store: ObjectStore, progress: Progress) -> list[PackageFile]:
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


def _warn_of_yanked(draft: Draft, progress: Progress) -> None:
    for file in draft.published:
        if file.yanked is not None:
            progress.warn(f"{draft.label} was yanked from {file.index}: {file.yanked or 'no reason given'}")


def _version(draft: Draft, progress: Progress) -> str:
    """The installed version, or what a source tree says by now when it has moved on since it was installed."""
    installed = draft.distribution.version
    if draft.local is None:
        return installed
    made = str(parse_wheel_filename(draft.local.path.name)[1])
    if canonical_version(made) == canonical_version(installed):
        return installed
    progress.warn(f"{draft.label}: its source has version {made} by now, and that is what is locked")
    return made
