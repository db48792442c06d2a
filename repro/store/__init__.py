"""Content-addressed files: a project's own objects, a cache of downloads; `repro.store.fetch` gets what neither has."""

from repro.store.cache import artifact_cache, http_cache
from repro.store.objects import ObjectStore, project_store, wheel_path
from repro.store.runs import kept_runs, run_directory

__all__ = [
    "ObjectStore",
    "artifact_cache",
    "http_cache",
    "kept_runs",
    "project_store",
    "run_directory",
    "wheel_path",
]
