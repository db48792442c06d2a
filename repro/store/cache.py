"""The user's cache: what can be had again at any time and may be deleted at any time."""

import contextlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_cache_dir

from repro.files import DiskError
from repro.realpaths import expanded
from repro.store.objects import ObjectStore

_VARIABLE = "REPRO_CACHE_DIR"


def cache_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """REPRO_CACHE_DIR, else the place that the operating system has for caches."""
    named = environ.get(_VARIABLE)
    return expanded(named) if named else Path(user_cache_dir("repro", appauthor=False))


def usable_cache(environ: Mapping[str, str] = os.environ) -> Path:
    """The same for what can't do without it.

    Raises:
        DiskError: Something that is no directory is there, or what this user may not look into.
    """
    path = cache_directory(environ)
    with contextlib.suppress(FileNotFoundError):
        _check(path)
    return path


def _check(path: Path) -> None:
    try:
        reason = None if stat.S_ISDIR(path.stat().st_mode) else "it is no directory"
    except NotADirectoryError:
        reason = "a part of the path is not a directory"
    except PermissionError:
        reason = "permission denied"
    if reason:
        raise DiskError(
            f"the cache can't be there: {reason}",
            where=str(path),
            fix=f"Name a directory that this user may write to with the environment variable {_VARIABLE}.",
        )


def artifact_cache(environ: Mapping[str, str] = os.environ) -> ObjectStore:
    """Downloaded files by digest, laid out like a project's object store. Raises as `usable_cache` does."""
    return ObjectStore(usable_cache(environ) / "artifacts", durable=False)


def http_cache(environ: Mapping[str, str] = os.environ) -> Path:
    """Where answers of package indexes are kept for as long as they allow."""
    return cache_directory(environ) / "http"
