"""Which commit the source tree of an editable install is at, and what in it differs from that commit."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from repro.capture.packages.sources import repository_source
from repro.errors import CaptureError
from repro.process import run
from repro.words import few

_MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source tree in a git working tree.

    Attributes:
        top: Top of the working tree.
        commit: The last commit that changed anything in the source tree, or None before the first.
        changed: Files of the source tree that are not as committed, new ones included; relative to the source tree.
    """

    top: Path
    commit: str | None
    changed: tuple[str, ...]


def source_state(tree: Path) -> SourceState | None:
    """The state of a source tree; None outside of git. Nothing is written, and nothing of the repository is run."""
    if shutil.which("git") is None:
        return None
    top = _ask(tree, "rev-parse", "--show-toplevel")
    if top is None or not top.strip():
        return None
    commit = _ask(tree, "log", "-1", "--format=%H", "--", ".")
    # Each entry is two letters, a space and a path from the top; a rename is followed by the old path alone.
    listed = _ask(tree, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", ".") or ""
    prefix = (_ask(tree, "rev-parse", "--show-prefix") or "").strip()
    names = sorted(entry[3:].removeprefix(prefix) for entry in listed.split("\0") if entry)
    return SourceState(Path(top.strip()), (commit or "").strip() or None, tuple(names))


def refuse_changes(name: str, tree: Path, state: SourceState) -> None:
    """Raise CaptureError when the source tree isn't as committed."""
    if state.changed:
        raise CaptureError(
            f"the source of {name} has changes that are not committed: {listed(state.changed)}",
            where=str(tree),
            fix='Commit them, or allow them by dirty-source = "bake" in repro.toml, [packages].',
        )


def committed_source(name: str, tree: Path, state: SourceState) -> str | None:
    """Where the committed source is, fit for a lock; None before the first commit.

    Args:
        name: What may be shown of the tree's path when the repository has no remote.
        tree: The source tree.
        state: Its state.
    """
    if state.commit is None:
        return None
    below = tree.resolve().relative_to(state.top.resolve()).as_posix()
    suffix = "" if below == "." else f"#subdirectory={below}"
    changes = " with changes" if state.changed else ""
    return f"{repository_source(tree, name, 'git', state.commit)}{suffix}{changes}"


def listed(names: tuple[str, ...]) -> str:
    """The first few of these names."""
    return few(names, _MOST_NAMES)


def _ask(tree: Path, *arguments: str) -> str | None:
    done = run(["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", tree, *arguments], check=False)
    return None if done.returncode else done.stdout
