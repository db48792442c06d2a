"""Reading images from registries (OCI distribution-spec): names, credentials, manifests; every byte is checked."""

from repro.registry.client import NotFoundError, Registry, RemoteImage
from repro.registry.names import ImageName, parse_name

__all__ = ["ImageName", "NotFoundError", "Registry", "RemoteImage", "parse_name"]
