"""DVC's configuration: the remotes, which is the default, and where the cache is. Credentials in it are never read."""

import configparser
import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from platformdirs import site_config_dir, user_config_dir

from repro.realpaths import expanded
from repro.sources.uri import local_source, scheme_of
from repro.urls import redact

_REMOTE = re.compile(r"""'?remote "(?P<name>[^"]+)"'?""")
_READABLE = {"s3", "gs", "http", "https"}


@dataclass(frozen=True, slots=True)
class Remote:
    """Where a remote is.

    Attributes:
        url: As configured, without credentials.
        endpoint: URL of an S3 service other than Amazon's, or None.
        versioned: Whether files lie there under their own names, in versions.
        relative_to: The directory that a relative path starts from.
    """

    url: str
    endpoint: str | None
    versioned: bool
    relative_to: Path

    def source(self, path: str, project: Path, *, version: str | None = None) -> str | None:
        """The source of a file below the remote's URL; None for a kind of remote that `repro pull` can't read.

        Args:
            path: Below the remote.
            project: The project root, where relative sources start.
            version: Version id.
        """
        scheme = scheme_of(self.url) if "://" in self.url else ""
        if scheme in _READABLE:
            return (
                f"{self.url.rstrip('/')}/{path if scheme in {'s3', 'gs'} else quote(path)}{self._tail(scheme, version)}"
            )
        if scheme or version:
            return None
        relative = not expanded(self.url).is_absolute()
        place = Path(os.path.normpath(self.relative_to / expanded(self.url) / path))
        return local_source(place, project, relative=_relative(place, project) if relative else None)

    def _tail(self, scheme: str, version: str | None) -> str:
        if scheme == "gs":
            return f"#{version}" if version else ""
        fields = {"versionId": version, "endpoint": self.endpoint and quote(self.endpoint, safe=":/")}
        query = "&".join(f"{name}={value}" for name, value in fields.items() if value and scheme == "s3")
        return f"?{query}" if query else ""


@dataclass(frozen=True, slots=True)
class Settings:
    """What matters of a repository's configuration.

    Attributes:
        remotes: By name.
        default: Name of the default remote, or None.
        cache: Where contents are on this machine.
    """

    remotes: Mapping[str, Remote]
    default: str | None
    cache: Path


def read_settings(root: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """The configuration of the repository at `root`, over the user's and the system's."""
    values: dict[tuple[str, str], tuple[str, Path]] = {}
    for file in _files(root, environ):
        values.update(_read(file))
    names = {found["name"] for section, _ in values if (found := _REMOTE.fullmatch(section))}
    cache = values.get(("cache", "dir"), ("cache", root / ".dvc"))
    remotes = {name: _remote(values, name, root) for name in names}
    return Settings(
        remotes={name: remote for name, remote in remotes.items() if remote is not None},
        default=values.get(("core", "remote"), ("", root))[0] or None,
        cache=cache[1] / expanded(cache[0]),
    )


def _files(root: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    """Later ones win."""
    yield Path(environ.get("DVC_SYSTEM_CONFIG_DIR") or site_config_dir("dvc", "iterative")) / "config"
    yield Path(environ.get("DVC_GLOBAL_CONFIG_DIR") or user_config_dir("dvc", "iterative")) / "config"
    yield root / ".dvc" / "config"
    yield root / ".dvc" / "config.local"


def _read(file: Path) -> Iterator[tuple[tuple[str, str], tuple[str, Path]]]:
    """(section, option) → value and the directory that its relative paths start from."""
    parser = configparser.RawConfigParser(strict=False, default_section="", allow_no_value=True)
    try:
        parser.read_string(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return
    for section in parser.sections():
        for option, value in parser.items(section):
            yield (section.strip("'"), option), (value or "", file.parent)


def _remote(values: Mapping[tuple[str, str], tuple[str, Path]], name: str, root: Path) -> Remote | None:
    def option(key: str) -> tuple[str, Path]:
        return values.get((f'remote "{name}"', key), ("", root))

    url, folder = option("url")
    if url.startswith("remote://"):  # a place below another remote
        other, _, path = url.removeprefix("remote://").partition("/")
        above = _remote(values, other, root) if other != name else None
        return above and Remote(posixpath.join(above.url, path), above.endpoint, above.versioned, above.relative_to)
    versioned = "true" in {option("version_aware")[0].lower(), option("worktree")[0].lower()}
    return (
        Remote(redact(url) if "://" in url else url, redact(option("endpointurl")[0]) or None, versioned, folder)
        if url
        else None
    )


def _relative(place: Path, project: Path) -> str | None:
    try:
        return Path(os.path.relpath(place, project)).as_posix()
    except ValueError:  # another drive
        return None
