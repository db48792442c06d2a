"""Environments of other platforms, as their records have them, and channels that are nothing but an index."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from repro.capture.conda.foreign import Settled
from repro.capture.conda.solve import Published
from repro.conda.environment import CondaPrefix, read_prefix
from repro.progress import Silent

RECORDS = Path(__file__).parents[2] / "conda_records" / "osx-arm64"
"""A Mac's environment with conda-forge's packages of June 2025, and that channel's records of them for linux-64."""
FORGE = "https://conda.anaconda.org/conda-forge"

Index = dict[str, dict[str, Any]]
"""Records of a channel's subdir by file name."""


class Told(Silent):
    """Remembers warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def entry(spec: str, *depends: str, subdir: str = "linux-64", **more: Any) -> Index:
    """A package of an index, from `name=version=build`."""
    name, version, build = spec.split("=")
    file = f"{name}-{version}-{build}.conda"
    hashes = {"md5": hashlib.md5(file.encode()).hexdigest(), "sha256": hashlib.sha256(file.encode()).hexdigest()}
    plain = {"name": name, "version": version, "build": build, "build_number": 0, "subdir": subdir, "size": 1000}
    return {file: {**plain, "depends": list(depends), **hashes, **more}}


def write_index(channel: Path, *entries: Index) -> None:
    """The index of a channel: each package in its subdir, and a `noarch` in any case."""
    by_subdir: dict[str, Index] = {"noarch": {}}
    for one in entries:
        for file, record in one.items():
            by_subdir.setdefault(record["subdir"], {})[file] = record
    for subdir, records in by_subdir.items():
        (channel / subdir).mkdir(parents=True, exist_ok=True)
        document = {"info": {"subdir": subdir}, "packages": {}, "packages.conda": records, "repodata_version": 1}
        (channel / subdir / "repodata.json").write_text(json.dumps(document), encoding="utf-8")


def write_environment(
    prefix: Path, entries: Iterable[Index], *, asked: Sequence[str] = (), channel: str = FORGE
) -> CondaPrefix:
    """The records of an environment that has these packages from one channel."""
    records = {}
    for one in entries:
        for file, record in one.items():
            spec = {"requested_spec": record["name"]} if record["name"] in asked else {}
            place = {"channel": channel, "url": f"{channel}/{record['subdir']}/{file}", "fn": file, "files": []}
            records[file.removesuffix(".conda") + ".json"] = {**record, **place, **spec}
    return write_records(prefix, records)


def write_records(prefix: Path, records: Mapping[str, Mapping[str, Any]]) -> CondaPrefix:
    """An environment of nothing but its `conda-meta`, read again; records join those that are there."""
    (prefix / "conda-meta").mkdir(parents=True, exist_ok=True)
    for file, record in records.items():
        (prefix / "conda-meta" / file).write_text(json.dumps(record), encoding="utf-8")
    return read_prefix(prefix)


def macos() -> dict[str, dict[str, Any]]:
    """The records of a Mac's environment: Python, pip and ipykernel of conda-forge."""
    found: dict[str, dict[str, Any]] = json.loads((RECORDS / "conda-meta.json").read_bytes())
    return found


def forge() -> tuple[Index, Index]:
    """What conda-forge has of those and of what they need on Linux."""
    return json.loads((RECORDS / "linux-64.json").read_bytes()), json.loads((RECORDS / "noarch.json").read_bytes())


def at(folders: Mapping[str, Path]) -> Callable[[str, str], Path | None]:
    """Indexes of channels whose URLs can't be reached, as files."""

    def repodata(channel: str, subdir: str) -> Path | None:
        path = folders[channel] / subdir / "repodata.json"
        return path if path.is_file() else None

    return repodata


class Announced:
    """Takes a channel's word for what its archives are."""

    def settled(self, package: Published) -> Settled:
        assert package.sha256 is not None
        assert package.size is not None
        return Settled(package.sha256, package.size, package.url)
