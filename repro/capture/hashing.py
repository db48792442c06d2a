"""Project files → locked files: each hashed once, in threads, and none that moves meanwhile."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from repro.capture.snapshot import FileState
from repro.digest import Digest
from repro.lock import LockedFile, Role

_THREADS = 4


def lock_files(
    root: Path,
    paths: Iterable[str],
    *,
    states: Mapping[str, FileState],
    role: Callable[[str], Role],
    digest: Callable[[Path], Digest] = Digest.of_file,
) -> tuple[tuple[LockedFile, ...], tuple[str, ...]]:
    """Hash files of a project. A link is locked under its own path with the content that it leads to.

    Args:
        root: Project root.
        paths: POSIX paths relative to it.
        states: How the files were when the run ended, as far as known.
        role: What a path is to the evaluation.
        digest: Hashes a file.

    Returns:
        The locked files, sorted by path, and a sentence for each that can't be locked.
    """
    files: list[LockedFile] = []
    problems: list[str] = []

    def one(path: str) -> LockedFile | str:
        return unsayable(path) or _lock(root, path, states.get(path), role(path), digest)

    with ThreadPoolExecutor(_THREADS) as pool:  # hashlib lets other threads run while it hashes
        for result in pool.map(one, sorted(paths)):
            if isinstance(result, LockedFile):
                files.append(result)
            else:
                problems.append(result)
    return tuple(files), tuple(problems)


def unsayable(path: str) -> str:
    """The problem of a name that isn't Unicode, so that no lock can hold it; else an empty string."""
    return "" if sayable(path) else f"{shown(path)}: its name is not UTF-8; rename it, or exclude it in repro.toml"


def sayable(path: str) -> bool:
    """Whether a name is Unicode: what isn't came in as lone surrogates (PEP 383)."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(path: str) -> str:
    """A path as it can be printed."""
    return path.encode("utf-8", "backslashreplace").decode()


def _lock(
    root: Path, path: str, known: FileState | None, role: Role, digest: Callable[[Path], Digest]
) -> LockedFile | str:
    file = root / path
    try:
        before = file.stat()
        sha256 = digest(file)
        after = file.stat()
    except OSError as error:
        return f"{path} can't be read: {error.strerror}"
    if len({known or FileState.of(before), FileState.of(before), FileState.of(after)}) > 1:
        return f"{path} changed after the run, while it was being hashed; let nothing write to it during capture"
    return LockedFile(path, role, sha256, after.st_size, bool(after.st_mode & 0o100))
