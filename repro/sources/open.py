"""Which reader a source needs."""

from contextlib import AbstractContextManager
from pathlib import Path

from repro.sources.bodies import Body, Network, local_body, web_body
from repro.sources.buckets import gs_body, s3_body
from repro.sources.hub import hub_body
from repro.sources.lfs_server import lfs_body
from repro.sources.uri import scheme_of


def open_source(network: Network, text: str, root: Path, size: int, offset: int) -> AbstractContextManager[Body]:
    """The content of a source that `repro.sources.uri.problem_of` finds no fault with.

    Args:
        network: How to reach it.
        text: The source.
        root: Project root, where relative ones start.
        size: Bytes that it should have.
        offset: Where to begin.

    Raises:
        UsageError: A library that it needs isn't installed.
        InfrastructureError: It can't be reached or read; also while the content is read.
    """
    match scheme_of(text):
        case "s3":
            return s3_body(network, text, size, offset)
        case "gs":
            return gs_body(network, text, size, offset)
        case "hf":
            return hub_body(network, text, offset)
        case "file":
            return local_body(text, offset, root)
        case "http" | "https":
            return web_body(network, text, offset)
        case _:
            return lfs_body(network, text, size, offset)
