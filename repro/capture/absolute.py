"""The project's own absolute path in its code: it is kept working in the image, where that can be done."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from repro.lock import LockedFile

_TAKEN = frozenset({"dev", "opt", "out", "proc", "run", "sys", "tmp", "work"})
"""At the top of an image, these are its own, or the engine mounts something there."""
_MOST = 1 << 20
"""Bytes of a configuration file that may be looked into."""
_PATH = re.compile(r"(?<![\w.~$}/])/[^'\"\n\0<>|*?{}]{1,1024}")


def named_root(root: Path, sources: Iterable[str], files: Iterable[LockedFile]) -> tuple[str | None, tuple[str, ...]]:
    """The project's path, if its code or configuration names it, and warnings where the image can't have it.

    It may be named by way of a link, as where `/home` is one: then that is the path.

    Args:
        root: The project, absolute, links resolved.
        sources: Texts of the subject and of local modules.
        files: What is locked; configuration files are looked into.
    """
    spelled = root.as_posix()
    settings = (
        (root / file.path).read_text("utf-8", errors="replace")
        for file in files
        if file.role == "config" and file.size <= _MOST
    )
    texts = [*sources, *settings]
    named = [spelled] if any(_names(text, spelled) for text in texts) else []
    named += sorted({link for text in texts for link in _links(text, root)})
    kept = next((one for one in named if _free(one)), None)
    return kept, tuple(f"the code names the project's own path{_said(one, kept)}" for one in named)


_CURE = "paths relative to the notebook or script work everywhere"


def _free(path: str) -> bool:
    """Whether an image can have a link of that name."""
    return path.startswith("/") and PurePosixPath(path).parts[1] not in _TAKEN


def _said(path: str, kept: str | None) -> str:
    if path == kept:
        return f": in the image, {path} leads to the run's files; {_CURE}"
    if _free(path):
        return f" in a second way, {path}, which the image doesn't have: {_CURE}"
    where = "where an image has something else" if path.startswith("/") else "which an image can't have"
    return f", {path}, {where}: {_CURE}"


def _links(text: str, root: Path) -> Iterator[str]:
    """Paths in a text that lead to the root by way of a link; a path that isn't quoted ends at a blank."""
    for found in _PATH.findall(text):
        for path in {found, found.split()[0]}:
            if not path.startswith(f"{root}/") and os.path.realpath(path).startswith(str(root)):
                yield from (str(one) for one in _upwards(path) if one != root and os.path.realpath(one) == str(root))


def _upwards(path: str) -> Iterator[Path]:
    whole = Path(path.rstrip("/") or "/")
    yield from (whole, *whole.parents)


def _names(text: str, root: str) -> bool:
    """Whether a text has the path as a whole, not as the beginning of a longer name."""
    start = text.find(root)
    while start >= 0:
        after = text[start + len(root) : start + len(root) + 1]
        if not (after.isalnum() or after in {"-", "_", "."}):
            return True
        start = text.find(root, start + 1)
    return False
