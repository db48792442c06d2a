"""From the evidence of a run to the files that the lock pins, what the run wrote, and everything that is wrong.

Seen from three sides: what Python reported (the trace), what the system reported (the watcher), and what the
project looked like before and after (the snapshots).
"""

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from repro.capture.config import FileRules
from repro.capture.hashing import HashAll, lock_files, sayable, shown, unsayable
from repro.capture.listed import listed_warnings, needed_folders
from repro.capture.outside import NOT_NEEDED, Links, Outside, bring_inside, leaving_link, outside_problems, put_instead
from repro.capture.passed_over import passed_over
from repro.capture.roles import matches, role_of
from repro.capture.snapshot import FileState, Ignored
from repro.capture.tracing.file_evidence import FileEvidence
from repro.capture.tracing.seen import FileEvents
from repro.lock import LockedFile
from repro.realpaths import RealPaths
from repro.sources import hub_advice
from repro.store.hashing import hash_files


@dataclass(frozen=True, slots=True)
class InputReport:
    """The verdict on the files of a run.

    Attributes:
        files: To be locked, sorted by path.
        outputs: Project-relative paths that the run made or changed, sorted.
        problems: What can't be locked, each with its cure; the capture fails when there is any.
        warnings: For the author.
        only_watched: Paths of `files` that only the watcher reported, sorted: compiled code of the run opened them, or
            another program did meanwhile. None that Python reported, that a glob includes, or that is the subject.
        directories: Folders without any of these files that the run lists or enters, sorted.
    """

    files: tuple[LockedFile, ...]
    outputs: tuple[str, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    only_watched: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()


def collect_inputs(
    root: Path,
    subject: str,
    evidence: FileEvidence,
    *,
    rules: FileRules,
    outside: Outside,
    hash_all: HashAll = hash_files,
) -> InputReport:
    """Decide which project files the run used, and hash each of them once.

    Args:
        root: Project root, absolute, links resolved.
        subject: The notebook or script, relative to the root.
        evidence: What was seen.
        rules: Globs of repro.toml.
        outside: Which files outside of the project may be read.
        hash_all: Hashes files.
    """
    sorter = _Sorter(root, evidence, rules, outside)
    sorter.take_modules()
    for path in evidence.trace.reads:
        sorter.take_read(path)
    reported = sorter.real_inputs()
    for path, events in evidence.watched.files.items():
        sorter.take_watched(path, events)
    for path, events in evidence.watched.outside.items():
        sorter.take_watched(path, events)
    for path in evidence.watched.named:
        sorter.take_named(path)
    watched = set(sorter.inputs)
    sorter.take_included()
    sorter.take_subject(subject)
    watched -= {*reported, *sorter.included, subject}
    files, problems = lock_files(
        root,
        sorter.inputs,
        states=evidence.after.files,
        role=lambda path: role_of(path, rules, imported=path in sorter.modules),
        hash_all=hash_all,
    )
    outputs = sorted({*sorter.outputs, *sorter.written()} - sorter.inputs)
    sorter.warnings |= set(
        listed_warnings(root, evidence.trace.listed, evidence.before, locked=sorter.inputs, outputs=outputs)
    )
    lost = passed_over(root, sorter.trace_reads.keys() - sorter.trace_writes.keys(), rules.exclude)
    sorter.warnings |= set(lost.warnings)
    found = sorter.problems.union(*(outside_problems(paths, cure) for cure, paths in sorter.far.items()))
    folders = needed_folders(evidence.trace, evidence.before, {*sorter.inputs, *outputs}, sorter.relative)
    return InputReport(
        files=files,
        outputs=tuple(path for path in outputs if sayable(path)),
        problems=tuple(sorted({*found, *problems, *lost.problems, *map(unsayable, outputs)} - {""})),
        warnings=(*evidence.watched.warnings, *sorted(sorter.warnings)),
        only_watched=tuple(file.path for file in files if file.path in watched),
        directories=tuple(path for path in folders if sayable(path)),
    )


@dataclass
class _Sorter:
    """Sorts what was seen into inputs, outputs and problems. Paths are relative to the root unless said otherwise."""

    root: Path
    evidence: FileEvidence
    rules: FileRules
    outside: Outside
    inputs: set[str] = field(default_factory=set)
    outputs: set[str] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    problems: set[str] = field(default_factory=set)
    warnings: set[str] = field(default_factory=set)
    included: set[str] = field(default_factory=set)
    far: dict[str, set[str]] = field(default_factory=dict)
    real: RealPaths = field(default_factory=RealPaths)

    def __post_init__(self) -> None:
        self.top = f"{self.root}{os.sep}"
        self.ignored = Ignored(self.root)
        self.links = Links(self.evidence.watched.links)
        self.trace_reads = self._relative_times(self.evidence.trace.reads)
        self.trace_writes = self._relative_times(self.evidence.trace.writes)
        self.imported = frozenset(self.evidence.trace.modules.values())
        self.known_reads = {self.relative(self.real.of(path)) or path for path in self.evidence.trace.reads}

    def take_modules(self) -> None:
        """Modules of the project and the `__init__.py` of the packages around them."""
        for file in self.evidence.trace.modules.values():
            path = self.relative(file)
            if path is None:
                self.take_read(file)
                continue
            for one in (path, *_packages(self.root, path)):
                self.modules.add(one)
                self.take_project_file(one)

    def take_read(self, path: str) -> None:
        """A file, absolute, that Python opened for reading or imported."""
        inside = self.relative(path)
        if inside is not None:
            self.take_project_file(inside)
        elif not self._may_be_outside(path):
            cure = hub_advice(path) or bring_inside(self.root, path, module=path in self.imported)
            self.far.setdefault(cure, set()).add(shown(path))

    def take_watched(self, path: str, events: FileEvents) -> None:
        """A file that the system reported: relative to the root, or absolute outside of it.

        By which name compiled code opened it is not told: every link of the project that leads there counts.
        """
        only_written = path in self.trace_writes and path not in self.trace_reads
        if not (events.read_before or (events.opens_before and not events.changed and not only_written)):
            return
        place = os.path.join(self.top, path)  # noqa: PTH118 - text stays text
        spelled = [] if path in self.known_reads else self.links.to(place)
        for link in spelled:
            self.take_project_file(link)
        if not os.path.isabs(path):  # noqa: PTH117 - text stays text
            self.take_project_file(path)
        elif not spelled and path not in self.known_reads:
            self.take_read(path)

    def take_named(self, path: str) -> None:
        """A file that the sources name, where the system tells nothing: locked unless the run changed it."""
        real = self.relative(os.path.realpath(self.root / path)) or ""
        before, after = (one.files.get(real) for one in (self.evidence.before, self.evidence.after))
        if before is not None and before == after and not {path, real} & self.trace_writes.keys():
            self.take_project_file(path)

    def take_included(self) -> None:
        """Files that repro.toml wants in whether they were read or not."""
        if not self.rules.include:
            return
        written = self.written()
        for path in self.evidence.after.files:
            if matches(path, self.rules.include) and not matches(path, self.rules.exclude):
                if path in written:
                    self.warnings.add(f"{path} is included by repro.toml, but the run writes it: it is not locked")
                else:
                    self.included.add(path)
        self.inputs |= self.included

    def take_subject(self, subject: str) -> None:
        """The notebook or script itself, whatever the globs say."""
        before, after = (
            one.files.get(self._real(subject) or "") for one in (self.evidence.before, self.evidence.after)
        )
        if before != after:
            self.problems.add(f"{subject} changed while it ran; save it, let nothing write to it, and capture again")
        self.inputs.add(subject)

    def take_project_file(self, path: str) -> None:
        """Sort a file of the project that was read."""
        if self.ignored.has(path) or matches(path, self.rules.exclude):
            return
        real = self._real(path)
        if real is None:
            return
        if self.ignored.has(real):  # a link into a store such as .repro/objects: what it shows is pinned by its hash
            self.inputs.add(path)
            return
        before, after = self.evidence.before.files.get(real), self.evidence.after.files.get(real)
        if before is None:
            self._take_unknown(path, real)
        elif after is None:
            self.problems.add(f"{path} is read and then deleted by the run; keep it, or work on a copy of it")
        elif not self._changed(real, before, after):
            self.inputs.add(path)
        elif self._read_first(real, after):
            self.problems.add(
                f"{path} is read and then changed by the run, so what it read is lost; write to another file, "
                f"or, {NOT_NEEDED}"
            )
        else:
            self.outputs.add(path)

    def real_inputs(self) -> set[str]:
        """The inputs so far, and the files that those which are links stand for, which is what the system reports."""
        real = (self.relative(self.real.of(self.top + path)) for path in self.inputs)
        return self.inputs.union(path for path in real if path is not None)

    def written(self) -> set[str]:
        """Files that the run made or changed and that are still there."""
        before = self.evidence.before.files
        return {
            path
            for path, after in self.evidence.after.files.items()
            if path not in before or self._changed(path, before[path], after)
            if not matches(path, self.rules.exclude)
        }

    def relative(self, path: str) -> str | None:
        """The path inside the project, POSIX, of an absolute one; None when it lies outside."""
        inside = path if path.startswith(self.top) else self.real.of(path)
        return inside[len(self.top) :].replace(os.sep, "/") if inside.startswith(self.top) else None

    def _relative_times(self, times: Mapping[str, int]) -> dict[str, int]:
        return {inside: when for path, when in times.items() if (inside := self.relative(path)) is not None}

    def _may_be_outside(self, path: str) -> bool:
        written = self.evidence.trace.writes.get(path)
        if written is not None and written <= self.evidence.trace.reads.get(path, written):
            return True
        if matches(path, self.rules.exclude) or self.outside.belongs(path):
            return True
        return self.outside.made_by_run(path, self.evidence.before.taken_ns)

    def _real(self, path: str) -> str | None:
        """Where links lead, inside the project; None, with a problem, when they leave it."""
        inside = self.relative(self.real.of(self.top + path))
        if inside is None:
            link = leaving_link(self.root, path)
            far = os.path.realpath(self.root / link)
            self.problems.add(f"{link} is a link that leads out of the project, to {shown(far)}; {put_instead(far)}")
        return inside

    def _take_unknown(self, path: str, real: str) -> None:
        """Read, yet not there before: made by the run, or something that no snapshot holds."""
        if real in self.evidence.after.files:
            self.outputs.add(path)
        elif os.path.lexists(self.root / real):
            self.problems.add(f"{path} is no regular file and can't be locked; exclude it in repro.toml")

    def _changed(self, path: str, before: FileState, after: FileState) -> bool:
        if not before.same_content(after):
            return True
        events = self.evidence.watched.files.get(path, FileEvents())
        return before != after and (events.changed or path in self.trace_writes)

    def _read_first(self, path: str, after: FileState) -> bool:
        """Whether the run read a file before its first change.

        The system's order decides where it saw the change: times of two observers can't be compared that finely.
        """
        events = self.evidence.watched.files.get(path)
        traced = path in self.trace_reads
        if events is not None and events.changed and self.evidence.watched.complete:
            enough = 1 if events.replaced else 2
            return events.read_before or (traced and (events.opens_before >= enough or not events.opens_after))
        if not traced:
            return True
        written = self.trace_writes.get(path, after.mtime_ns - (time.time_ns() - time.monotonic_ns()))
        return self.trace_reads[path] <= written


def _packages(root: Path, path: str) -> Iterator[str]:
    for folder in PurePosixPath(path).parents:
        marker = str(folder / "__init__.py")
        if (root / marker).is_file():
            yield marker
