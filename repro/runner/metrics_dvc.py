"""Which files a `dvc.yaml` calls metrics: at its top and in its stages. Plots and parameters are none."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .found import Found

DVC_FILE = "dvc.yaml"


def dvc_metrics(root: Path, name: str, found: Found) -> list[str]:
    """The metrics files of one `dvc.yaml`, relative to the root; what can't be told is a warning in `found`."""
    import yaml  # noqa: PLC0415 - only where there is YAML

    try:
        document: Any = yaml.safe_load((root / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        found.warnings.append(f"{name} can't be read, so the metrics that it names were not looked for: {error}")
        return []
    paths: dict[str, None] = {}
    for folder, path in _named(document):
        place = posixpath.normpath(posixpath.join(posixpath.dirname(name), folder, path))
        if "${" in place:
            found.warnings.append(f"{name}: {path} has a variable; name the file in repro.toml, [metrics] files")
        elif place.startswith(("/", "../")) or place in (".", ".."):
            found.warnings.append(f"{name}: {path} lies outside the project, so it was not looked for")
        else:
            paths[place] = None
    return list(paths)


def _named(document: Any) -> Iterator[tuple[str, str]]:
    """(folder that it is relative to, path) of each, `wdir` of stages followed."""
    if not isinstance(document, Mapping):
        return
    yield from (("", path) for path in _paths(document.get("metrics")))
    stages = document.get("stages")
    for stage in stages.values() if isinstance(stages, Mapping) else ():
        body = stage.get("do", stage) if isinstance(stage, Mapping) else None
        if isinstance(body, Mapping):
            folder = body.get("wdir")
            yield from ((folder if isinstance(folder, str) else "", path) for path in _paths(body.get("metrics")))


def _paths(metrics: Any) -> Iterator[str]:
    """Each is a path, or a path with options (`cache: false`)."""
    for item in metrics if isinstance(metrics, list) else [metrics]:
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping):
            yield from (path for path in item if isinstance(path, str))
