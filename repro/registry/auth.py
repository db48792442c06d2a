"""Answering a registry's challenges: HTTP basic authentication, and tokens for exactly what is about to be done."""

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from repro import http
from repro.errors import InfrastructureError
from repro.registry.credentials import Credentials, find_credentials
from repro.registry.failures import FORBIDDEN, UNAUTHORIZED, check_status, refused
from repro.registry.names import ImageName
from repro.urls import redact

_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_ORDER = ("pull", "push", "delete")

Actions = tuple[str, ...]
"""What is done to a repository: "pull", "push" (distribution's token specification, scope)."""


class Anonymous(AuthBase):
    """No credentials at all, also not those of netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Leave the request as it is."""
        return request


@dataclass(frozen=True, slots=True)
class _Bearer(AuthBase):
    token: str

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


class Authenticator:
    """Remembers how each repository wants to be spoken to. Safe for several threads: they share one answer.

    Args:
        environ: Where credentials are looked up.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._known: dict[tuple[str, Actions], AuthBase] = {}
        self._lock = threading.Lock()

    def known(self, name: ImageName, actions: Actions) -> AuthBase | None:
        """What satisfied an earlier challenge; None when there was none yet."""
        return self._known.get((name.url, actions))

    def answer(
        self, session: http.Session, refusal: requests.Response, name: ImageName, actions: Actions, used: object
    ) -> AuthBase:
        """Answer a challenge (RFC 7235; for Bearer, distribution's token specification).

        Args:
            session: Asks for tokens.
            refusal: The answer with status 401; closed here.
            name: The repository.
            actions: What is to be done there.
            used: What `known` gave for the request that was refused.

        Raises:
            NotFoundError: There are no credentials, or they don't suffice.
            InfrastructureError: Credentials or tokens can't be had.
        """
        refusal.close()
        with self._lock:
            now = self.known(name, actions)
            if now is not None and now is not used:  # another thread was refused, too, and has asked already
                return now
            found = self._authenticate(session, refusal, name, actions)
            self._known[name.url, actions] = found
            return found

    def _authenticate(
        self, session: http.Session, refusal: requests.Response, name: ImageName, actions: Actions
    ) -> AuthBase:
        scheme, _, rest = refusal.headers.get("WWW-Authenticate", "").partition(" ")
        credentials = find_credentials(name.registry, self._environ)
        if scheme.lower() == "basic" and credentials is not None:
            return HTTPBasicAuth(credentials.username, credentials.password)
        if scheme.lower() == "bearer":
            challenge = dict(_PARAMETER.findall(rest))
            wanted = f"repository:{name.repository}:{','.join(actions)}"
            scopes = _merged([wanted, *challenge.get("scope", "").split()])
            return _Bearer(_fetch_token(session, challenge, scopes, credentials, name))
        raise refused(name, anonymous=credentials is None)


def _merged(scopes: Iterable[str]) -> list[str]:
    """One scope for each resource, with every action that any of them names."""
    found: dict[str, set[str]] = {}
    for scope in scopes:
        resource, _, actions = scope.rpartition(":")
        found.setdefault(resource, set()).update(actions.split(","))
    return [f"{resource}:{','.join(sorted(actions, key=_rank))}" for resource, actions in found.items()]


def _rank(action: str) -> tuple[int, str]:
    return (_ORDER.index(action) if action in _ORDER else len(_ORDER), action)


def _fetch_token(
    session: http.Session,
    challenge: Mapping[str, str],
    scopes: list[str],
    credentials: Credentials | None,
    name: ImageName,
) -> str:
    realm = challenge.get("realm", "")
    if urlsplit(realm).scheme != "https" and not name.url.startswith("http:"):
        raise InfrastructureError(f"the registry {name.registry} asks to log in without TLS, at {redact(realm)!r}")
    query = {"service": challenge.get("service", "")}
    with http.network_errors(realm, session.trust):
        if credentials is not None and credentials.identity_token:
            form = {
                **query,
                "scope": " ".join(scopes),  # OAuth 2 has one scope parameter (RFC 6749, 3.3)
                "grant_type": "refresh_token",
                "refresh_token": credentials.identity_token,
                "client_id": "repro",
            }
            response = session.post(realm, data=form, auth=Anonymous())
        else:
            known = HTTPBasicAuth(credentials.username, credentials.password) if credentials else Anonymous()
            response = session.get(realm, params={**query, "scope": scopes}, auth=known)
    if response.status_code in {UNAUTHORIZED, FORBIDDEN}:
        raise refused(name, anonymous=credentials is None)
    check_status(response, name)
    return _token(response, name)


def _token(response: requests.Response, name: ImageName) -> str:
    try:
        answer = response.json()
    except ValueError:
        answer = None
    found = (answer.get("token") or answer.get("access_token")) if isinstance(answer, dict) else None
    if not isinstance(found, str):
        raise InfrastructureError(f"the registry {name.registry} gave no token")
    return found
