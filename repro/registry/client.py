"""Resolve an image name to content: manifest, platform, configuration. Digests are computed here, never believed."""

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import requests

from repro import http
from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError, ReproError
from repro.oci.documents import parse_config, parse_object
from repro.oci.image import DOCKER_INDEX, DOCKER_MANIFEST, INDEX, MANIFEST, Descriptor
from repro.oci.sources import MOST_DOCUMENT, find_manifest
from repro.registry.connection import Connection
from repro.registry.failures import check_status, not_for
from repro.registry.mirrors import find_mirrors
from repro.registry.names import ImageName

_BLOCK = 1 << 16
_MANIFESTS = (INDEX, DOCKER_INDEX, MANIFEST, DOCKER_MANIFEST)
_ACCEPT = {"Accept": ", ".join(_MANIFESTS)}
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """An image in a registry.

    Attributes:
        name: As resolved, with digest.
        digest: Of what the name points to: of the index of a multi-platform image, else of the manifest.
        env: Variables of the platform's image configuration.
        labels: Its labels.
    """

    name: ImageName
    digest: Digest
    env: Mapping[str, str]
    labels: Mapping[str, str]


class Registry:
    """A client for any registry and its mirrors. Safe for several threads.

    Attributes:
        send: One request to a registry (see `Connection.send`).
        errors: Errors of reading what came (see `Connection.errors`).

    Args:
        make_session: Where HTTP sessions come from, made on first use.
        environ: Where credentials (DOCKER_CONFIG, REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR, HOME) and mirrors
            (REPRO_REGISTRY_MIRRORS) are looked up.
    """

    def __init__(
        self, make_session: Callable[[], http.Session] = http.session, environ: Mapping[str, str] = os.environ
    ) -> None:
        connection = Connection(make_session, environ)
        self.send = connection.send
        self.errors = connection.errors
        self._environ = environ

    def resolve(self, name: ImageName, platform: str) -> RemoteImage:
        """Find what a name points to now, and its configuration for a platform such as `linux/amd64`.

        Raises:
            NotFoundError: There is no such image, or none for the platform.
            IntegrityError: Something that came isn't what its digest says.
            InfrastructureError: The registry can't be reached, or refuses us.
        """
        return self.anywhere(name, lambda place: self._resolve(place, name, platform))

    def document(self, name: ImageName, descriptor: Descriptor) -> bytes:
        """A manifest, index or configuration, checked. Raises as `resolve` does."""
        return self.anywhere(name, lambda place: self._document(place, descriptor))

    def manifest(self, name: ImageName, digest: Digest) -> bytes:
        """The manifest or index with a digest, checked. Raises as `resolve` does."""
        return self.anywhere(name, lambda place: self._get(place, f"manifests/{digest}", digest))

    def anywhere(self, name: ImageName, attempt: Callable[[ImageName], _T]) -> _T:
        """Attempt something at each mirror in turn, then at the registry itself, until it works.

        What mirrors failed at matters only when nothing works: then it is in the details of the registry's own error.
        """
        passed_over: list[str] = []
        for mirror in find_mirrors(self._environ).get(name.registry, ()):
            try:
                return attempt(name.through(mirror))
            except ReproError as error:
                passed_over.append(f"mirror {mirror}: {error}")
        try:
            return attempt(name)
        except ReproError as error:
            error.details = "\n".join(filter(None, [error.details, *passed_over]))
            raise

    def _resolve(self, place: ImageName, name: ImageName, platform: str) -> RemoteImage:
        reference = str(name.digest) if name.digest else str(name.tag)
        data = self._get(place, f"manifests/{reference}", name.digest)
        read = functools.partial(self._document, place)
        _, config = find_manifest(data, platform, read, str(place), functools.partial(not_for, name, platform))
        settings = parse_config(config, f"{place}: its configuration")
        digest = Digest.of(data)
        return RemoteImage(name.at(digest), digest, settings.env, settings.labels)

    def _document(self, place: ImageName, descriptor: Descriptor) -> bytes:
        kind = "manifests" if descriptor.media_type in _MANIFESTS else "blobs"
        return self._get(place, f"{kind}/{descriptor.digest}", descriptor.digest)

    def _get(self, name: ImageName, path: str, expected: Digest | None) -> bytes:
        """The bytes at a path of a repository, checked. Raises as `resolve` does."""
        headers = _ACCEPT if path.startswith("manifests/") else None
        with self.send("GET", name, path, headers=headers) as response:
            check_status(response, name, None if expected == name.digest else expected)
            with self.errors(response.url):
                data = _limited(response, name)
        stated = response.headers.get("Docker-Content-Digest")
        wanted = str(expected) if expected else stated
        if wanted is not None and wanted.startswith("sha256:") and wanted != str(Digest.of(data)):
            raise IntegrityError(
                f"the registry sent something else than it names: {Digest.of(data)} instead of {wanted}",
                where=f"{name.registry}/{name.repository} {path}",
                fix="The registry, or a proxy before it, is damaged or not honest; use another one.",
            )
        _check_json(data, name)
        return data


def _limited(response: requests.Response, name: ImageName) -> bytes:
    data = bytearray()
    for block in response.iter_content(_BLOCK):
        data += block
        if len(data) > MOST_DOCUMENT:
            raise IntegrityError("a manifest or configuration is larger than any can be", where=str(name))
    return bytes(data)


def _check_json(data: bytes, name: ImageName) -> None:
    """Something else than JSON comes from captive portals and proxies: nothing that anyone tampered with."""
    try:
        parse_object(data, str(name))
    except IntegrityError as error:
        raise InfrastructureError(f"what {name.registry} sent is no manifest: {error.what}", where=str(name)) from error
