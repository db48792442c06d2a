"""Who we are for private channels: tokens and logins of conda, mamba and pixi, put into requests and nowhere else."""

import base64
import contextlib
import fnmatch
import functools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from repro.conda.condarc import conda_settings
from repro.conda.names import scrubbed, subdir_in, token_of, with_token
from repro.http import Session
from repro.realpaths import expanded


@dataclass(frozen=True, slots=True)
class Credential:
    """What is said to some servers.

    Attributes:
        place: Host, with the beginning of a path or without, for which it is meant; `*` stands for anything in a host.
        kind: A token in the path, one in a header, or a user with a password.
        secret: The token or the password.
        user: The user.
    """

    place: str
    kind: Literal["token", "bearer", "login"]
    secret: str = field(repr=False)
    user: str = ""

    def fits(self, url: str) -> bool:
        """Whether it is meant for a URL."""
        parts = urlsplit(scrubbed(url))
        host, slash, path = self.place.partition("/")
        if not any(fnmatch.fnmatchcase(one, host) for one in (parts.netloc, parts.hostname or "")):
            return False
        return not slash or f"{parts.path}/".startswith(f"/{path.rstrip('/')}/")


def known_credentials(
    environ: Mapping[str, str], *, prefix: Path | None = None, addresses: Iterable[str] = ()
) -> tuple[Credential, ...]:
    """Everything that this user's files say, what is meant for the narrowest place first.

    Args:
        environ: The user's variables.
        prefix: The environment, which may have settings of its own.
        addresses: Further addresses that may hold secrets, such as those of installed packages.
    """
    settings = conda_settings(environ, prefix)
    written = [one for address in (*settings.addresses, *addresses) for one in _in_address(address)]
    found = dict.fromkeys([*written, *_of_rattler(environ), *_of_mamba(), *_of_anaconda(environ)])
    return tuple(sorted(found, key=lambda one: (-len(one.place), "*" in one.place)))


def _in_address(address: str) -> Iterator[Credential]:
    """User and password, or token, of a channel's address."""
    try:
        parts = urlsplit(address)
        token = token_of(address)
        user, password = parts.username, parts.password
    except ValueError:
        return
    if parts.scheme not in {"http", "https"}:
        return
    public = urlsplit(scrubbed(address))
    place = f"{public.netloc}{public.path.rstrip('/')}"
    if token:
        yield Credential(place, "token", token)
    elif user:
        yield Credential(place, "login", unquote(password or ""), unquote(user))


def _of_rattler(environ: Mapping[str, str]) -> Iterator[Credential]:
    """What `pixi auth login` and its kin keep (https://pixi.sh/latest/deployment/authentication)."""
    named = environ.get("RATTLER_AUTH_FILE")
    for path in (expanded(named) if named else None, expanded("~") / ".rattler" / "credentials.json"):
        document = _json(path) if path else None
        for place, said in document.items() if isinstance(document, dict) else ():
            yield from _authentication(str(place).partition("://")[2] or str(place), said)


def _authentication(place: str, said: Any) -> Iterator[Credential]:
    match said:
        case {"CondaToken": str(token)}:
            yield Credential(place, "token", token)
        case {"BearerToken": str(token)}:
            yield Credential(place, "bearer", token)
        case {"BasicHTTP": {"username": str(user), "password": str(password)}}:
            yield Credential(place, "login", password, user)


def _of_mamba() -> Iterator[Credential]:
    """What `mamba auth login` keeps; passwords in base64 (libmamba, `authentication.cpp`)."""
    document = _json(expanded("~") / ".mamba" / "auth" / "authentication.json")
    for place, said in document.items() if isinstance(document, dict) else ():
        match said:
            case {"type": "CondaToken", "token": str(token)}:
                yield Credential(str(place), "token", token)
            case {"type": "BearerToken", "token": str(token)}:
                yield Credential(str(place), "bearer", token)
            case {"type": "BasicHTTPAuthentication", "user": str(user), "password": str(encoded)}:
                with contextlib.suppress(ValueError):
                    yield Credential(str(place), "login", base64.b64decode(encoded, validate=True).decode(), user)


def _of_anaconda(environ: Mapping[str, str]) -> Iterator[Credential]:
    """What `anaconda login` keeps, which conda uses for anaconda.org (its setting `add_anaconda_token`)."""
    data = Path(environ.get("XDG_DATA_HOME") or expanded("~") / ".local" / "share")
    folders = (data / "binstar", expanded("~") / ".continuum" / "anaconda-client" / "tokens")
    for folder in folders:
        token = _line(folder / "https%3A%2F%2Fapi.anaconda.org.token")
        if token:
            yield Credential("conda.anaconda.org", "token", token)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def _line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def authenticated(sessions: Callable[[], Session], credentials: Iterable[Credential]) -> Callable[[], Session]:
    """Sessions that say to channels who we are, and everything else to everybody else as before."""
    known = tuple(credentials)

    def mine() -> Session:
        session = sessions()
        if known and not isinstance(session.auth, _ChannelAuth):
            session.auth = _ChannelAuth(session.auth, known)
        return session

    return mine if known else sessions


def with_own_credentials(
    sessions: Callable[[], Session], environ: Mapping[str, str] = os.environ, prefix: Path | None = None
) -> Callable[[], Session]:
    """The same with what this user's files say; they are read when the first session is asked for."""

    @functools.cache
    def credentials() -> tuple[Credential, ...]:
        return known_credentials(environ, prefix=prefix)

    def mine() -> Session:
        return authenticated(sessions, credentials())()

    return mine


class _ChannelAuth(AuthBase):
    """Credentials of channels; all but requests for a file of a subdir are left to what was there before.

    One host may serve channels and package indexes, and want different credentials for them.
    """

    def __init__(self, before: Any, known: tuple[Credential, ...]) -> None:
        self._before = before
        self._known = known

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        url = request.url or ""
        others = subdir_in(url) is None or urlsplit(url).username or token_of(url)
        found = None if others else next((one for one in self._known if one.fits(url)), None)
        if found is None:
            return self._before(request) if callable(self._before) else request
        request.headers["Cache-Control"] = "no-cache, no-store"
        match found.kind:
            case "token":
                request.url = with_token(url, found.secret)
            case "bearer":
                request.headers["Authorization"] = f"Bearer {found.secret}"
            case "login":
                HTTPBasicAuth(found.user.encode(), found.secret.encode())(request)
        return request
