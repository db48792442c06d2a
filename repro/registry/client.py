"""Resolve an image name to content: manifest, platform, configuration. Digests are computed here, never believed."""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from repro import http
from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError
from repro.registry.credentials import Credentials, find_credentials
from repro.registry.names import ImageName

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 20.0
_LIMIT = 8 << 20
_BLOCK = 1 << 16
_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
_ACCEPT = ", ".join((*_INDEXES, *_MANIFESTS))
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 401, 403, 404, 429


class NotFoundError(InfrastructureError):
    """The registry answered: there is no such image, or none for the platform, or not for us."""


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
    """A client for any registry. Fails within seconds when there is no network.

    Args:
        make_session: Where HTTP sessions come from, made on first use.
        environ: Where credentials are looked up (DOCKER_CONFIG, REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR, HOME).
    """

    def __init__(
        self, make_session: Callable[[], http.Session] = http.session, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._make_session = make_session
        self._environ = environ
        self._opened: http.Session | None = None
        self._auth: dict[str, AuthBase] = {}

    def resolve(self, name: ImageName, platform: str) -> RemoteImage:
        """Find what a name points to now, and its configuration for a platform such as `linux/amd64`.

        Raises:
            NotFoundError: There is no such image, or none for the platform.
            IntegrityError: Something that came isn't what its digest says.
            InfrastructureError: The registry can't be reached, or refuses us.
        """
        reference = str(name.digest) if name.digest else str(name.tag)
        data = self._get(name, f"manifests/{reference}", name.digest)
        digest = Digest.of(data)
        document = _document(data, name)
        if "manifests" in document:
            chosen = _for_platform(document, name, platform)
            document = _document(self._get(name, f"manifests/{chosen}", chosen), name)
        config_digest = _digest_in(document.get("config"), name)
        config = _document(self._get(name, f"blobs/{config_digest}", config_digest), name)
        if "manifests" not in _document(data, name):
            _check_platform(config, name, platform)
        settings = config.get("config") or {}
        return RemoteImage(
            name=name.at(digest),
            digest=digest,
            env=dict(entry.partition("=")[::2] for entry in settings.get("Env") or ()),
            labels=settings.get("Labels") or {},
        )

    def _get(self, name: ImageName, path: str, expected: Digest | None) -> bytes:
        """The bytes at a path of a repository, checked. Raises as `resolve` does."""
        url = f"{name.url}/{path}"
        session = self._session()
        with http.network_errors(url, session.trust):
            response = self._request(session, url, name)
            if response.status_code == _UNAUTHORIZED:
                self._auth[name.url] = self._authenticate(session, response, name)
                response = self._request(session, url, name)
            with response:
                _check_status(response, name)
                data = _limited(response, name)
        stated = response.headers.get("Docker-Content-Digest")
        wanted = str(expected) if expected else stated
        if wanted is not None and wanted.startswith("sha256:") and wanted != str(Digest.of(data)):
            raise IntegrityError(
                f"the registry sent something else than it names: {Digest.of(data)} instead of {wanted}",
                where=f"{name.registry}/{name.repository} {path}",
                fix="The registry, or a proxy before it, is damaged or not honest; use another one.",
            )
        return data

    def _request(self, session: http.Session, url: str, name: ImageName) -> requests.Response:
        return session.get(
            url,
            headers={"Accept": _ACCEPT},
            auth=self._auth.get(name.url),
            timeout=(_CONNECT_SECONDS, _READ_SECONDS),
            stream=True,
        )

    def _authenticate(self, session: http.Session, refusal: requests.Response, name: ImageName) -> AuthBase:
        """Answer a challenge (RFC 7235; for Bearer, distribution's token specification)."""
        refusal.close()
        scheme, _, rest = refusal.headers.get("WWW-Authenticate", "").partition(" ")
        credentials = find_credentials(name.registry, self._environ)
        if scheme.lower() == "basic" and credentials is not None:
            return HTTPBasicAuth(credentials.username, credentials.password)
        if scheme.lower() == "bearer":
            return _Bearer(_fetch_token(session, dict(_PARAMETER.findall(rest)), credentials, name))
        raise _refused(name, anonymous=credentials is None)

    def _session(self) -> http.Session:
        if self._opened is None:
            self._opened = self._make_session()
            for adapter in self._opened.adapters.values():  # a dead network is found out at the first try
                adapter.max_retries = adapter.max_retries.new(connect=0)  # type: ignore[attr-defined]
        return self._opened


class _Bearer(AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _fetch_token(
    session: http.Session, challenge: Mapping[str, str], credentials: Credentials | None, name: ImageName
) -> str:
    realm = challenge.get("realm", "")
    if urlsplit(realm).scheme != "https" and not name.url.startswith("http:"):
        raise InfrastructureError(f"the registry {name.registry} asks to log in without TLS, at {http.redact(realm)!r}")
    scope = challenge.get("scope") or f"repository:{name.repository}:pull"
    query = {"service": challenge.get("service", ""), "scope": scope}
    timeout = (_CONNECT_SECONDS, _READ_SECONDS)
    if credentials is not None and credentials.identity_token:
        form = {
            **query,
            "grant_type": "refresh_token",
            "refresh_token": credentials.identity_token,
            "client_id": "repro",
        }
        response = session.post(realm, data=form, timeout=timeout)
    else:
        known = HTTPBasicAuth(credentials.username, credentials.password) if credentials else None
        response = session.get(realm, params=query, auth=known, timeout=timeout)
    if response.status_code in (_UNAUTHORIZED, _FORBIDDEN):
        raise _refused(name, anonymous=credentials is None)
    _check_status(response, name)
    answer = _document(response.content, name)
    token = answer.get("token") or answer.get("access_token")
    if not isinstance(token, str):
        raise InfrastructureError(f"the registry {name.registry} gave no token")
    return token


def _check_status(response: requests.Response, name: ImageName) -> None:
    status = response.status_code
    if status == _NOT_FOUND:
        raise NotFoundError(
            f"there is no image {name}", where=name.registry, fix="Check the name, the tag or the digest."
        )
    if status in (_UNAUTHORIZED, _FORBIDDEN):
        raise _refused(name, anonymous="Authorization" not in response.request.headers)
    if status == _TOO_MANY:
        raise InfrastructureError(
            f"the registry {name.registry} has had too many requests from here",
            fix=f"Wait, or log in: docker login {name.registry}.",
        )
    if not response.ok:
        raise InfrastructureError(f"the registry {name.registry} answered {status} {response.reason}", where=str(name))


def _refused(name: ImageName, *, anonymous: bool) -> NotFoundError:
    """Registries don't tell a private image from none, so neither do we."""
    how = "without credentials" if anonymous else "with the credentials that are configured"
    return NotFoundError(
        f"the registry does not give us {name} {how}",
        where=name.registry,
        fix=f"Check the name; if it is private, log in: docker login {name.registry}.",
    )


def _limited(response: requests.Response, name: ImageName) -> bytes:
    data = bytearray()
    for block in response.iter_content(_BLOCK):
        data += block
        if len(data) > _LIMIT:
            raise IntegrityError("a manifest or configuration is larger than any can be", where=str(name))
    return bytes(data)


def _document(data: bytes, name: ImageName) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except ValueError as error:
        raise InfrastructureError(f"what {name.registry} sent is not JSON", where=str(name)) from error
    if not isinstance(document, dict):
        raise InfrastructureError(f"what {name.registry} sent is not a JSON object", where=str(name))
    return document


def _digest_in(descriptor: Any, name: ImageName) -> Digest:
    """The digest of a descriptor (image-spec, descriptor.md)."""
    try:
        return Digest.parse(descriptor["digest"])
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise InfrastructureError("an image manifest of an unknown kind", where=str(name)) from error


def _for_platform(index: Mapping[str, Any], name: ImageName, platform: str) -> Digest:
    offered = []
    for descriptor in index["manifests"] or ():
        place = descriptor.get("platform") or {}
        offered.append(f"{place.get('os')}/{place.get('architecture')}")
        if offered[-1] == platform:
            return _digest_in(descriptor, name)
    raise _not_for(name, platform, sorted({one for one in offered if "unknown" not in one}))


def _check_platform(config: Mapping[str, Any], name: ImageName, platform: str) -> None:
    found = f"{config.get('os')}/{config.get('architecture')}"
    if found != platform:
        raise _not_for(name, platform, [found])


def _not_for(name: ImageName, platform: str, offered: list[str]) -> NotFoundError:
    return NotFoundError(
        f"{name} is not for {platform}, only for {', '.join(offered) or 'nothing'}",
        where=name.registry,
        fix="Name an image that is.",
    )
