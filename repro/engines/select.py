"""Finding the engine to use: the one that the person names, else the first that answers; every try is remembered."""

import getpass
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.tls import TLSConfig
from docker.utils import kwargs_from_env

from repro.engines.contexts import Context, current_context
from repro.engines.docker import DockerEngine
from repro.engines.failures import TRANSPORT
from repro.engines.model import EngineInfo
from repro.errors import InfrastructureError

_PING_SECONDS = 10
_REQUEST_SECONDS = 120

INSTALL = (
    "Start Docker or Podman, or install one of them: `scripts/setup-engine` in repro's repository does it on "
    "Debian and Ubuntu; elsewhere see https://docs.docker.com/engine/install/ or https://podman.io/docs/installation."
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One place where an engine was looked for.

    Attributes:
        endpoint: `unix:///var/run/docker.sock`, `tcp://host:2376`, `ssh://user@host`.
        source: Why it was looked at: `DOCKER_HOST`, `docker context NAME`, `default socket`, `podman socket`, …
        engine: What answered, or None.
        failure: Why nothing did, "" when something did.
        advice: What to do about that, or None.
    """

    endpoint: str
    source: str
    engine: EngineInfo | None = None
    failure: str = ""
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class _Candidate:
    endpoint: str
    source: str
    tls: TLSConfig | None = None


class _UnreachableError(Exception):
    def __init__(self, reason: str, advice: str | None = None) -> None:
        super().__init__(reason)
        self.advice = advice


def find_engine(environ: Mapping[str, str] | None = None) -> DockerEngine:
    """The engine that DOCKER_HOST or DOCKER_CONTEXT names, else the first of the usual ones that answers.

    Raises:
        InfrastructureError: None does; `problems` lists every try with its reason.
    """
    tried = []
    for attempt, engine in _attempts(os.environ if environ is None else environ):
        if engine is not None:
            return engine
        tried.append(attempt)
    advice = next((attempt.advice for attempt in tried if attempt.advice), INSTALL)
    raise InfrastructureError(
        "no container engine answers",
        problems=[f"{attempt.source} ({attempt.endpoint}): {attempt.failure}" for attempt in tried],
        fix=advice,
    )


def probe_engines(environ: Mapping[str, str] | None = None) -> list[Attempt]:
    """Every place where an engine may be and what came of asking there; never raises."""
    return [attempt for attempt, _ in _attempts(os.environ if environ is None else environ)]


def _attempts(environ: Mapping[str, str]) -> Iterator[tuple[Attempt, DockerEngine | None]]:
    try:
        candidates = _candidates(environ)
    except _UnreachableError as error:
        yield Attempt("-", "environment", failure=str(error), advice=error.advice), None
        return
    for candidate in candidates:
        try:
            engine = _connect(candidate)
            found = engine.info()
        except (_UnreachableError, InfrastructureError) as error:
            advice = error.advice if isinstance(error, _UnreachableError) else error.fix
            yield Attempt(candidate.endpoint, candidate.source, failure=str(error), advice=advice), None
        else:
            yield Attempt(candidate.endpoint, candidate.source, engine=found), engine


def _candidates(environ: Mapping[str, str]) -> list[_Candidate]:
    """Where to look. An engine named by a variable is the only one: another in its place would be a surprise."""
    if environ.get("DOCKER_HOST"):
        return [_from_environment(environ)]
    context = current_context(environ)
    chosen = [] if context is None else [_from_context(context)]
    if environ.get("DOCKER_CONTEXT") and context is not None:
        return chosen
    found = dict.fromkeys(_sockets(environ))
    known = {candidate.endpoint for candidate in chosen}
    return chosen + [_Candidate(endpoint, source) for endpoint, source in found if endpoint not in known]


def _from_environment(environ: Mapping[str, str]) -> _Candidate:
    try:
        settings = kwargs_from_env(environment=dict(environ))
    except TRANSPORT as error:
        raise _UnreachableError(
            f"DOCKER_HOST={environ['DOCKER_HOST']}: {error}", "Correct DOCKER_CERT_PATH."
        ) from error
    return _Candidate(environ["DOCKER_HOST"], "DOCKER_HOST", settings.get("tls") or None)


def _from_context(context: Context) -> _Candidate:
    source = f"docker context {context.name}"
    if context.host is None:
        return _Candidate("-", source)
    if context.tls is None:
        return _Candidate(context.host, source)
    try:
        pair = (str(context.tls / "cert.pem"), str(context.tls / "key.pem"))
        tls = TLSConfig(client_cert=pair, ca_cert=str(context.tls / "ca.pem"), verify=context.verify)
    except TRANSPORT as error:
        raise _UnreachableError(
            f"{source}: {error}", f"Repair the context {context.name}, or choose another."
        ) from error
    return _Candidate(context.host, source, tls)


def _sockets(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    home = Path(environ.get("HOME") or Path.home())
    runtime = environ.get("XDG_RUNTIME_DIR")
    yield "unix:///var/run/docker.sock", "default socket"
    if runtime:
        yield f"unix://{runtime}/docker.sock", "rootless docker socket"
    for below, source in (
        (".docker/run/docker.sock", "docker desktop socket"),
        (".docker/desktop/docker.sock", "docker desktop socket"),
        (".colima/default/docker.sock", "colima socket"),
        (".config/colima/default/docker.sock", "colima socket"),
        (".rd/docker.sock", "rancher desktop socket"),
        (".orbstack/run/docker.sock", "orbstack socket"),
    ):
        yield f"unix://{home / below}", source
    if environ.get("CONTAINER_HOST"):
        yield environ["CONTAINER_HOST"], "CONTAINER_HOST"
    if runtime:
        yield f"unix://{runtime}/podman/podman.sock", "podman socket"
    yield "unix:///run/podman/podman.sock", "podman socket"


def _connect(candidate: _Candidate) -> DockerEngine:
    if candidate.endpoint == "-":
        raise _UnreachableError("the context has no endpoint", "Choose another with `docker context use`.")
    if candidate.endpoint.startswith("unix://"):
        _knock(candidate.endpoint.removeprefix("unix://"))
    try:
        client = docker.DockerClient(
            base_url=candidate.endpoint,
            version="auto",
            timeout=_PING_SECONDS,
            tls=candidate.tls or False,
            use_ssh_client=candidate.endpoint.startswith("ssh://"),
        )
        client.ping()
    except (*TRANSPORT, OSError, ValueError) as error:
        raise _UnreachableError(str(error)) from error
    client.api.timeout = _REQUEST_SECONDS
    return DockerEngine(client, endpoint=candidate.endpoint, source=candidate.source)


def _knock(path: str) -> None:
    """Open a socket and close it again: its own errors are clearer than what the SDK makes of them."""
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_PING_SECONDS)
            probe.connect(path)
    except PermissionError as error:
        raise _UnreachableError("permission denied", _permission_advice(path)) from error
    except FileNotFoundError as error:
        raise _UnreachableError("no such socket") from error
    except ConnectionRefusedError as error:
        raise _UnreachableError("nothing listens there", "Start the engine: `systemctl start docker`.") from error
    except OSError as error:
        raise _UnreachableError(error.strerror or str(error)) from error


def _permission_advice(path: str) -> str:
    return (
        f"You may not open {path}: add yourself to its group (`sudo usermod -aG docker {_user()}`) and log in again, "
        "or use rootless Docker or Podman."
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "$USER"
