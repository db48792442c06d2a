"""Digests as a type, so that a bare hex string can't slip through. Only sha256 is spoken here."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_HEX = re.compile(r"[0-9a-f]{64}")
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A sha256 digest; `str()` gives the OCI form `sha256:<64 hex digits>` (OCI image-spec, descriptor.md)."""

    hex: str

    def __post_init__(self) -> None:
        if not _HEX.fullmatch(self.hex):
            msg = f"not a sha256 digest: {self.hex!r}"
            raise ValueError(msg)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `sha256:<hex>`. Raises ValueError for any other algorithm or shape."""
        algorithm, _, value = text.partition(":")
        if algorithm != "sha256":
            msg = f"not a sha256 digest: {text!r}"
            raise ValueError(msg)
        return cls(value)

    @classmethod
    def of(cls, data: bytes) -> Self:
        """The digest of bytes in memory."""
        return cls(hashlib.sha256(data).hexdigest())

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """The digest of a file's content, read in blocks. Raises OSError as open() does."""
        hasher = hashlib.sha256()
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                hasher.update(block)
        return cls(hasher.hexdigest())

    @property
    def short(self) -> str:
        """The first 12 hex digits, for people."""
        return self.hex[:12]

    def __str__(self) -> str:
        return f"sha256:{self.hex}"
