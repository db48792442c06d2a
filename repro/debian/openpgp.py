"""Whether a release file was signed by a key that the base trusts. Which keys those are is decided in `sources`."""

from collections.abc import Sequence
from typing import Any

import pysequoia

from repro.errors import IntegrityError


def signed_content(message: bytes, keyrings: Sequence[bytes], where: str) -> bytes:
    """The part of a clear-signed message (RFC 9580, 7) that a signature covers, after checking that signature.

    Args:
        message: InRelease, as it came.
        keyrings: OpenPGP certificates, binary or armoured, any number in each.
        where: Its URL, for messages.

    Raises:
        IntegrityError: No valid signature is by one of the keys, or the keyrings can't be read.
    """
    certificates = [certificate for keyring in keyrings for certificate in _certificates(keyring, where)]

    def known(_identifiers: list[str]) -> list[Any]:
        return certificates

    try:
        checked = pysequoia.verify(bytes=message, store=known)
    except RuntimeError as error:
        raise IntegrityError(
            f"no trusted key signed this release file: {_first_line(error)}",
            where=where,
            fix="Find out who changed it, or give the keyring of that archive: signed-by in the base's sources, "
            "or REPRO_DEBIAN_KEYRING.",
        ) from error
    if checked.bytes is None or not checked.valid_sigs:
        raise IntegrityError("no trusted key signed this release file", where=where)
    return checked.bytes


def _certificates(keyring: bytes, where: str) -> list[Any]:
    try:
        return list(pysequoia.Cert.split_bytes(keyring))
    except RuntimeError as error:
        raise IntegrityError(f"a keyring can't be read: {_first_line(error)}", where=where) from error


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
