"""Finding the engine to use: the one that the person names, else the first that answers; every try is remembered.

Any engine can verify; only one that speaks the Docker API can build through it: `find_docker`.
"""

import getpass
import os
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import docker
from docker.tls import TLSConfig
from docker.utils import kwargs_from_env

from repro.engines.contexts import Context, current_context
from repro.engines.docker import DockerEngine
from repro.engines.failures import TRANSPORT
from repro.engines.model import Engine, EngineInfo
from repro.errors import InfrastructureError, UsageError
from repro.oci.locations import is_location

BUBBLEWRAP = "bubblewrap"
ENGINES = ("docker", "podman", BUBBLEWRAP)
"""Names by which a person can ask for an engine."""

_E = TypeVar("_E", bound=Engine)

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
        source: Why it was looked at: `DOCKER_HOST`, `docker context NAME`, `default socket`, `bubblewrap`, …
        engine: What answered, or None.
        failure: Why nothing did, "" when something did.
        advice: What to do about that, or None.
    """

    endpoint: str
    source: str
    engine: EngineInfo | None = None
    failure: str = ""
    advice: str | None = None

    def __str__(self) -> str:
        answered = f"{self.engine.name} {self.engine.version} answers" if self.engine else self.failure
        return f"{self.source} ({self.endpoint}): {answered}"


@dataclass(frozen=True, slots=True)
class _Candidate:
    endpoint: str
    source: str
    tls: TLSConfig | None = None


class _UnreachableError(Exception):
    def __init__(self, reason: str, advice: str | None = None) -> None:
        super().__init__(reason)
        self.advice = advice


def find_engine(name: str | None = None, environ: Mapping[str, str] = os.environ) -> Engine:
    """The engine that was asked for, or one that answers.

    That is the one that DOCKER_HOST or DOCKER_CONTEXT names, else the first of the usual ones; and bubblewrap, where
    none answers and none was named.

    Args:
        name: One of `ENGINES`, or None.
        environ: Where variables are.

    Raises:
        UsageError: There is no engine of this name.
        InfrastructureError: None answers; `problems` lists every try with its reason.
    """
    if name is not None and name not in ENGINES:
        raise UsageError(f"there is no engine {name}", fix=f"One of these: {', '.join(ENGINES)}.")
    return _first(name, _every(name, environ))


def engine_for(image: str, asked: str | None) -> str | None:
    """The name of the engine to look for: the one asked for, else bubblewrap for what is in files: only that runs it.

    Args:
        image: A reference or a location (`repro.oci.locations`).
        asked: One of `ENGINES`, or None.
    """
    return asked or (BUBBLEWRAP if is_location(image) else None)


def find_docker(environ: Mapping[str, str] = os.environ) -> DockerEngine:
    """As `find_engine`, but only engines that speak the Docker API."""
    return _first(None, _attempts(environ))


def probe_engines(environ: Mapping[str, str] = os.environ) -> list[Attempt]:
    """Every place where `find_engine` would look and what came of asking there; never raises."""
    return [attempt for attempt, _ in _every(None, environ)]


def _first(name: str | None, attempts: Iterable[tuple[Attempt, _E | None]]) -> _E:
    """The first engine that answers and is called so."""
    tried = []
    for attempt, engine in attempts:
        if engine is not None and attempt.engine is not None and name in {None, attempt.engine.name}:
            return engine
        tried.append(attempt)
    raise InfrastructureError(
        f"{name} does not answer" if name else "no container engine answers",
        problems=[str(attempt) for attempt in tried],
        fix=advice_for(tried),
    )


def advice_for(tried: Sequence[Attempt]) -> str:
    """What to do when none of these answered as it should: about a container engine, then about bubblewrap."""
    engines = [attempt.advice for attempt in tried if attempt.advice and attempt.source != BUBBLEWRAP]
    sandboxes = [attempt.advice for attempt in tried if attempt.advice and attempt.source == BUBBLEWRAP]
    if len(tried) == len(sandboxes) == 1:
        return sandboxes[0]
    return " Or do without: ".join([*(engines or [INSTALL])[:1], *sandboxes])


def _every(name: str | None, environ: Mapping[str, str]) -> Iterator[tuple[Attempt, Engine | None]]:
    """Tries in the order that counts. A container engine that was named is not replaced when it is dead."""
    if name != BUBBLEWRAP:
        yield from _attempts(environ)
    named = environ.get("DOCKER_HOST") or environ.get("DOCKER_CONTEXT")
    if name == BUBBLEWRAP or (name is None and not named and sys.platform == "linux"):
        yield _bubblewrap("named by the caller" if name else "no container engine answers", environ)


def _bubblewrap(source: str, environ: Mapping[str, str]) -> tuple[Attempt, Engine | None]:
    if sys.platform != "linux":
        return Attempt("-", BUBBLEWRAP, failure="it runs on Linux only"), None
    from repro.engines.bubblewrap import find_bubblewrap  # noqa: PLC0415 - it can't be imported elsewhere

    try:
        engine = find_bubblewrap(source, environ)
    except InfrastructureError as error:
        return Attempt(error.where or "bwrap", BUBBLEWRAP, failure=str(error), advice=error.fix), None
    found = engine.info()
    return Attempt(found.endpoint, BUBBLEWRAP, engine=found), engine


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
