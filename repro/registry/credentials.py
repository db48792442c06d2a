"""Who we are to a registry: what `docker login` and `podman login` left, credential helpers included."""

import base64
import binascii
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro.errors import InfrastructureError, ReproError
from repro.files import is_visible_file
from repro.process import run
from repro.registry.names import DOCKER_HUB

_HUB_KEY = "https://index.docker.io/v1/"
_HELPER_SECONDS = 30
_TOKEN_USER = "<token>"  # noqa: S105 - what helpers say instead of a user name (docker-credential-helpers)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and password, or an identity token (OAuth 2 refresh token) in place of both."""

    username: str
    password: str
    identity_token: str | None = None


def find_credentials(registry: str, environ: Mapping[str, str] = os.environ) -> Credentials | None:
    """What is configured for a registry, None for nothing: then it is asked anonymously.

    Raises:
        InfrastructureError: A configuration file is damaged, or a credential helper is missing or failed.
    """
    for path in _config_files(environ):
        if is_visible_file(path):
            found = _from_config(_read(path), registry, environ)
            if found is not None:
                return found
    return None


def _config_files(environ: Mapping[str, str]) -> Iterator[Path]:
    if environ.get("REGISTRY_AUTH_FILE"):
        yield Path(environ["REGISTRY_AUTH_FILE"])
    home = Path(environ.get("HOME") or Path.home())
    yield Path(environ.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
    if environ.get("XDG_RUNTIME_DIR"):
        yield Path(environ["XDG_RUNTIME_DIR"]) / "containers" / "auth.json"
    yield home / ".config" / "containers" / "auth.json"


def _read(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InfrastructureError(
            f"can't read the registry credentials: {error}", where=str(path), fix="Repair the file, or log in again."
        ) from error
    return config if isinstance(config, dict) else {}


def _from_config(config: dict[str, Any], registry: str, environ: Mapping[str, str]) -> Credentials | None:
    keys = _keys(registry)
    helpers = config.get("credHelpers") or {}
    for key in keys:
        if key in helpers:
            return _from_helper(helpers[key], key, environ)
    for key, entry in (config.get("auths") or {}).items():
        if key in keys and isinstance(entry, dict) and (found := _from_entry(entry)):
            return found
    if config.get("credsStore"):
        return next((c for key in keys if (c := _from_helper(config["credsStore"], key, environ))), None)
    return None


def _keys(registry: str) -> tuple[str, ...]:
    """Under which names tools have filed one registry."""
    if registry == DOCKER_HUB:
        return (_HUB_KEY, "docker.io", "index.docker.io", "https://index.docker.io", "registry-1.docker.io")
    return (
        registry,
        f"https://{registry}",
        f"https://{registry}/",
        f"https://{registry}/v1/",
        f"https://{registry}/v2/",
    )


def _from_entry(entry: dict[str, Any]) -> Credentials | None:
    username, password = entry.get("username") or "", entry.get("password") or ""
    if entry.get("auth"):
        try:
            username, _, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError, TypeError):
            return None
    token = entry.get("identitytoken") or None
    return Credentials(username, password.strip("\0"), token) if username or token else None


def _from_helper(helper: str, key: str, environ: Mapping[str, str]) -> Credentials | None:
    program = f"docker-credential-{helper}"
    try:
        done = run([program, "get"], stdin=key, env=environ, timeout=_HELPER_SECONDS, check=False)
    except ReproError as error:
        raise InfrastructureError(
            f"the credential helper for {key} can't be used: {error.what}",
            where=program,
            fix="Install it, or take it out of Docker's config.json.",
        ) from error
    if done.returncode:  # also when it just knows nothing of this registry
        return None
    try:
        answer = json.loads(done.stdout)
        username, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError) as error:
        raise InfrastructureError(f"the credential helper {program} gave no usable answer", where=program) from error
    return Credentials("", "", secret) if username == _TOKEN_USER else Credentials(username, secret)
