"""The project's own absolute path in its code: it is kept working in the image, where that can be done."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from repro.lock import LockedFile

_TAKEN = frozenset({"dev", "opt", "out", "proc", "run", "sys", "tmp", "work"})
"""At the top of an image, these are its own, or the engine mounts something there."""
_MOST = 1 << 20
"""Bytes of a configuration file that may be looked into."""


def named_root(root: Path, sources: Iterable[str], files: Iterable[LockedFile]) -> tuple[str | None, tuple[str, ...]]:
    """The project's path, if its code or configuration names it, and warnings where the image can't have it.

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
    if not any(_names(text, spelled) for text in (*sources, *settings)):
        return None, ()
    if not spelled.startswith("/"):
        return None, (f"the code names the project's own path, {spelled}, which an image can't have: {_CURE}",)
    if PurePosixPath(spelled).parts[1] in _TAKEN:
        return None, (f"the code names the project's own path, {spelled}, where an image has something else: {_CURE}",)
    return spelled, (
        f"the code names the project's own path: in the image, {spelled} leads to the run's files; {_CURE}",
    )


_CURE = "paths relative to the notebook or script work everywhere"


def _names(text: str, root: str) -> bool:
    """Whether a text has the path as a whole, not as the beginning of a longer name."""
    start = text.find(root)
    while start >= 0:
        after = text[start + len(root) : start + len(root) + 1]
        if not (after.isalnum() or after in {"-", "_", "."}):
            return True
        start = text.find(root, start + 1)
    return False
