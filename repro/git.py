"""Asking git about a repository that somebody else may have made."""

import os
import subprocess
from pathlib import Path


def git(repository: Path, *args: str, timeout: float, stdin: bytes = b"") -> bytes | None:
    """What git prints; None when it fails or isn't there. Nothing is written, no program of the repository is run.

    Args:
        repository: A folder in it.
        args: The command.
        timeout: Seconds, after which it counts as failed.
        stdin: What it reads.
    """
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", *args],  # noqa: S607 - the git that people use
            cwd=repository,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C.UTF-8"},
            input=stdin,
            capture_output=True,
            timeout=timeout,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
