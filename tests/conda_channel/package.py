"""A conda package as a value, and what its `info` folder says; `archives` writes it.

Sources: conda-build's package specification, CEP 34 (package contents), CEP 20 (`python_site_packages_path`).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

_ROOT = "/home/conda/feedstock_root/build_artifacts/bld/rattler-build_demo_1767225600/host_env"
PLACEHOLDER = (_ROOT + "_placehold" * 25)[:255]
"""The prefix that packages were built in: as long as conda allows a prefix to be."""
TIMESTAMP = 1767225600
"""Seconds since 1970 of every build and every file: 2026-01-01."""

FileMode = Literal["text", "binary"]
PathType = Literal["hardlink", "softlink", "directory"]


@dataclass(frozen=True, slots=True)
class Member:
    """A file, link or empty directory.

    Attributes:
        path: Below the prefix, or `site-packages/…` and `python-scripts/…` in noarch Python packages.
        data: A file's content, with `PLACEHOLDER` where the prefix belongs.
        kind: What it is.
        target: Where a link points.
        executable: Whether a file is a program.
    """

    path: str
    data: bytes = b""
    kind: PathType = "hardlink"
    target: str = ""
    executable: bool = False

    @property
    def mode(self) -> FileMode | None:
        """How the prefix is to be replaced; None where there is none, or in compiled Python, as conda-build does."""
        if self.path.endswith(".pyc") or PLACEHOLDER.encode() not in self.data:
            return None
        return "binary" if b"\0" in self.data else "text"


@dataclass(frozen=True)
class CondaPackage:
    """What goes into one package.

    Attributes:
        name: The package's name on its channel.
        version: Its version.
        build: Its build string.
        build_number: The number at the build string's end.
        subdir: `linux-64`, `noarch`, ...
        depends: Match specs, as in index.json.
        constrains: Match specs that hold only if their package is there.
        noarch: `python`, `generic` or None.
        entry_points: Of a noarch Python package: `name = module:function`.
        members: The files.
        further: More fields of index.json.
    """

    name: str
    version: str
    build: str
    subdir: str
    build_number: int = 0
    depends: Sequence[str] = ()
    constrains: Sequence[str] = ()
    noarch: Literal["python", "generic"] | None = None
    entry_points: Sequence[str] = ()
    members: Sequence[Member] = ()
    further: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """The archive's name without its ending."""
        return f"{self.name}-{self.version}-{self.build}"

    @cached_property
    def sorted_members(self) -> list[Member]:
        """The members by path."""
        return sorted(self.members, key=lambda member: member.path.encode())


def build_string(prefix: str, hash_input: Mapping[str, str], number: int = 0, suffix: str = "") -> str:
    """`py311h0123456_0`: prefix, seven digits of what the build depended on, number, suffix."""
    digest = hashlib.sha1(json.dumps(hash_input, sort_keys=True).encode(), usedforsecurity=False).hexdigest()
    return f"{prefix}h{digest[:7]}_{number}{suffix}"


def info_members(package: CondaPackage) -> Iterator[Member]:
    """Everything below `info/`."""
    yield _json("about.json", {"home": f"https://example.org/{package.name}", "license": "BSD-3-Clause"})
    yield Member("info/files", "".join(f"{member.path}\n" for member in package.sorted_members).encode())
    placeholders = [f"{PLACEHOLDER} {member.mode} {member.path}\n" for member in package.sorted_members if member.mode]
    if placeholders:
        yield Member("info/has_prefix", "".join(placeholders).encode())
    yield _json("hash_input.json", {"target_platform": package.subdir})
    yield _json("index.json", index_json(package))
    if package.noarch == "python":
        noarch = {"type": "python", **({"entry_points": list(package.entry_points)} if package.entry_points else {})}
        yield _json("link.json", {"noarch": noarch, "package_metadata_version": 1})
    yield _json("paths.json", paths_json(package))


def index_json(package: CondaPackage) -> dict[str, Any]:
    """What the channel's index repeats of the package."""
    architecture = {} if package.subdir == "noarch" else _architecture(package.subdir)
    kind = {"noarch": package.noarch} if package.noarch else {}
    return {
        **architecture,
        "build": package.build,
        "build_number": package.build_number,
        "constrains": list(package.constrains),
        "depends": list(package.depends),
        "license": "BSD-3-Clause",
        "license_family": "BSD",
        "name": package.name,
        **kind,
        "subdir": package.subdir,
        "timestamp": TIMESTAMP * 1000,
        "version": package.version,
        **package.further,
    }


def _architecture(subdir: str) -> dict[str, str]:
    platform, _, machine = subdir.partition("-")
    return {"arch": "x86_64" if machine == "64" else machine, "platform": platform}


def paths_json(package: CondaPackage) -> dict[str, Any]:
    """Each path with its hash and, where the prefix has to be replaced, how."""
    by_path = {member.path: member for member in package.members}
    return {"paths": [_path(member, by_path) for member in package.sorted_members], "paths_version": 1}


def _path(member: Member, by_path: Mapping[str, Member]) -> dict[str, Any]:
    data = _resolved(member, by_path)
    prefix = {"file_mode": member.mode, "prefix_placeholder": PLACEHOLDER} if member.mode else {}
    return {
        "_path": member.path,
        **prefix,
        "path_type": member.kind,
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_in_bytes": len(data),
    }


def _resolved(member: Member, by_path: Mapping[str, Member]) -> bytes:
    """A link's hash is that of the file which it leads to, or of nothing; links here lead to a neighbour."""
    if member.kind != "softlink":
        return member.data
    folder = member.path.rpartition("/")[0]
    return by_path.get(f"{folder}/{member.target}", Member("")).data


def _json(name: str, value: Mapping[str, Any]) -> Member:
    return Member(f"info/{name}", (json.dumps(value, indent=2, sort_keys=True) + "\n").encode())
