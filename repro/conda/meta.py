"""The record of a linked package in `conda-meta`, as conda and its like read it; nothing in it is of this machine.

Source: conda's and rattler's PrefixRecord; what both read is written.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from repro.conda.environment import META
from repro.conda.paths import PackagePath
from repro.digest import Digest
from repro.lock import CondaPackage

_OF_CHANNEL = {"channel", "url", "fn", "md5", "sha256", "size", "depends", "name", "version", "build", "subdir"}


@dataclass(frozen=True, slots=True)
class LinkedPath:
    """A path that was linked.

    Attributes:
        path: Below the prefix.
        kind: `hardlink`, `softlink`, `directory` or `unix_python_entry_point`.
        sha256: Digest of what is there, of a link's text for a link; None for a directory.
        size: Bytes of what is there.
        source: What the package says of it; None for what was made for it.
    """

    path: str
    kind: str
    sha256: Digest | None
    size: int | None
    source: PackagePath | None = None


def record_name(package: CondaPackage) -> str:
    """Where a package's record is, below the prefix."""
    return f"{META}/{package.name}-{package.version}-{package.build}.json"


def render_record(package: CondaPackage, index: Mapping[str, Any], linked: Iterable[LinkedPath]) -> bytes:
    """The record's text, the same for the same inputs.

    Args:
        package: What the lock says of it; that counts where a channel says something else than the package.
        index: The package's own info/index.json.
        linked: What is in the prefix now.
    """
    paths = sorted(linked, key=lambda one: one.path)
    document = {
        **{key: value for key, value in index.items() if key not in _OF_CHANNEL},
        **_identity(package),
        **({"requested_spec": package.name, "requested_specs": [package.name]} if package.requested else {}),
        "files": [one.path for one in paths],
        "paths_data": {"paths_version": 1, "paths": [_path(one) for one in paths]},
    }
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode() + b"\n"


def _identity(package: CondaPackage) -> dict[str, Any]:
    """Which package this is, and where it is from. Readers insist on a URL, so all get one, be it of nowhere."""
    return {
        "name": package.name,
        "version": package.version,
        "build": package.build,
        "channel": package.channel,
        "subdir": package.subdir,
        "fn": package.file,
        "url": package.url or f"file:///{package.subdir}/{package.file}",
        "sha256": package.sha256.hex,
        "size": package.size,
        "depends": list(package.depends),
        **({"md5": package.md5} if package.md5 else {}),
    }


def _path(one: LinkedPath) -> dict[str, Any]:
    source = one.source
    stated = (source.sha256 if source else None) or one.sha256
    fields: dict[str, Any] = {"_path": one.path, "path_type": one.kind}
    if stated is not None:
        fields["sha256"] = stated.hex
    if one.sha256 is not None:
        fields["sha256_in_prefix"] = one.sha256.hex
    if one.size is not None:
        fields["size_in_bytes"] = one.size
    if source is not None and source.placeholder is not None:
        fields["file_mode"] = "binary" if source.binary else "text"
        fields["prefix_placeholder"] = source.placeholder
    return fields
