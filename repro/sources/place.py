"""Giving a fetched file its name in the project: at once, and never over something that nobody was asked about."""

import errno
import os
import shutil
from pathlib import Path

from repro.digest import Digest
from repro.errors import InfrastructureError, UsageError
from repro.files import PLACE, atomic_file, disk_errors, sync
from repro.sources.look import Seen


def place(content: Path, one: Seen, root: Path) -> None:
    """Move fetched and checked content to its place.

    Args:
        content: A file that may be used up.
        one: What was at the place; if there was nothing, there must still be nothing.
        root: The project, which the place must not have left meanwhile.

    Raises:
        UsageError: Somebody has put something there meanwhile.
        InfrastructureError: The disk refuses.
    """
    mode = 0o755 if one.file.executable else 0o644
    with disk_errors(one.target, PLACE):
        one.target.parent.mkdir(parents=True, exist_ok=True)
    if not one.target.parent.resolve().is_relative_to(root.resolve()):
        raise InfrastructureError("its folder leads out of the project now", fix="Run `repro pull` again.")
    with disk_errors(one.target):
        try:
            content.chmod(mode)
            if one.state == "absent" and not one.target.is_symlink():
                _link(content, one.target, mode)
            else:
                _replace(content, one.target, mode)
        except (FileExistsError, FileNotFoundError) as error:
            _check_other(one, error)
            content.unlink(missing_ok=True)
        sync(one.target.parent)


def _check_other(one: Seen, error: OSError) -> None:
    """Another pull may have been faster: what is there now is right, or it is left alone."""
    if not (one.target.is_file() and Digest.of_file(one.target) == one.file.sha256):
        raise UsageError(
            "something was put there meanwhile, and is left alone", fix="Run `repro pull` again."
        ) from error


def _link(content: Path, target: Path, mode: int) -> None:
    """Give the name only if it is free; where there are no hard links, a look before has to do."""
    try:
        target.hardlink_to(content)
        content.unlink()
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError:
        if os.path.lexists(target):
            raise FileExistsError from None
        _replace(content, target, mode)


def _replace(content: Path, target: Path, mode: int) -> None:
    try:
        content.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with content.open("rb") as source, atomic_file(target, mode) as stream:  # the folder is another disk
            shutil.copyfileobj(source, stream, 1 << 20)
        content.unlink()
