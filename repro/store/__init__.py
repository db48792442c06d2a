"""Content-addressed files: a project's own objects, a cache of downloads, and fetching what neither has."""

from repro.store.cache import artifact_cache, http_cache
from repro.store.fetch import Wanted, fetch_all
from repro.store.objects import ObjectStore, project_store, wheel_path
from repro.store.runs import run_directory

__all__ = [
    "ObjectStore",
    "Wanted",
    "artifact_cache",
    "fetch_all",
    "http_cache",
    "project_store",
    "run_directory",
    "wheel_path",
]
