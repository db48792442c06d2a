"""Images in registries (OCI distribution-spec): names, credentials, mirrors, documents, blobs; every byte checked."""

from repro.registry.client import Registry, RemoteImage
from repro.registry.failures import MissingError, NotFoundError, check_status
from repro.registry.images import registry_image
from repro.registry.names import ImageName, parse_name

__all__ = [
    "ImageName",
    "MissingError",
    "NotFoundError",
    "Registry",
    "RemoteImage",
    "check_status",
    "parse_name",
    "registry_image",
]
