"""Files that a run reads although they never count: what their author has to know, since no image has them."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from repro.capture.hashing import shown
from repro.capture.outside import NOT_NEEDED
from repro.capture.roles import matches
from repro.capture.snapshot import CHECKPOINTS, REPOSITORIES, ignored_file

_DATA = frozenset({CHECKPOINTS, "node_modules"})
"""Ignored folders that a walk over a project's data comes upon; in the other ones tools read what is theirs."""


@dataclass(frozen=True, slots=True)
class PassedOver:
    """What is wrong with reading such files: `problems` stop a capture, `warnings` are for the author."""

    problems: tuple[str, ...]
    warnings: tuple[str, ...]


def passed_over(root: Path, read: Iterable[str], exclude: tuple[str, ...]) -> PassedOver:
    """Look for them among what Python code read and did not write.

    Args:
        root: Project root.
        read: Paths relative to the root.
        exclude: Globs of repro.toml: files that the run can do without.
    """
    problems, repositories = set[str](), set[str]()
    for path in read:
        why = _why(path)
        if why is None or matches(path, exclude) or not os.path.isfile(root / path):  # noqa: PTH113 - text stays text
            continue
        if why in REPOSITORIES:
            repositories.add(why)
        else:
            problems.add(
                f"{shown(path)} is read, but {shown(why)} never becomes part of an image; delete it, let the run pass "
                f"it over, or, {NOT_NEEDED}"
            )
    warnings = (
        f"the run reads {one}, which no image has; if a result depends on it, keep what it needs of it as a file"
        for one in sorted(repositories)
    )
    return PassedOver(tuple(sorted(problems)), tuple(warnings))


def _why(path: str) -> str | None:
    """The name of a folder, or of the file itself, that never counts."""
    *folders, name = path.split("/")
    found = next((one for one in (*folders, name) if one in REPOSITORIES | _DATA), None)
    return found or (name if ignored_file(name) and name != "repro.lock" else None)
