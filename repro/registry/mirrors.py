"""Which mirrors stand in for a registry: what REPRO_REGISTRY_MIRRORS says, and Docker's own for Docker Hub."""

import json
from collections.abc import Mapping
from pathlib import Path

from repro.errors import UsageError
from repro.registry.names import DOCKER_HUB, parse_mirror, parse_registry

VARIABLE = "REPRO_REGISTRY_MIRRORS"
"""`docker.io=mirror.example:5000,ghcr.io=mirror.example:5000/ghcr`; a registry may be named more than once."""

DAEMON = Path("/etc/docker/daemon.json")

Mirrors = Mapping[str, tuple[str, ...]]
"""Mirrors by registry, in the order in which they are asked; each `host[:port][/path]`."""


def find_mirrors(environ: Mapping[str, str], daemon: Path = DAEMON) -> Mirrors:
    """The configured mirrors. Raises UsageError when the variable can't be read."""
    found: dict[str, tuple[str, ...]] = {}
    for entry in filter(None, map(str.strip, environ.get(VARIABLE, "").split(","))):
        registry, _, mirror = entry.partition("=")
        try:
            key, place = parse_registry(registry.strip()), parse_mirror(mirror.strip())
        except ValueError as error:
            raise UsageError(
                str(error), where=VARIABLE, fix="Write it as docker.io=mirror.example:5000,ghcr.io=mirror.example:5000."
            ) from error
        found[key] = (*found.get(key, ()), place)
    return {DOCKER_HUB: of_docker, **found} if (of_docker := _of_docker(daemon)) else found


def _of_docker(daemon: Path) -> tuple[str, ...]:
    """`registry-mirrors` of Docker's configuration; what we can't read or may not use there is passed over."""
    try:
        config = json.loads(daemon.read_bytes())
    except (OSError, ValueError):
        return ()
    urls = config.get("registry-mirrors") if isinstance(config, dict) else None
    return tuple(place for url in urls or () if (place := _usable(url)))


def _usable(url: object) -> str | None:
    try:
        return parse_mirror(url) if isinstance(url, str) else None
    except ValueError:
        return None
