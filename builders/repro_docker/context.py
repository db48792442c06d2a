"""The build context: every file the Dockerfile needs, in one order with one owner and time, as a tar or a directory.

Nothing is copied aside first. What is read from disk is hashed on its way, so that a file which changed after it
was checked can't slip into the image.
"""

import hashlib
import os
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath

from repro.errors import IntegrityError
from repro.files import disk_errors
from repro.plan import Artifacts, BuildPlan, Content, Directory, InlineFile, Item, Layer, Link, ProjectFile
from repro_docker.compile_plan import compile_files
from repro_docker.dockerfile import render_dockerfile
from repro_docker.install_wheels import MTIME
from repro_docker.layout import (
    DOCKERFILE,
    FILES,
    INSTALL,
    MANIFEST,
    SCRIPT,
    archive_path,
    archives_of,
    manifest,
    wheel_path,
    wheels_of,
)

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, directory or link of the context.

    Attributes:
        path: POSIX path in the context.
        mode: Permission bits.
        source: A file's bytes, or their name in the artifacts; None for a directory; a link's target.
    """

    path: str
    mode: int
    source: bytes | Content | str | None

    @property
    def size(self) -> int:
        """Bytes of a file's content."""
        if isinstance(self.source, bytes):
            return len(self.source)
        return self.source.size if isinstance(self.source, Content) else 0


def context_entries(plan: BuildPlan) -> list[Entry]:
    """Everything in the context, sorted by path, each directory before what it holds. Pure."""
    found = {entry.path: entry for entry in _entries(plan)}
    for path in list(found):
        for parent in PurePosixPath(path).parents:
            if str(parent) != ".":
                found.setdefault(str(parent), Entry(str(parent), 0o755, None))
    return sorted(found.values(), key=lambda entry: PurePosixPath(entry.path).parts)


def context_size(plan: BuildPlan) -> int:
    """Bytes of all files."""
    return sum(entry.size for entry in context_entries(plan))


def stream_context(plan: BuildPlan, artifacts: Artifacts, advance: Callable[[int], None]) -> Iterator[bytes]:
    """The context as a tar, piece by piece; `advance` is told the bytes of content that have gone by.

    Raises:
        IntegrityError: An artifact's bytes are no longer those that the plan names.
    """
    for entry in context_entries(plan):
        yield _header(entry)
        for block in read_entry(entry, artifacts):
            advance(len(block))
            yield block
        yield b"\0" * (-entry.size % tarfile.BLOCKSIZE)
    yield b"\0" * (2 * tarfile.BLOCKSIZE)


def write_context(plan: BuildPlan, artifacts: Artifacts, directory: Path) -> Path:
    """The context as files below an empty directory; returns the Dockerfile. Raises as `stream_context` does."""
    entries = context_entries(plan)
    for entry in entries:
        target = directory / entry.path
        with disk_errors(target):
            _write_entry(entry, artifacts, target)
    for entry in reversed(entries):
        target = directory / entry.path
        if entry.source is None:
            target.chmod(entry.mode)
        os.utime(target, (MTIME, MTIME), follow_symlinks=False)
    return directory / DOCKERFILE


def read_entry(entry: Entry, artifacts: Artifacts) -> Iterator[bytes]:
    """A file's content in blocks. The last block is held back until all of them proved to be what the plan names."""
    match entry.source:
        case bytes():
            yield entry.source
        case Content():
            yield from _checked(entry.source, artifacts[entry.source.sha256])


def _checked(content: Content, path: Path) -> Iterator[bytes]:
    hasher = hashlib.sha256()
    left = content.size
    held = b""
    with path.open("rb") as stream:
        while left > 0 and (block := stream.read(min(_BLOCK, left))):
            hasher.update(block)
            left -= len(block)
            if held:
                yield held
            held = block
        longer = bool(stream.read(1))
    if left or longer or hasher.hexdigest() != content.sha256.hex:
        found = "another size" if left or longer else f"sha256 {hasher.hexdigest()}"
        raise IntegrityError(
            f"the file changed while the image was being built: expected sha256 {content.sha256.hex}, found {found}",
            where=content.label,
            fix="Make sure that nothing writes to the project during a build, then build again.",
        )
    if held:
        yield held


def _write_entry(entry: Entry, artifacts: Artifacts, target: Path) -> None:
    match entry.source:
        case None:
            target.mkdir(parents=True, exist_ok=True)
        case str():
            target.symlink_to(entry.source)
        case _:
            with target.open("wb") as stream:
                for block in read_entry(entry, artifacts):
                    stream.write(block)
            target.chmod(entry.mode)


def _header(entry: Entry) -> bytes:
    info = tarfile.TarInfo(entry.path)
    info.mode, info.size, info.mtime = entry.mode, entry.size, MTIME
    match entry.source:
        case None:
            info.type = tarfile.DIRTYPE
        case str():
            info.type, info.linkname = tarfile.SYMTYPE, entry.source
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _entries(plan: BuildPlan) -> Iterator[Entry]:
    script = resources.files("repro_docker").joinpath("install_wheels.py").read_bytes().replace(b"\r\n", b"\n")
    installer = plan.installer
    yield Entry(DOCKERFILE, 0o644, render_dockerfile(plan).encode())
    yield Entry(SCRIPT, 0o644, script)
    yield Entry(MANIFEST, 0o644, manifest(plan))
    yield from (Entry(path, 0o644, data) for path, data in compile_files(plan))
    yield Entry(f"{INSTALL}/{installer.name}", 0o644, Content(installer.sha256, installer.size, installer.name))
    for layer in plan.layers:
        yield from _layer_entries(layer)


def _layer_entries(layer: Layer) -> Iterator[Entry]:
    for wheel in wheels_of(layer):
        file = wheel.file
        yield Entry(wheel_path(layer, wheel), 0o644, Content(file.sha256, file.size, file.name))
    for content in archives_of(layer):
        yield Entry(archive_path(content), 0o644, content)
    for item in layer.items:
        entry = _item_entry(item, f"{FILES}/{layer.name}")
        if entry is not None:
            yield entry


def _item_entry(item: Item, top: str) -> Entry | None:
    match item:
        case ProjectFile(content, destination, mode):
            return Entry(f"{top}{destination}", mode, content)
        case InlineFile(data, destination, mode):
            return Entry(f"{top}{destination}", mode, data)
        case Directory(destination, mode):
            return Entry(f"{top}{destination}", mode, None)
        case Link(destination, target):
            return Entry(f"{top}{destination}", 0o777, target)
        case _:
            return None
