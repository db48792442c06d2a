"""Which installed packages have no file on an index, and the wheel that stands in for each."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from repro.capture.model import Distribution, Interpreter
from repro.capture.packages.build_wheels import build_wheel
from repro.capture.packages.repack import repack
from repro.capture.packages.sources import repository_source
from repro.errors import CaptureError
from repro.http import redact
from repro.lock import Origin


@dataclass(frozen=True, slots=True)
class LocalWheel:
    """A wheel that was made on the laptop.

    Attributes:
        path: The file.
        origin: What kind of install it stands for.
        source: Where the code came from, fit for a lock: no credentials, no absolute path.
        warnings: For the author.
    """

    path: Path
    origin: Origin
    source: str
    warnings: tuple[str, ...]


def local_wheel(distribution: Distribution, interpreter: Interpreter, root: Path, scratch: Path) -> LocalWheel | None:
    """The wheel of an editable, local, VCS or direct-URL install; None for an install from an index.

    Args:
        distribution: What is installed.
        interpreter: The environment that it is installed in.
        root: Project root, absolute.
        scratch: Directory that receives the wheel and is used for building.

    Raises:
        CaptureError: It can't be made into a wheel.
        InfrastructureError: The build environment can't be made.
    """
    if distribution.editable:
        return _editable(distribution, interpreter, root, scratch)
    # conda's packages carry the address of the directory that they were built in, on a machine that is gone.
    if distribution.direct_url is None or distribution.installer == "conda":
        return None
    origin, source = _direct(distribution.direct_url, root)
    return _repacked(distribution, interpreter, scratch, origin, source)


def built_wheel(distribution: Distribution, interpreter: Interpreter, scratch: Path) -> LocalWheel:
    """The wheel of an install that pip or uv built on the laptop from an index's source distribution.

    Raises:
        CaptureError: It can't be made into a wheel.
    """
    return _repacked(distribution, interpreter, scratch, "built", f"{distribution.name}=={distribution.version}")


def _editable(distribution: Distribution, interpreter: Interpreter, root: Path, scratch: Path) -> LocalWheel:
    tree = distribution.source_tree
    if tree is None:
        raise CaptureError(
            f"{distribution.name} is an editable install whose source can't be found",
            where=str(distribution.metadata),
            fix=f"Install {distribution.name} again with `pip install -e DIRECTORY`.",
        )
    wheel = build_wheel(tree, distribution, interpreter, scratch, scratch)
    return LocalWheel(wheel, "editable", project_path(tree, root), ())


def _repacked(
    distribution: Distribution, interpreter: Interpreter, scratch: Path, origin: Origin, source: str
) -> LocalWheel:
    warnings: list[str] = []
    path = repack(distribution, interpreter, scratch, warnings.append)
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
