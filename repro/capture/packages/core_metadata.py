"""What a published wheel requires (core metadata, PyPA): from the document beside it, else from inside it."""

from packaging.metadata import parse_email
from packaging.requirements import Requirement

from repro.capture.packages.index import IndexClient, IndexFile
from repro.capture.packages.markers import parse_requirements
from repro.capture.packages.remote_wheel import read_dist_info
from repro.digest import Digest
from repro.errors import InfrastructureError
from repro.urls import redact


def published_requirements(file: IndexFile, client: IndexClient) -> tuple[Requirement, ...]:
    """The requirements of a wheel on an index.

    Raises:
        InfrastructureError: It can't be reached, or its METADATA is not the one that its index announces.
    """
    raw, _ = parse_email(_beside(file, client) or read_dist_info(file, "METADATA", client) or b"")
    return parse_requirements(raw.get("requires_dist", []))


def _beside(file: IndexFile, client: IndexClient) -> bytes | None:
    """METADATA as PEP 658 publishes it."""
    if not file.metadata:
        return None
    document = client.text(f"{file.url}.metadata")
    if document is not None and isinstance(file.metadata, Digest) and Digest.of(document) != file.metadata:
        raise InfrastructureError(
            f"{redact(file.url)}.metadata is not the document that its index announces: "
            f"expected {file.metadata}, found {Digest.of(document)}",
            where=file.name,
            fix="Try again; if it stays so, tell whoever runs the index.",
        )
    return document
