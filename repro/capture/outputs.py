"""The outputs that a rerun is held to: which of the written files they are, and their content beside the lock."""

import glob
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from repro.capture.config import OutputPolicy
from repro.capture.roles import matches
from repro.digest import Digest
from repro.errors import CaptureError
from repro.files import atomic_write, disk_errors
from repro.lock import ComparedOutput, cell_number
from repro.outputs.compare import cell_text
from repro.outputs.judge import compare_pair, is_regular
from repro.outputs.limits import MOST_BYTES
from repro.runner.notebook import EXECUTED

_MOST_NAMED = 10
_FIX = (
    "Name what the run writes (a path from the project's root, or a glob) in [outputs], and have the run write it "
    "anew: a file that it also reads, or leaves as it was, is none of its results."
)


@dataclass(frozen=True, slots=True)
class Written:
    """Where the outputs of a run are.

    Attributes:
        root: Project root.
        paths: Files in it that the run wrote.
        directory: What the run left besides, with the executed notebook; None where nothing was run.
    """

    root: Path
    paths: Collection[str]
    directory: Path | None = None

    def place(self, path: str) -> Path:
        """The file that an output is; that of a cell is made of the executed notebook."""
        number = cell_number(path)
        if number is None or self.directory is None:
            return self.root / path
        place = self.directory / f"cell-{number}.txt"
        text = self.cell(number)
        if text is not None:
            atomic_write(place, text.encode("utf-8", "surrogatepass"), durable=False)
        return place

    def cell(self, number: int) -> str | None:
        """What a code cell shows; None where there is no such cell."""
        notebook = None if self.directory is None else self.directory / EXECUTED
        if notebook is None or not notebook.is_file():
            return None
        return cell_text(json.loads(notebook.read_bytes()), number)


@dataclass(frozen=True, slots=True)
class Kept:
    """The content that is kept beside a lock, in `<its name>.baseline/`.

    Attributes:
        folder: Where.
        before: Outputs of the lock that was there before.
    """

    folder: Path
    before: tuple[ComparedOutput, ...] = ()

    def place(self, output: ComparedOutput) -> Path:
        """Where the content of an output is, or will be."""
        return self.folder / output.content_path

    def has(self, output: ComparedOutput) -> bool:
        """Whether the content that an output says is there."""
        place = self.place(output)
        same_size = is_regular(place) and place.stat().st_size == output.size
        return same_size and Digest.of_file(place) == output.sha256

    def settled(self, output: ComparedOutput, place: Path) -> ComparedOutput:
        """The output as it was in the lock before, where only its bits are others: no lock changes for a date."""
        known = next((one for one in self.before if one.path == output.path), None)
        if known is None or replace(output, sha256=known.sha256, size=known.size) != known or not self.has(known):
            return output
        return known if compare_pair(known, self.place(known), place).status == "same" else output


@dataclass(frozen=True, slots=True)
class Declared:
    """The outputs of a run that repro.toml names, and what an author should know of them."""

    outputs: tuple[ComparedOutput, ...] = ()
    warnings: tuple[str, ...] = ()


def declared_outputs(policies: Mapping[str, OutputPolicy], written: Written, kept: Kept, subject: str) -> Declared:
    """Hash each output that `policies` name, and see whether its content can be compared.

    Args:
        policies: By path or glob; a path goes before a glob, and an earlier glob before a later one.
        written: What the run wrote.
        kept: What an earlier capture kept.
        subject: For errors.

    Raises:
        CaptureError: The run didn't write one, or a table doesn't have the columns of its key.
    """
    chosen, problems = _chosen(policies, written)
    outputs, warnings = [], []
    for path, policy in sorted(chosen.items()):
        place = written.place(path)
        if not is_regular(place):
            problems.append(f"{path}: is a link, or gone: an output is a file of the project")
            continue
        output = _output(path, place, policy)
        problem, warning = _content(output, place)
        outputs.append(kept.settled(output, place))
        problems += problem
        warnings += warning
    if problems:
        told = ", ".join(sorted(written.paths)[:_MOST_NAMED]) or "nothing"
        raise CaptureError(
            "outputs that repro.toml names can't be locked",
            where=subject,
            problems=problems,
            details=f"The run wrote: {told}{', …' if len(written.paths) > _MOST_NAMED else ''}",
            fix=_FIX,
        )
    return Declared(tuple(outputs), tuple(warnings))


