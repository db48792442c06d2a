"""The runner's own packages: pinned by repro (`repro/plan/runner_lock.toml`, PEP 751), found on the user's indexes."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from packaging.pylock import Package as LockedPackage
from packaging.pylock import (
    PackageWheel,
    Pylock,
    PylockSelectError,
    PylockUnsupportedVersionError,
    PylockValidationError,
)

from repro.capture.packages.choose import target_tags
from repro.capture.packages.index import IndexClient, IndexFile
from repro.capture.packages.markers import target_environment
from repro.capture.packages.settings import PYPI
from repro.capture.packages.sources import index_source
from repro.digest import Digest
from repro.errors import IntegrityError, UsageError
from repro.lock import Package, PackageFile
from repro.urls import redact

_FILE = "runner_lock.toml"


@dataclass(slots=True)
class _Pin:
    """One wheel of the runner and the targets that it is for."""

    name: str
    version: str
    wheel: PackageWheel
    targets: list[str] = field(default_factory=list)

    @property
    def sha256(self) -> Digest:
        return Digest(self.wheel.hashes["sha256"])


def lock_runner(
    python_version: str,
    targets: Sequence[str],
    glibc: str,
    client: IndexClient,
    *,
    implementation: str = "cpython",
    abi: str | None = None,
    document: Mapping[str, Any] | None = None,
) -> tuple[Package, ...]:
    """The packages that the runner needs on every target, sorted by name.

    Each file is the very one that repro pins; its URL is that of the user's own index where it has the same
    bytes, else the pinned one.

    Args:
        python_version: Exact version of the captured Python, which runs the runner too.
        targets: Platforms such as `linux/amd64`.
        glibc: Version of the base image's C library.
        client: The package indexes.
        implementation: `sys.implementation.name`.
        abi: ABI tag when it isn't the usual one (`choose.abi_tag`).
        document: The pins, as parsed TOML; those that ship with repro when None.

    Raises:
        UsageError: The runner doesn't support this Python on one of the targets.
        IntegrityError: The pins that ship with repro are damaged.
        InfrastructureError: An index can't be reached.
    """
    pylock = _read(_shipped() if document is None else document)
    pins: dict[str, _Pin] = {}
    for target in targets:
        tags = target_tags(python_version, implementation, target, glibc, abi)
        environment = target_environment(python_version, implementation, target)
        try:
            for package, wheel in pylock.select(environment=environment, tags=tags):
                _pin(pins, package, wheel).targets.append(target)
        except PylockSelectError as error:
            raise UsageError(
                f"the runner does not support Python {python_version} on {target}: {error}",
                fix="Use another Python version, or a newer repro.",
            ) from error
    return _packages(list(pins.values()), client)


def _shipped() -> Mapping[str, Any]:
    try:
        return tomllib.loads(resources.files("repro.plan").joinpath(_FILE).read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise IntegrityError(f"can't read {_FILE}: {error}", fix="Install repro again.") from error


def _read(document: Mapping[str, Any]) -> Pylock:
    try:
        return Pylock.from_dict(document)
    except (PylockValidationError, PylockUnsupportedVersionError) as error:
        raise IntegrityError(f"{_FILE} is damaged: {error}", where=_FILE, fix="Install repro again.") from error


def _pin(pins: dict[str, _Pin], package: LockedPackage, wheel: object) -> _Pin:
    if not isinstance(wheel, PackageWheel) or "sha256" not in wheel.hashes or package.version is None:
        raise IntegrityError(
            f"{package.name} is not pinned to a wheel by sha256", where=_FILE, fix="Install repro again."
        )
    return pins.setdefault(wheel.filename, _Pin(package.name, str(package.version), wheel))


def _packages(pins: Sequence[_Pin], client: IndexClient) -> tuple[Package, ...]:
    found = client.look_up((pin.name, pin.version) for pin in pins)
    chosen = [_published(pin, found[pin.name, pin.version], client) for pin in pins]
    completed = client.complete(chosen)
    packages: dict[str, Package] = {}
    for pin, file in zip(pins, chosen, strict=True):
        size = completed[file].size
        if size is None:
            raise AssertionError(file.name)  # IndexClient.complete filled it in
        locked = PackageFile(file.name, pin.sha256, size, redact(file.url), tuple(sorted(pin.targets)))
        others = packages[pin.name].files if pin.name in packages else ()
        files = tuple(sorted((*others, locked), key=lambda one: one.name))
        packages[pin.name] = Package(pin.name, pin.version, "index", index_source(file.index), files)
    return tuple(sorted(packages.values(), key=lambda package: package.name))


def _published(pin: _Pin, files: Sequence[IndexFile], client: IndexClient) -> IndexFile:
    """The pinned file on the user's indexes, else at the pinned URL."""
    for file in files:
        if file.name != pin.wheel.filename or file.local_path is not None:
            continue
        whole = file if file.sha256 else client.complete([file])[file]
        if whole.sha256 == pin.sha256:
            return whole
    if pin.wheel.url is None:
        raise IntegrityError(f"{pin.wheel.filename} has no URL", where=_FILE, fix="Install repro again.")
    return IndexFile(pin.wheel.filename, pin.wheel.url, pin.sha256, pin.wheel.size, None, PYPI)
