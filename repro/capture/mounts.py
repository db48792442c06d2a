"""Which locked files stay out of the image: data and models that the author's globs name."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from repro.capture.roles import matches
from repro.lock import LockedFile

_MOUNTED_ROLES = ("data", "model")


def mark_mounted(files: Iterable[LockedFile], globs: tuple[str, ...]) -> tuple[LockedFile, ...]:
    """The files, those marked that are data or models and match a glob. Code is always in the image."""
    if not globs:
        return tuple(files)
    return tuple(
        replace(file, mount=True) if file.role in _MOUNTED_ROLES and matches(file.path, globs) else file
        for file in files
    )


def mount_warnings(files: Iterable[LockedFile], globs: tuple[str, ...]) -> Iterator[str]:
    """A sentence for each glob that keeps nothing out of the image: it may be misspelled, or name only code."""
    known = tuple(files)
    for glob in globs:
        found = [file for file in known if matches(file.path, (glob,))]
        if not found:
            yield f"[files] mount: no file that was locked matches {glob!r}"
        elif not any(file.mount for file in found):
            yield (
                f"[files] mount: {glob!r} matches no data and no model, only {found[0].role}, which is always in the "
                f"image ({found[0].path}); if it is data, say so in [files] data"
            )
