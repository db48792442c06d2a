"""The environment that a lock is about, as it is installed now."""

import os
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode
from packaging.tags import parse_tag

from repro.capture.conda.installed import with_conda, without_conda
from repro.capture.config import Config
from repro.capture.edits import Edit, find_edits
from repro.capture.interpreter import platform_of
from repro.capture.kernels import resolve_kernel
from repro.capture.model import Distribution, Interpreter, Kernel
from repro.capture.originals import Original
from repro.capture.packages.variants import with_variants
from repro.capture.probe import probe
from repro.differ.state import PackageFacts, build_label, package_facts
from repro.errors import InfrastructureError
from repro.lock import Lock, Package
from repro.progress import Silent
from repro.store import ObjectStore, artifact_cache, project_store
from repro.urls import redact

_ON_PATH = "python3 on PATH"
_TOOLS = frozenset({"pip", "setuptools", "wheel"})
_LOOSE = "loose-"
_TRUST = "cacert.pem"


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment.

    Attributes:
        kernel: How it was found.
        interpreter: What its Python says of itself.
    """

    kernel: Kernel
    interpreter: Interpreter


def find_environment(
    root: Path,
    lock: Lock,
    config: Config,
    *,
    notebook: NotebookNode | None,
    python: Path | None,
    environ: Mapping[str, str],
) -> Environment:
    """The environment that capture would take.

    Args:
        root: Project root.
        lock: Names the subject.
        config: May name a kernel.
        notebook: The subject, when it is a notebook.
        python: Interpreter to take instead.
        environ: The user's variables.

    Raises:
        UsageError: There is none, or there are several.
        InfrastructureError: It can't be run, or is evidently none of this project's.
    """
    subject = root / lock.subject.path
    kernel = resolve_kernel(subject, root, notebook=notebook, kernel=config.kernel, python=python, environ=environ)
    probed = probe(kernel.python, cwd=subject.parent, env={**environ, **kernel.env})
    interpreter = with_conda(probed, Silent()) if lock.conda else probed
    if python is None and _is_stray(kernel, interpreter, lock):
        raise InfrastructureError(
            f"{kernel.python} ({kernel.source}) has few of the locked packages, or none: it is another environment"
        )
    return Environment(kernel, interpreter)


def _is_stray(kernel: Kernel, interpreter: Interpreter, lock: Lock) -> bool:
    """Whether it is a Python that was made for something else: nobody's, or that of repro itself."""
    if kernel.source != _ON_PATH and os.path.realpath(interpreter.prefix) != os.path.realpath(sys.prefix):
        return False
    locked = {(one.name, one.version) for one in lock.packages} | {(one.name, one.version) for one in lock.conda}
    installed = {(one.name, one.version) for one in interpreter.distributions}
    if interpreter.conda is not None:
        installed |= {(one.name, one.version) for one in interpreter.conda.records}
    locked, installed = ({pair for pair in pairs if pair[0] not in _TOOLS} for pairs in (locked, installed))
    shared = len(locked & installed)
    return bool(locked or installed) and (not shared or 2 * shared < len(locked))


