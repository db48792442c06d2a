"""Looking for files by name below a repository, past folders that never hold them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

_PAST = frozenset({".git", ".hg", ".svn", ".dvc", ".repro", "__pycache__", "node_modules", ".ipynb_checkpoints"})


def files_named(root: Path, wanted: Callable[[str], bool]) -> Iterator[Path]:
    """Files whose name is wanted, sorted within each folder; folders that can't be listed count as empty."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _PAST and not _environment(f"{folder}/{name}"))
        yield from (Path(folder, name) for name in sorted(names) if wanted(name))


def _environment(folder: str) -> bool:
    return any(os.path.lexists(f"{folder}/{mark}") for mark in ("pyvenv.cfg", "conda-meta"))
