"""Names of conda's packages, platforms and channels, and addresses without the secrets that may be in them. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from repro.errors import UsageError
from repro.urls import redact

ENDINGS = (".conda", ".tar.bz2")
NOARCH = "noarch"
SUBDIRS = {"linux/amd64": "linux-64", "linux/arm64": "linux-aarch64"}
"""Conda's name of each platform that images are made for."""
LOCAL = "file"
"""Stands for channels that are directories, whose places nobody else knows."""

_TOKEN = re.compile(r"/t/([^/]+)(?=/|$)")
_KNOWN_SUBDIR = re.compile(r"noarch|(?:linux|osx|win|freebsd|emscripten|wasi|zos)-[0-9a-z]+")
_ANACONDA = "conda.anaconda.org"
_DEFAULTS = "repo.anaconda.com"


@dataclass(frozen=True, slots=True)
class ArchiveName:
    """What an archive's file name says: `name-version-build.conda`."""

    name: str
    version: str
    build: str
    ending: str

    @property
    def stem(self) -> str:
        """The file name without its ending, as conda calls an unpacked package."""
        return f"{self.name}-{self.version}-{self.build}"

    def __str__(self) -> str:
        return f"{self.stem}{self.ending}"


def parse_archive_name(file: str) -> ArchiveName:
    """The parts of an archive's file name (CEP 26); only names of packages may have dashes.

    Raises:
        UsageError: It is no such name.
    """
    ending = next((one for one in ENDINGS if file.endswith(one)), "")
    name, version, build = ["", "", *file.removesuffix(ending).rsplit("-", 2)][-3:]
    if not ending or not name or not version or not build or "/" in file:
        raise UsageError(
            f"not the file name of a conda package: {file!r}",
            fix="Such names are NAME-VERSION-BUILD.conda or NAME-VERSION-BUILD.tar.bz2.",
        )
    return ArchiveName(name, version, build, ending)


def subdir_of(target: str) -> str:
    """`linux-64` of `linux/amd64`. Raises UsageError for what no image is made for."""
    if target not in SUBDIRS:
        raise UsageError(f"conda packages can't be locked for {target}", fix=f"Choose of {', '.join(SUBDIRS)}.")
    return SUBDIRS[target]


def scrubbed(url: str) -> str:
    """An address that may be written down: without user, token (`/t/<token>/`), fragment, and secrets in its query."""
    parts = urlsplit(redact(url))
    return urlunsplit(parts._replace(path=_TOKEN.sub("", parts.path), fragment=""))


def token_of(url: str) -> str | None:
    """The token in a channel's or package's address."""
    found = _TOKEN.search(urlsplit(url).path)
    return None if found is None else unquote(found[1])


def with_token(url: str, token: str) -> str:
    """An address with a token where conda's servers look for it: before the rest of the path."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/t/{quote(token, safe='')}{parts.path}"))


def is_local(url: str) -> bool:
    """Whether an address is that of a file or directory of this machine."""
    return urlsplit(url).scheme not in {"http", "https", "s3", "gs", "oci"}


def channel_address(url: str) -> str:
    """The address of a package's or subdir's channel, secrets included: all before the subdir."""
    parts = urlsplit(url)
    folders = parts.path.rstrip("/").split("/")
    if folders[-1].endswith(ENDINGS):
        folders.pop()
    if _KNOWN_SUBDIR.fullmatch(folders[-1]):
        folders.pop()
    return urlunsplit(parts._replace(path="/".join(folders), query="", fragment=""))


def channel_name(url: str) -> str:
    """How a lock calls the channel of a package: `conda-forge`, `pkgs/main`, `file`, or an address without secrets."""
    if is_local(url):
        return LOCAL
    address = scrubbed(channel_address(url))
    parts = urlsplit(address)
    named = parts.path.strip("/")
    return named if named and parts.hostname in {_ANACONDA, _DEFAULTS} else address


def channel_url(channel: str) -> str:
    """The address of a channel that is named or given by its address. Named ones are those of anaconda.org."""
    if "://" in channel:
        return channel.rstrip("/")
    named = "pkgs/main" if channel == "defaults" else channel.strip("/")
    return f"https://{_DEFAULTS if named.startswith('pkgs/') else _ANACONDA}/{named}"


def subdir_in(url: str, known: Sequence[str] = ()) -> str | None:
    """The subdir that an address of a package has before its file name; None where it has none."""
    folder = urlsplit(url).path.rpartition("/")[0].rpartition("/")[2]
    return folder if folder in known or _KNOWN_SUBDIR.fullmatch(folder) else None