def installed_packages(interpreter: Interpreter, lock: Lock, config: Config, root: Path) -> tuple[PackageFacts, ...]:
    """What is installed, as far as it can be compared with a lock; what conda's packages brought is theirs.

    Packages that a lock has for other platforms only, and modules that belong to no package, count as they are locked.

    Raises:
        UsageError: `[packages] variants` can't be followed.
    """
    platform = platform_of(interpreter)
    locked = {package.name: package for package in lock.packages}
    wheels = without_conda(interpreter)
    varied = with_variants(wheels, config.variants, Silent()).distributions
    edits = {edit.name: edit for edit in find_edits(wheels)}
    looked = _Looked(locked, edits, platform, project_store(root))
    found = {one.name: looked.facts(one) for one in varied}
    foreign = platform not in lock.targets
    for name, package in locked.items():
        elsewhere = foreign or not any(platform in file.targets for file in package.files)
        if name not in found and (elsewhere or name.startswith(_LOOSE)):
            found[name] = package_facts(package)
    if foreign:  # what markers leave out on the lock's platforms is no part of it
        found = {name: facts for name, facts in found.items() if name in locked}
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class _Looked:
    """What is known beside a distribution's own metadata."""

    locked: Mapping[str, Package]
    edits: Mapping[str, Edit]
    platform: str
    store: ObjectStore

    def facts(self, one: Distribution) -> PackageFacts:
        locked = self.locked.get(one.name)
        same_tree = locked is not None and locked.origin == "editable" and one.editable
        return PackageFacts(
            name=one.name,
            version=locked.version if locked is not None and same_tree else one.version,
            direct=one.requested,
            origin=_origin(one, locked),
            build=_build(one) if locked is not None and self._comparable(locked) else None,
            patched=self._patched(one, locked),
            edited=tuple(edited_sources(locked, one.source_tree, self.store)) if locked and same_tree else (),
        )

    def _comparable(self, locked: Package) -> bool:
        return any(self.platform in file.targets for file in locked.files)

    def _patched(self, one: Distribution, locked: Package | None) -> tuple[str, ...] | None:
        """Edited files; what the machine's owner adds to certificates is none, unless it was locked."""
        known = () if locked is None else locked.patched
        edit = self.edits.get(one.name)
        if locked is None or edit is None or one.editable:
            return known if locked is not None and one.editable else ()
        trusted = (path for path in edit.changed if path in known or path.rpartition("/")[2] != _TRUST)
        return tuple(path for path in trusted if not _as_published(edit, path, locked))


def _as_published(edit: Edit, path: str, locked: Package) -> bool:
    """Whether a file is just what its wheel has: there are wheels whose RECORD is wrong."""
    cache = artifact_cache()
    wheels = (cache.path(file.sha256) for file in locked.files if cache.has(file.sha256))
    try:
        now = edit.file(path).read_bytes()
        return any(Original(wheel).content(path) == now for wheel in wheels)
    except (OSError, zipfile.BadZipFile):
        return False


def _origin(one: Distribution, locked: Package | None) -> str | None:
    """Where it comes from, in the words of the lock where that is the same place; None where nothing tells."""
    known = None if locked is None else package_facts(locked).origin
    if locked is None or one.installer == "conda":
        return known
    if one.editable or locked.origin == "editable":
        return known if one.editable and locked.origin == "editable" else ("editable" if one.editable else "index")
    info = one.direct_url
    if info is None:
        return "index" if locked.origin in {"vcs", "url"} else known
    vcs = info.get("vcs_info")
    commit = str(vcs.get("commit_id", "")) if isinstance(vcs, dict) else ""
    if commit:
        return known if commit in locked.source else f"vcs, {redact(str(info.get('url', '')))}@{commit}"
    return f"url, {redact(str(info.get('url', '')))}" if locked.origin == "index" else known


def _build(one: Distribution) -> frozenset[str] | None:
    """Build number and tags of what is installed."""
    tags = {tag for line in one.tags for tag in parse_tag(line)}
    return frozenset(build_label(one.build, tag.interpreter, tag.abi, tag.platform) for tag in tags) or None


def edited_sources(locked: Package, tree: Path | None, store: ObjectStore) -> Iterator[str]:
    """Modules of an editable install that are not what its locked wheel has, relative to the source tree."""
    digests = [file.sha256 for file in locked.files if store.has(file.sha256)]
    if tree is None or not digests:
        return
    with zipfile.ZipFile(store.path(digests[0])) as wheel:
        names = {name for name in wheel.namelist() if name.endswith(".py") and ".dist-info/" not in name}
        found = {name: path for name in names if (path := _in_tree(name, tree)) is not None}
        changed = {path for name, path in found.items() if path.read_bytes() != wheel.read(name)}
    folders = {path.parent for name, path in found.items() if "/" in name}
    new = {path for folder in folders for path in folder.glob("*.py")} - set(found.values())
    yield from sorted(path.relative_to(tree).as_posix() for path in changed | new)


def _in_tree(name: str, tree: Path) -> Path | None:
    """A module of a wheel in the source tree that the wheel is made of."""
    return next((folder / name for folder in (tree / "src", tree) if (folder / name).is_file()), None)
