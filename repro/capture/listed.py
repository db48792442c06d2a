"""Folders that a run listed or entered: which the image must have, and where it shows something else."""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath

from repro.capture.snapshot import CHECKPOINTS, Ignored, Snapshot
from repro.capture.tracing.file_evidence import Trace

_MOST = 3
"""With more of them the run walks through the project, and what it looks for is not told by folders."""
_WALK = 50
"""With more of them that have nothing to read, the run comes upon them and would not miss them."""
_CODE = {".py", ".ipynb"}


def needed_folders(
    trace: Trace, before: Snapshot, there: Iterable[str], relative: Callable[[str], str | None]
) -> tuple[str, ...]:
    """Folders that an image must have though none of its files is in them: those that the run listed or entered.

    They are relative to the project root, each stands for those above it, too. Those that the run itself makes, or
    makes sure of, are left to it.

    Args:
        trace: What the run did.
        before: The project before it.
        there: Files, relative to the root, that the image has, or has the folders of.
        relative: The path inside the project of an absolute one, or None.
    """
    listed, entered, made = (
        {inside for path in paths if (inside := relative(path)) is not None}
        for paths in (trace.listed, trace.entered, trace.made)
    )
    own = {path for path in listed | entered if not _made(path, made)} & before.folders
    missing = own - _above(there)
    if len(missing) > _WALK:
        missing &= entered
    return tuple(sorted(missing - _above(missing)))


def _made(path: str, made: Collection[str]) -> bool:
    return any(folder in made for folder in (path, *map(str, PurePosixPath(path).parents)))


def _above(paths: Iterable[str]) -> set[str]:
    """All folders that some paths are in."""
    found: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


def listed_warnings(
    root: Path, listed: Iterable[str], before: Snapshot, *, locked: Collection[str], outputs: Collection[str]
) -> Iterator[str]:
    """What an author should know of such folders.

    Imports list folders, too: those with modules tell nothing.

    Args:
        root: Project root, absolute, links resolved.
        listed: Absolute paths of folders.
        before: The project before the run.
        locked: Files that the image has, relative to the root.
        outputs: Files that the run wrote, relative to the root: the image has their folders.
    """
    folders = _project_folders(root, listed, locked)
    yield from _checkpoints(root, folders)
    yield from _absent(folders, before, [*locked, *outputs])
    yield from _partial(folders, before, set(locked), set(outputs))


def _project_folders(root: Path, listed: Iterable[str], locked: Iterable[str]) -> list[str]:
    """Those inside, relative, without the root and those that modules or the subject are in."""
    ignored, top = Ignored(root), f"{root}{os.sep}"
    code = {str(PurePosixPath(path).parent) for path in locked if PurePosixPath(path).suffix in _CODE}
    inside = {path[len(top) :].replace(os.sep, "/").rstrip("/") for path in listed if path.startswith(top)}
    return sorted(path for path in inside - code - {""} if not ignored.has(f"{path}/x"))


def _absent(folders: Iterable[str], before: Snapshot, there: Collection[str]) -> Iterator[str]:
    """Folders that hold something on the laptop, and nothing in the image."""
    missing = [folder for folder in folders if not any(path.startswith(f"{folder}/") for path in there)]
    found = [folder for folder in missing if _holds_data(folder, before)]
    if 0 < len(found) <= _MOST:
        yield (
            f"the run lists {_named(found)}, where the image has no file, because none in there was read: "
            "if it matters what is in there, put it into the image by repro.toml, [files] include"
        )


def _checkpoints(root: Path, folders: Iterable[str]) -> Iterator[str]:
    """Folders in which Jupyter left one of its own, which loaders of images take for a class."""
    found = [folder for folder in folders if (root / folder / CHECKPOINTS).is_dir()]
    if found:
        yield (
            f"the run lists {_named(found[:_MOST])}, where Jupyter has left {CHECKPOINTS}, which no image has: "
            "if the run counts or walks what is in there, delete that folder and capture again"
        )


def _holds_data(folder: str, before: Snapshot) -> bool:
    """Whether there was anything in a folder before the run, and no code."""
    inside = [path for path in before.files if path.startswith(f"{folder}/")]
    return bool(inside) and not any(path.endswith(".py") for path in inside)


def _partial(
    folders: Collection[str], before: Snapshot, locked: Collection[str], outputs: Collection[str]
) -> Iterator[str]:
    """Folders in which files of one kind were read, but not all of them."""
    wanted, read, unread = set(folders), Counter[str](), Counter[str]()
    examples: dict[str, str] = {}
    for path in before.files:
        folder, _, name = path.rpartition("/")
        suffix = PurePosixPath(name).suffix
        if folder in wanted and suffix and path not in outputs:
            kind = f"{folder}/*{suffix}"
            (read if path in locked else unread)[kind] += 1
            if path not in locked:
                examples.setdefault(kind, name)
    found = sorted(kind for kind in unread if read[kind])
    for kind in found if len(found) <= _MOST else ():
        yield (
            f"the run lists {kind.rpartition('/')[0]}/ and reads {read[kind]} of its {read[kind] + unread[kind]} files "
            f"{kind.rpartition('/')[2]}: the image has only these, not {examples[kind]} for one; if their number or "
            f'their names matter, [files] include = ["{kind}"] in repro.toml'
        )


def _named(folders: Iterable[str]) -> str:
    return ", ".join(f"{folder}/" for folder in folders)
