"""Which installed packages have no file on an index, and the wheel that stands in for each."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from repro.capture.model import Distribution, Interpreter
from repro.capture.packages.build_wheels import build_wheel
from repro.capture.packages.repack import repack
from repro.capture.packages.source_state import committed_source, listed, refuse_changes, source_state
from repro.capture.packages.sources import repository_source
from repro.capture.packages.unrecorded import is_recorded, unrecorded_wheel
from repro.errors import CaptureError
from repro.lock import Origin
from repro.urls import redact


@dataclass(frozen=True, slots=True)
class LocalWheel:
    """A wheel that was made on the laptop.

    Attributes:
        path: The file.
        origin: What kind of install it stands for.
        source: Where the code came from, fit for a lock: no credentials, no absolute path.
        warnings: For the author.
        how: What it is, as the end of a sentence.
    """

    path: Path
    origin: Origin
    source: str
    warnings: tuple[str, ...]
    how: str = "a wheel made from the installed files"


DirtySource = Literal["bake", "refuse"]
"""What becomes of an editable install whose source has changes that are not committed."""


def local_wheel(
    distribution: Distribution, interpreter: Interpreter, root: Path, scratch: Path, *, dirty: DirtySource = "bake"
) -> LocalWheel | None:
    """The wheel of an editable, local, VCS or direct-URL install; None for an install from an index.

    Args:
        distribution: What is installed.
        interpreter: The environment that it is installed in.
        root: Project root, absolute.
        scratch: Directory that receives the wheel and is used for building.
        dirty: Whether an editable install may have changes that are not committed.

    Raises:
        CaptureError: It can't be made into a wheel, or has changes that it may not have.
        InfrastructureError: The build environment can't be made.
    """
    if distribution.editable:
        return _editable(distribution, interpreter, root, scratch, dirty)
    # conda's packages carry the address of the directory that they were built in, on a machine that is gone.
    if distribution.direct_url is None or distribution.installer == "conda":
        return None
    origin, source = _direct(distribution.direct_url, root)
    return _repacked(distribution, interpreter, scratch, origin, source)


def built_wheel(distribution: Distribution, interpreter: Interpreter, scratch: Path) -> LocalWheel:
    """The wheel of an install that no published wheel stands for, made from the installed files.

    Raises:
        CaptureError: It can't be made into a wheel.
    """
    return _repacked(distribution, interpreter, scratch, "built", f"{distribution.name}=={distribution.version}")


def _editable(
    distribution: Distribution, interpreter: Interpreter, root: Path, scratch: Path, dirty: DirtySource
) -> LocalWheel:
    tree = distribution.source_tree
    if tree is None:
        raise CaptureError(
            f"{distribution.name} is an editable install whose source can't be found",
            where=str(distribution.metadata),
            fix=f"Install {distribution.name} again with `pip install -e DIRECTORY`.",
        )
    source, warnings = _tree_source(distribution.name, tree, root, dirty)
    wheel = build_wheel(tree, distribution, interpreter, scratch, scratch)
    return LocalWheel(wheel, "editable", source, warnings)


def _tree_source(name: str, tree: Path, root: Path, dirty: DirtySource) -> tuple[str, tuple[str, ...]]:
    """What a lock says of a source tree, and what its author should know.

    A tree in the project's own repository is named by its path alone: a commit there would change the lock that it
    is to contain.
    """
    state = source_state(tree)
    path = project_path(tree, root)
    if state is None:
        return path, ()
    if dirty == "refuse":
        refuse_changes(name, tree, state)
    if Path(os.path.realpath(root)).is_relative_to(os.path.realpath(state.top)):
        return path, ()
    changes = f"its source {path} has changes that are not committed, and they are baked: {listed(state.changed)}"
    return committed_source(path, tree, state) or path, (changes,) if state.changed else ()


def _repacked(
    distribution: Distribution, interpreter: Interpreter, scratch: Path, origin: Origin, source: str
) -> LocalWheel:
    warnings: list[str] = []
    pack = repack if is_recorded(distribution) else unrecorded_wheel
    path = pack(distribution, interpreter, scratch, warnings.append)
    return LocalWheel(path, origin, source, tuple(warnings))


def _direct(direct_url: Mapping[str, Any], root: Path) -> tuple[Origin, str]:
    """Origin and source of a direct URL reference (PEP 610)."""
    url = str(direct_url.get("url", ""))
    subdirectory = direct_url.get("subdirectory")
    suffix = f"#subdirectory={subdirectory}" if subdirectory else ""
    if "vcs_info" in direct_url:
        info = direct_url["vcs_info"]
        vcs, commit = str(info.get("vcs", "git")), str(info.get("commit_id", ""))
        if urlsplit(url).scheme == "file":
            tree = _file_path(url)
            return "vcs", repository_source(tree, project_path(tree, root), vcs, commit) + suffix
        return "vcs", f"{vcs}+{redact(url)}@{commit}{suffix}"
    if "dir_info" in direct_url:
        return "local", project_path(_file_path(url), root)
    return "url", _public(url, root) + suffix


def _public(url: str, root: Path) -> str:
    """A URL as a lock may show it."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return project_path(_file_path(url), root)
    return redact(url)


def project_path(path: Path, root: Path) -> str:
    """A path relative to the project root, or only its last part when it is outside."""
    absolute, base = Path(os.path.realpath(path)), Path(os.path.realpath(root))
    return absolute.relative_to(base).as_posix() if absolute.is_relative_to(base) else absolute.name


def _file_path(url: str) -> Path:
    parts = urlsplit(url)
    return Path(url2pathname(parts.path) if os.name == "nt" else unquote(parts.path))
