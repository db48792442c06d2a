"""Modules that somebody put into site-packages by hand, `sitecustomize.py` too: in the image where that is allowed."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from repro.capture.model import Interpreter
from repro.capture.ownership import owned_files
from repro.capture.packages.unrecorded import native_tag
from repro.capture.packages.wheel_writer import Member, escaped_name, wheel_file_name, wheel_metadata, write_wheel
from repro.errors import UsageError
from repro.lock import Package, PackageFile
from repro.store import ObjectStore

_SITES = ("site-packages", "dist-packages")
_NATIVE = (".so", ".pyd")
_VERSION = "0"
USER_CUSTOMIZE = "usercustomize"
"""Python runs it where user sites are enabled, which they aren't in the image."""


@dataclass(frozen=True, slots=True)
class Loose:
    """A top-level module or package that no distribution brought.

    Attributes:
        name: As it is imported.
        site: The directory that holds it.
        files: Its files, relative to that.
    """

    name: str
    site: Path
    files: tuple[str, ...]

    @property
    def package(self) -> str:
        """The name that it gets as a package; no project of an index has it by right."""
        return f"loose-{canonicalize_name(self.name)}".replace("--", "-")


def loose_packages(
    interpreter: Interpreter, allowed: Iterable[str], *, targets: tuple[str, ...], store: ObjectStore, scratch: Path
) -> tuple[Package, ...]:
    """Make a package of each such module. The same files give the same bytes.

    Args:
        interpreter: The captured environment.
        allowed: Names of top-level modules that may go into the image.
        targets: Platforms to lock for.
        store: The project's object store, which receives the wheels.
        scratch: Directory for them before.

    Raises:
        UsageError: A name is that of no such module, or one with extension modules is to run on several platforms.
    """
    found = {name: _find(name, interpreter) for name in dict.fromkeys(allowed)}
    problems = [problem for name, one in found.items() if (problem := _problem(name, one, interpreter, targets))]
    if problems:
        raise UsageError(
            "modules can't be taken into the image",
            where="allow-loose",
            problems=problems,
            fix="Correct --allow-loose, or allow-loose in repro.toml, [packages].",
        )
    return tuple(_package(one, interpreter, targets, store, scratch) for one in found.values() if one is not None)


def _find(name: str, interpreter: Interpreter) -> Loose | None:
    """As imports find it: in the first site that has it."""
    for site in dict.fromkeys(path for path in interpreter.sys_path if os.path.basename(path) in _SITES):  # noqa: PTH119
        files = tuple(sorted(_files(Path(site), name)))
        if files:
            return Loose(name, Path(site), files)
    return None


def _files(site: Path, name: str) -> Iterator[str]:
    folder = site / name
    for file in folder.rglob("*") if folder.is_dir() else ():
        if file.is_file() and "__pycache__" not in file.parts:
            yield file.relative_to(site).as_posix()
    yield from (one.name for one in site.glob(f"{name}.*") if one.name == f"{name}.py" or one.suffix in _NATIVE)


def _problem(name: str, one: Loose | None, interpreter: Interpreter, targets: tuple[str, ...]) -> str:
    if name == USER_CUSTOMIZE:
        return f"{name}: Python runs it in no image; do what it does in the notebook or script, or in sitecustomize.py"
    if one is None:
        return f"{name}: there is no module of that name in site-packages"
    owners = {
        owned.distribution.name for owned in owned_files((str(one.site / path) for path in one.files), interpreter)
    }
    if interpreter.conda is not None:
        files = (str(one.site / path) for path in one.files)
        owners |= {record.name for file in files for record, _ in interpreter.conda.owners_of(file)}
    if owners:
        return f"{name}: it belongs to {', '.join(sorted(owners))}; edited packages are allowed by allow-patched"
    if _is_native(one) and len(targets) > 1:
        return f"{name}: it has extension modules of this machine; lock for this machine's platform only"
    return ""


def _is_native(one: Loose) -> bool:
    return any(path.endswith(_NATIVE) for path in one.files)


def _package(
    one: Loose, interpreter: Interpreter, targets: tuple[str, ...], store: ObjectStore, scratch: Path
) -> Package:
    native = _is_native(one)
    tags = [native_tag(interpreter) if native else "py3-none-any"]
    info = f"{escaped_name(one.package)}-{_VERSION}.dist-info"
    head = f"Metadata-Version: 2.1\nName: {one.package}\nVersion: {_VERSION}\n"
    members = [Member.of_file(path, one.site / path) for path in one.files]
    members += [
        Member.of_bytes(f"{info}/METADATA", head.encode()),
        Member.of_bytes(f"{info}/WHEEL", wheel_metadata(tags, purelib=not native)),
    ]
    path = scratch / wheel_file_name(one.package, _VERSION, tags)
    write_wheel(path, info, members)
    digest = store.add_file(path)
    store.offer_wheel(digest, path.name)
    file = PackageFile(path.name, digest, path.stat().st_size, None, tuple(sorted(targets)))
    return Package(one.package, _VERSION, "local", f"{one.site.name}/{one.name}", (file,))
