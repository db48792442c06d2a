"""Docker contexts, read the way the docker command does: which endpoint is current, and its TLS material."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Context:
    """A Docker context.

    Attributes:
        name: As `docker context ls` shows it.
        host: Endpoint URL, None when its files don't tell one.
        tls: Directory with `ca.pem`, `cert.pem` and `key.pem`, or None.
        verify: Whether the server's certificate is checked.
    """

    name: str
    host: str | None
    tls: Path | None = None
    verify: bool = True


def current_context(environ: Mapping[str, str]) -> Context | None:
    """The context named by DOCKER_CONTEXT or by the docker command's configuration; None for the default one."""
    folder = _configuration(environ)
    configured = _json(folder / "config.json").get("currentContext")
    name = environ.get("DOCKER_CONTEXT") or configured
    if not isinstance(name, str) or name in {"", "default"}:
        return None
    return _load(folder / "contexts", name)


def _configuration(environ: Mapping[str, str]) -> Path:
    chosen = environ.get("DOCKER_CONFIG")
    return Path(chosen) if chosen else Path(environ.get("HOME") or Path.home()) / ".docker"


def _load(folder: Path, name: str) -> Context:
    key = hashlib.sha256(name.encode()).hexdigest()
    endpoints = _json(folder / "meta" / key / "meta.json").get("Endpoints")
    endpoint = endpoints.get("docker") if isinstance(endpoints, dict) else None
    if not isinstance(endpoint, dict) or not isinstance(endpoint.get("Host"), str):
        return Context(name, None)
    tls = folder / "tls" / key / "docker"
    return Context(name, endpoint["Host"], tls if tls.is_dir() else None, verify=not endpoint.get("SkipTLSVerify"))


def _json(path: Path) -> dict[str, Any]:
    """The object in a JSON file, empty when there is none: a broken file must not hide an engine that works."""
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