def stored_outputs(policies: Mapping[str, OutputPolicy]) -> Declared:
    """Where nothing is run, no file is known to be what a run writes."""
    if not policies:
        return Declared()
    return Declared(warnings=("nothing was run: the files of [outputs] in repro.toml are not part of the baseline",))


def keep_baseline(kept: Kept, written: Written, outputs: Iterable[ComparedOutput]) -> None:
    """Keep the content of the lock's outputs beside it; what is there already stays as it is, what has no name goes.

    Raises:
        CaptureError: A file was changed since it was hashed.
        InfrastructureError: The disk refuses.
    """
    wanted = {output.path: output for output in outputs if is_kept(output)}
    for output in wanted.values():
        if not kept.has(output):
            atomic_write(kept.place(output), _same(written.place(output.path), output))
    for output in kept.before:
        if output.path not in wanted:
            _remove(kept.folder, kept.place(output))


def is_kept(output: ComparedOutput) -> bool:
    """Whether its content is kept beside the lock, and not only its digest."""
    return output.kind != "bytes" and output.size <= MOST_BYTES


def _chosen(policies: Mapping[str, OutputPolicy], written: Written) -> tuple[dict[str, OutputPolicy], list[str]]:
    """The policy of each written file that is named, and what is wrong."""
    chosen = {path: policy for path, policy in policies.items() if path in written.paths}
    problems = []
    for pattern, policy in policies.items():
        number = cell_number(pattern)
        if number is not None and written.cell(number) is not None:
            chosen[pattern] = policy
        if pattern in chosen:
            continue
        found = [path for path in written.paths if glob.has_magic(pattern) and matches(path, [pattern])]
        if not found:
            what = "wrote no such file" if number is None else "has no such code cell"
            problems.append(f"outputs.{pattern!r}: the run {what}")
        for path in found:
            chosen.setdefault(path, policy)
    return chosen, problems


def _output(path: str, place: Path, policy: OutputPolicy) -> ComparedOutput:
    return ComparedOutput(
        path=path,
        kind=policy.kind,
        sha256=Digest.of_file(place),
        size=place.stat().st_size,
        absolute=policy.absolute,
        relative=policy.relative,
        key=policy.key,
        sanitize=policy.sanitize,
        gate=policy.gate,
    )


def _content(output: ComparedOutput, place: Path) -> tuple[list[str], list[str]]:
    """What is wrong with its content, and what an author should know: a file is compared with itself."""
    if output.kind == "bytes":
        return [], []
    if not is_kept(output):
        most = f"contents are kept and compared up to {MOST_BYTES >> 20} MiB"
        return [], [f"output {output.path} has {output.size} bytes, and {most}: it is held to the same bits"]
    alone = compare_pair(output, place, place)  # with itself
    if alone.status == "unread":
        return [], [f"output {output.path} is held to the same bits, because {alone.summary}"]
    return ([f"{output.path}: {alone.summary}"], []) if alone.status == "moved" else ([], [])


def _same(place: Path, output: ComparedOutput) -> bytes:
    data = place.read_bytes()
    if Digest.of(data) != output.sha256:
        raise CaptureError("an output changed after the run", where=output.path, fix="Capture again, and let it be.")
    return data


def _remove(folder: Path, place: Path) -> None:
    """Remove a file, and the folders that are empty then."""
    with disk_errors(place):
        place.unlink(missing_ok=True)
    with suppress(OSError):
        for parent in _up_to(folder, place):
            parent.rmdir()


def _up_to(folder: Path, place: Path) -> Iterator[Path]:
    yield from (parent for parent in place.parents if parent.is_relative_to(folder))
