"""Which project files DVC tracks, and where its remote has them (dvc.org, .dvc files, dvc.lock, internal directories).

Nothing of DVC is run: its files are read. Where remotes are is told by `repro.sources.dvc_remotes`.
"""

import hashlib
import json
import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from repro.sources.dvc_remotes import Remote, Settings, read_settings
from repro.sources.walk import files_named

_MD5 = re.compile(r"[0-9a-f]{32}")
_BLOCK = 1 << 20
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Tracked:
    """One file that DVC knows.

    Attributes:
        md5: Of its content; for old files, text has its line ends made Unix ones first.
        legacy: Whether it is such an old one (DVC 2 and before), which also has another place in remotes.
        remote: Name of the remote that is asked for this one; None for the default.
        versions: Version of the file by remote, where the remote has versions.
        path: Relative to the DVC repository, POSIX.
    """

    md5: str
    legacy: bool
    remote: str | None
    versions: Mapping[str, str]
    path: str


class DvcRepository:
    """One DVC repository and everything that it tracks."""

    def __init__(self, root: Path, environ: Mapping[str, str] = os.environ) -> None:
        """Read it.

        Args:
            root: The directory that holds `.dvc`.
            environ: Where the user's own configuration is looked for.
        """
        self.root = root
        self.settings: Settings = read_settings(root, environ)
        self.unlisted: set[str] = set()  # tracked folders whose listing isn't in the cache
        self.tracked = {one.path: one for one in self._all()}

    def source_of(self, path: str, project: Path) -> str | None:
        """Where the default remote, or the file's own, has a tracked file; None when there is none we can read."""
        one = self.tracked[path]
        name = one.remote or self.settings.default
        remote = self.settings.remotes.get(name or "")
        return None if remote is None else _place(one, name or "", remote, project)

    def _all(self) -> Iterator[Tracked]:
        for file in files_named(self.root, lambda name: name.endswith(".dvc") or name == "dvc.lock"):
            document = _yaml(file)
            folder = file.parent.relative_to(self.root).as_posix()
            if file.name == "dvc.lock":
                yield from self._stages(document, file, folder)
            else:
                yield from self._outs(document, posixpath.join(folder, _text(document.get("wdir")) or "."))

    def _stages(self, document: Mapping[str, Any], file: Path, folder: str) -> Iterator[Tracked]:
        """The outputs of a pipeline; the lock has them relative to the stage's `wdir`, which only dvc.yaml tells."""
        described = _mapping(_yaml(file.with_name("dvc.yaml")).get("stages"))
        for name, stage in _mapping(document.get("stages", document)).items():
            own = _mapping(described.get(str(name).partition("@")[0]))
            body = _mapping(own.get("do")) or own
            yield from self._outs(_mapping(stage), posixpath.join(folder, _text(body.get("wdir")) or "."))

    def _outs(self, document: Mapping[str, Any], folder: str) -> Iterator[Tracked]:
        for out in map(_mapping, _list(document.get("outs"))):
            path = posixpath.normpath(posixpath.join(folder, _text(out.get("path"))))
            md5 = _text(out.get("md5"))
            if "files" in out:
                yield from (_tracked(_mapping(file), path, out) for file in _list(out["files"]))
            elif md5.endswith(".dir"):
                listing = self._listing(md5)
                if listing is None:
                    self.unlisted.add(path)
                yield from (_tracked(file, path, out) for file in listing or ())
            elif _MD5.fullmatch(md5):
                yield _tracked(out, path, out, relative="")

    def _listing(self, md5: str) -> list[Mapping[str, Any]] | None:
        """What is in a directory, from DVC's cache; None when it isn't there."""
        for place in (f"files/md5/{md5[:2]}/{md5[2:]}", f"{md5[:2]}/{md5[2:]}"):
            try:
                found = json.loads((self.settings.cache / place).read_bytes())
            except (OSError, ValueError):
                continue
            return [_mapping(file) for file in _list(found)]
        return None


def dvc_root(path: Path) -> Path | None:
    """The DVC repository around a directory."""
    return next((folder for folder in (path, *path.parents) if (folder / ".dvc").is_dir()), None)


def is_content(path: Path, one: Tracked) -> bool:
    """Whether a file still has the content that DVC tracks. Raises OSError."""
    return _md5(path, unix=False) == one.md5 or (one.legacy and _md5(path, unix=True) == one.md5)


def _tracked(file: Mapping[str, Any], path: str, out: Mapping[str, Any], relative: str | None = None) -> Tracked:
    below = _text(file.get("relpath")) if relative is None else relative
    clouds = _mapping(file.get("cloud"))
    return Tracked(
        md5=_text(file.get("md5")),
        legacy=out.get("hash") is None,
        remote=_text(out.get("remote")) or None,
        versions={name: _text(_mapping(cloud).get("version_id")) for name, cloud in clouds.items()},
        path=posixpath.join(path, below) if below else path,
    )


def _place(one: Tracked, name: str, remote: Remote, project: Path) -> str | None:
    if remote.versioned:
        version = one.versions.get(name)
        return remote.source(one.path, project, version=version) if version else None
    folder = "" if one.legacy else "files/md5/"
    return remote.source(f"{folder}{one.md5[:2]}/{one.md5[2:]}", project)


def _md5(path: Path, *, unix: bool) -> str:
    hasher = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            hasher.update(block.replace(b"\r\n", b"\n") if unix else block)
    return hasher.hexdigest()


def _yaml(path: Path) -> Mapping[str, Any]:
    """A document of DVC's; an empty one when it is missing or damaged, which is DVC's to complain about."""
    try:
        return _mapping(yaml.load(path.read_bytes(), Loader=_LOADER))  # noqa: S506 - both loaders are safe ones
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
