"""Folders that a run listed and that an image shows otherwise, for it has no files but the locked ones."""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath

from repro.capture.snapshot import Ignored, Snapshot

_MOST = 3
"""With more of them the run walks through the project, and what it looks for is not told by folders."""
_TICK_NS = 20_000_000
"""File systems take times from a clock that lags behind by up to a tick of the kernel."""
_CODE = {".py", ".ipynb"}


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
    yield from _absent(root, folders, before, [*locked, *outputs])
    yield from _partial(folders, before, set(locked), set(outputs))


def _project_folders(root: Path, listed: Iterable[str], locked: Iterable[str]) -> list[str]:
    """Those inside, relative, without the root and those that modules or the subject are in."""
    ignored, top = Ignored(root), f"{root}{os.sep}"
    code = {str(PurePosixPath(path).parent) for path in locked if PurePosixPath(path).suffix in _CODE}
    inside = {path[len(top) :].replace(os.sep, "/").rstrip("/") for path in listed if path.startswith(top)}
    return sorted(path for path in inside - code - {""} if not ignored.has(f"{path}/x"))


def _absent(root: Path, folders: Iterable[str], before: Snapshot, there: Collection[str]) -> Iterator[str]:
    """Folders that an image doesn't have at all: listing them fails there."""
    missing = [folder for folder in folders if not any(path.startswith(f"{folder}/") for path in there)]
    found = [folder for folder in missing if _was_there(root, folder, before)]
    if 0 < len(found) <= _MOST:
        yield (
            f"the run lists {_named(found)}, which the image won't have, because no file in there was read: "
            "let the run make what it needs (os.makedirs(…, exist_ok=True)), "
            "or put files into the image by repro.toml, [files] include"
        )


def _was_there(root: Path, folder: str, before: Snapshot) -> bool:
    """Whether a folder without code was there before the run."""
    inside = [path for path in before.files if path.startswith(f"{folder}/")]
    if inside:
        return not any(path.endswith(".py") for path in inside)
    try:
        return (root / folder).stat().st_ctime_ns < before.taken_ns - _TICK_NS
    except OSError:
        return False


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
