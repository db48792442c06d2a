"""Image names as people write them, and what they stand for (distribution's reference grammar)."""

import re
from dataclasses import dataclass, replace

from repro.digest import Digest
from repro.errors import UsageError

DOCKER_HUB = "docker.io"
_HUB_ALIASES = {"index.docker.io", "registry-1.docker.io", "docker.io"}
_HUB_HOST = "registry-1.docker.io"
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_HOST = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::\d+)?")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_LOOPBACK = re.compile(r"(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?")


@dataclass(frozen=True, slots=True)
class ImageName:
    """A name in full.

    Attributes:
        registry: Host and port, `docker.io` for Docker Hub.
        repository: Path there; Docker Hub's own images are under `library/`.
        tag: The tag, None when only a digest was given.
        digest: The manifest digest, or None.
    """

    registry: str
    repository: str
    tag: str | None
    digest: Digest | None = None

    @property
    def name(self) -> str:
        """Without digest: `docker.io/library/python:3.11.7-slim-bookworm`."""
        return f"{self.registry}/{self.repository}" + (f":{self.tag}" if self.tag else "")

    @property
    def host(self) -> str:
        """Where its registry really answers."""
        return _HUB_HOST if self.registry == DOCKER_HUB else self.registry

    @property
    def url(self) -> str:
        """Start of the repository's URLs. Only this machine is spoken to without TLS."""
        scheme = "http" if _LOOPBACK.fullmatch(self.registry) else "https"
        return f"{scheme}://{self.host}/v2/{self.repository}"

    def through(self, mirror: str) -> "ImageName":
        """The same image at a mirror of its registry: `host[:port][/path]`."""
        host, _, path = mirror.partition("/")
        return replace(self, registry=host, repository=f"{path}/{self.repository}" if path else self.repository)

    def at(self, digest: Digest) -> "ImageName":
        """The same name with a digest."""
        return replace(self, digest=digest)

    def __str__(self) -> str:
        return self.name + (f"@{self.digest}" if self.digest else "")


def parse_name(text: str) -> ImageName:
    """Read `python:3.11`, `ghcr.io/owner/name@sha256:…`, `localhost:5000/base:1`; the default tag is `latest`.

    Raises:
        UsageError: It isn't an image name.
    """
    rest, at, digest_text = text.partition("@")
    first, slash, remainder = rest.partition("/")
    has_host = bool(slash) and (any(mark in first for mark in ".:") or first == "localhost")
    registry, path = (first, remainder) if has_host else (DOCKER_HUB, rest)
    repository, colon, tag = path.partition(":")
    try:
        digest = Digest.parse(digest_text) if at else None
    except ValueError:
        raise _bad(text) from None
    right = _HOST.fullmatch(registry) and _REPOSITORY.fullmatch(repository) and (not colon or _TAG.fullmatch(tag))
    if not right:
        raise _bad(text)
    if registry in _HUB_ALIASES:
        registry = DOCKER_HUB
        repository = repository if "/" in repository else f"library/{repository}"
    return ImageName(registry, repository, tag or (None if digest else "latest"), digest)


def parse_registry(text: str) -> str:
    """Read the name of a registry, `host[:port]`; all names of Docker Hub become one. Raises ValueError for others."""
    if not _HOST.fullmatch(text):
        raise ValueError(f"not a registry: {text!r}")
    return DOCKER_HUB if text in _HUB_ALIASES else text


def parse_mirror(text: str) -> str:
    """Read where a mirror is, `[https://]host[:port][/path]`; returns it without scheme.

    Raises:
        ValueError: It isn't that, or it is to be spoken to without TLS and not on this machine.
    """
    scheme, separator, rest = text.rpartition("://")
    host, slash, path = rest.removesuffix("/").partition("/")
    if not _HOST.fullmatch(host) or (slash and not _REPOSITORY.fullmatch(path)):
        raise ValueError(f"not a mirror: {text!r}")
    if separator and scheme != ("http" if _LOOPBACK.fullmatch(host) else "https"):
        raise ValueError(f"only mirrors on this machine are spoken to without TLS, and those always: {text!r}")
    return f"{host}/{path}" if path else host


def _bad(text: str) -> UsageError:
    return UsageError(
        f"not an image name: {text!r}", fix="Write it as name:tag or name@sha256:…, with the registry's host in front."
    )
