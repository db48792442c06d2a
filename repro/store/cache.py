"""The user's cache: what can be had again at any time and may be deleted at any time."""

import os
from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_cache_dir

from repro.realpaths import expanded
from repro.store.objects import ObjectStore


def cache_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """REPRO_CACHE_DIR, else the place that the operating system has for caches."""
    named = environ.get("REPRO_CACHE_DIR")
    return expanded(named) if named else Path(user_cache_dir("repro", appauthor=False))


def artifact_cache(environ: Mapping[str, str] = os.environ) -> ObjectStore:
    """Downloaded files by digest, laid out like a project's object store."""
    return ObjectStore(cache_directory(environ) / "artifacts", durable=False)


def http_cache(environ: Mapping[str, str] = os.environ) -> Path:
    """Where answers of package indexes are kept for as long as they allow."""
    return cache_directory(environ) / "http"
