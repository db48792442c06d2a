"""Lock → pylock.toml (PEP 751), for pip, uv and whatever else reads it."""

import json
import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.markers import Marker
from packaging.pylock import Package as LockedPackage
from packaging.pylock import PackageWheel, Pylock
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from repro.lock import Lock, Package, PackageFile
from repro.store import wheel_path

_MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}


def pylock(lock: Lock, root: str = ".") -> str:
    """The packages of all targets as a pylock.toml, valid by the specification.

    Wheels that were made at capture are named by a path relative to the file.

    Args:
        lock: What was captured.
        root: The project root as a POSIX path relative to the directory that the file is for.

    Raises:
        packaging.pylock.PylockValidationError: The lock holds what the specification doesn't allow.
    """
    document = Pylock(
        lock_version=Version("1.0"),
        environments=[_marker(target) for target in sorted(lock.targets)],
        requires_python=SpecifierSet(f"=={'.'.join(lock.python.version.split('.')[:2])}.*"),
        created_by="repro",
        packages=[_package(package, lock, root) for package in sorted(lock.packages, key=lambda package: package.name)],
    )
    document.validate()
    return "".join(_toml(document.to_dict()))


def _marker(target: str) -> Marker:
    return Marker(f"sys_platform == 'linux' and platform_machine == '{_MACHINES[target]}'")


def _package(package: Package, lock: Lock, root: str) -> LockedPackage:
    covered = {target for file in package.files for target in file.targets}
    partial = sorted(covered) if covered != set(lock.targets) else []
    return LockedPackage(
        name=canonicalize_name(package.name),
        version=Version(package.version),
        marker=Marker(" or ".join(f"({_marker(target)})" for target in partial)) if partial else None,
        index=package.source if package.origin == "index" and "://" in package.source else None,
        wheels=[_wheel(file, root) for file in sorted(package.files, key=lambda file: file.name)],
    )


def _wheel(file: PackageFile, root: str) -> PackageWheel:
    return PackageWheel(
        name=file.name,
        url=file.url,
        path=None if file.url else posixpath.normpath(posixpath.join(root, wheel_path(file.sha256, file.name))),
        size=file.size,
        hashes={"sha256": file.sha256.hex},
    )


def _toml(document: Mapping[str, Any]) -> Iterator[str]:
    """Just the TOML that a pylock needs: plain keys, then an array of tables with inline tables for wheels."""
    for key, value in document.items():
        if key != "packages" or not value:
            yield f"{key} = {_value(value)}\n"
    for package in document["packages"]:
        yield "\n[[packages]]\n"
        for key, value in package.items():
            yield f"{key} = {_value(value)}\n" if key != "wheels" else _wheels(value)


def _wheels(wheels: list[Mapping[str, Any]]) -> str:
    lines = "".join(f"    {_value(wheel)},\n" for wheel in wheels)
    return f"wheels = [\n{lines}]\n"


def _value(value: Any) -> str:
    match value:
        case int():
            return str(value)
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case Mapping():
            return f"{{ {', '.join(f'{key} = {_value(item)}' for key, item in value.items())} }}"
        case _:
            return f"[{', '.join(_value(item) for item in value)}]"
