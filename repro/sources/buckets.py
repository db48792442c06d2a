"""Objects of S3 and of Google's storage, read in ranges by fsspec's file systems, installed on request."""

import contextlib
import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from repro.errors import InfrastructureError, UsageError
from repro.http import named_ca
from repro.sources.bodies import Body, Network
from repro.sources.uri import Bucket, parse_gs, parse_s3

_BLOCK = 8 << 20
"""Bytes of one request: enough for its round trip not to count."""
_EXTRAS = {"s3": "s3fs", "gs": "gcsfs"}
_CLASSES = {
    "s3": ("s3fs", "S3FileSystem"),
    "gs": ("gcsfs.core", "GCSFileSystem"),  # gcsfs' own default asks for a bucket's type by gRPC, a minute in vain
}


@dataclass(frozen=True, slots=True)
class _Object:
    """An object as a file system of fsspec's knows it, with the arguments that choose its version."""

    files: Any
    name: str
    text: str
    arguments: Mapping[str, str] = field(default_factory=dict)

    def read(self, start: int, end: int) -> bytes:
        """A range. Raises InfrastructureError, with what the library raised as its cause."""
        if start >= end:
            return b""
        with _failures(self.text):
            data: bytes = self.files.cat_file(self.name, start=start, end=end, **self.arguments)
        return data


@contextlib.contextmanager
def s3_body(network: Network, text: str, size: int, offset: int) -> Iterator[Body]:
    """An object of S3, by its version where one is named; as anybody where there is no login.

    Raises:
        UsageError: s3fs isn't installed.
        InfrastructureError: It can't be had.
    """
    bucket = parse_s3(text)
    try:
        body = _body(_s3(network, bucket, text, anonymous=False), size, offset)
    except InfrastructureError as error:
        if type(error.__cause__).__name__ != "NoCredentialsError":  # of botocore, which is here with s3fs only
            raise
        body = _body(_s3(network, bucket, text, anonymous=True), size, offset)
    yield body


@contextlib.contextmanager
def gs_body(network: Network, text: str, size: int, offset: int) -> Iterator[Body]:
    """An object of Google's storage, by its generation where one is named. Raises as `s3_body`."""
    bucket = parse_gs(text)
    generation = f"#{bucket.version}" if bucket.version else ""
    login = {"token": "anon"} if network.environ.get("STORAGE_EMULATOR_HOST") else {}
    session = {"trust_env": True}
    files = _file_system("gs", version_aware=bool(generation), session_kwargs=session, **login)
    yield _body(_Object(files, f"{bucket.name}{generation}", text), size, offset)


def _body(found: _Object, size: int, offset: int) -> Body:
    try:
        return Body(offset, _blocks(found, found.read(offset, min(offset + _BLOCK, size)), offset, size))
    except InfrastructureError:
        if not offset:
            raise
        return _body(found, size, 0)  # the object may be shorter now than what has come


def _s3(network: Network, bucket: Bucket, text: str, *, anonymous: bool) -> _Object:
    client: dict[str, Any] = {"endpoint_url": bucket.endpoint} if bucket.endpoint else {}
    trusted = named_ca(network.ca_cert, network.environ)
    if trusted is not None and (network.ca_cert is not None or not network.environ.get("AWS_CA_BUNDLE")):
        client["verify"] = str(trusted)
    versioned = {"version_id": bucket.version} if bucket.version else {}
    files = _file_system("s3", anon=anonymous, version_aware=bool(versioned), client_kwargs=client)
    return _Object(files, bucket.name, text, versioned)


def _file_system(scheme: str, **options: Any) -> Any:
    """A file system of fsspec's; imported here, because that is slow and hardly ever needed."""
    module, name = _CLASSES[scheme]
    try:
        return getattr(importlib.import_module(module), name)(**options)
    except ImportError as error:
        raise UsageError(
            f"reading {scheme}:// needs {_EXTRAS[scheme]}, which isn't installed",
            fix=f"Install it where repro is: `pip install 'repro[{scheme}]'`.",
        ) from error


def _blocks(found: _Object, first: bytes, offset: int, size: int) -> Iterator[bytes]:
    block = first
    while block:
        yield block
        offset += len(block)
        short = len(block) < _BLOCK  # it ends here, or earlier than it should
        block = b"" if short else found.read(offset, min(offset + _BLOCK, size))


@contextlib.contextmanager
def _failures(text: str) -> Iterator[None]:
    """Turn what the libraries raise, which is anything, into an error that names the object."""
    try:
        yield
    except FileNotFoundError as error:
        raise InfrastructureError(
            f"{text} is not there", fix="Get the file from who captured it, or name another place in [sources]."
        ) from error
    except PermissionError as error:
        raise InfrastructureError(
            f"{text} may not be read: {error}", fix="Log in to the storage as its own tools do, then pull again."
        ) from error
    except Exception as error:
        raise InfrastructureError(
            f"can't read {text}: {type(error).__name__}: {error}",
            fix="Check the login, the network and the proxy settings, then run `repro pull` again.",
        ) from error
