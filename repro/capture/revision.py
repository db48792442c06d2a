"""Where the project is in version control, asked of git, which changes nothing by it."""

import os
import subprocess
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from repro.lock import Revision
from repro.urls import redact

_PATIENCE = 60
_MOST = 500
"""Paths on one command line."""
_SUBMODULE = "160000"


def read_revision(root: Path, files: Collection[str]) -> Revision | None:
    """The last commit that changed one of these files, and which of them differ from what is committed.

    Args:
        root: The project.
        files: POSIX paths relative to it.

    Returns:
        None without git, outside of a repository, and before the first commit.
    """
    git = _Git(root)
    head = git.line("rev-parse", "--verify", "--quiet", "HEAD")
    if head is None:
        return None
    branch = git.line("symbolic-ref", "--short", "--quiet", "HEAD")
    return Revision(
        commit=_last_commit(git, sorted(files)) or head,
        branch=branch,
        remote=_remote(git, branch),
        changed=tuple(sorted(_changed(git, root, files))),
        submodules=dict(_submodules(git, root, files)),
    )


class _Git:
    """Questions to git about one directory. Nothing is written, and no program that the repository names is run."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def ask(self, *args: str) -> str | None:
        """What a command prints; None when it fails, or there is no git."""
        command = ["git", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false", *args]
        try:
            done = subprocess.run(
                command,
                cwd=self._root,
                env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_PATIENCE,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return os.fsdecode(done.stdout)

    def line(self, *args: str) -> str | None:
        """The one line that a command prints; None for none."""
        return (self.ask(*args) or "").strip() or None

    def names(self, *args: str) -> set[str]:
        """The paths that a command prints, NUL after each."""
        return {name for name in (self.ask(*args) or "").split("\0") if name}


def _last_commit(git: _Git, files: Sequence[str]) -> str | None:
    paths = files if len(files) <= _MOST else [".", ":(exclude,glob)**/repro.lock"]
    return git.line("log", "-1", "--format=%H", "--", *paths)


def _remote(git: _Git, branch: str | None) -> str | None:
    """The URL of the branch's remote, failing that of `origin`."""
    named = git.line("config", "--get", f"branch.{branch}.remote") if branch else None
    url = git.line("config", "--get", f"remote.{named or 'origin'}.url")
    if url is None or Path(url).is_absolute():
        return None  # a directory of this laptop means nothing elsewhere
    return redact(url)


def _changed(git: _Git, root: Path, files: Collection[str]) -> set[str]:
    differing = git.names("diff", "--name-only", "-z", "--relative", "HEAD")
    tracked = git.names("ls-files", "-z")
    inside = [prefix for prefix, _ in _roots(git)]
    own = {file for file in files if not any(file.startswith(f"{prefix}/") for prefix in inside)}
    changed = (own & differing) | (own - tracked)
    for prefix in inside:
        below = {file.removeprefix(f"{prefix}/") for file in files if file.startswith(f"{prefix}/")}
        if below:
            changed |= {f"{prefix}/{file}" for file in _changed(_Git(root / prefix), root / prefix, below)}
    return changed


def _roots(git: _Git) -> Iterator[tuple[str, str]]:
    """Path and recorded commit of each submodule."""
    for line in (git.ask("ls-files", "-z", "--stage") or "").split("\0"):
        facts, _, path = line.partition("\t")
        if facts.startswith(f"{_SUBMODULE} "):
            yield path, facts.split()[1]


def _submodules(git: _Git, root: Path, files: Collection[str]) -> Iterator[tuple[str, str]]:
    """Path and commit of each submodule that files are in; what is checked out, not what is recorded."""
    for path, recorded in sorted(_roots(git)):
        if any(file.startswith(f"{path}/") for file in files):
            yield path, _Git(root / path).line("rev-parse", "--verify", "--quiet", "HEAD") or recorded
