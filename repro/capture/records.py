"""What distributions say of their own files: RECORD, or the list that old installers left. Read, never judged, here."""

import base64
import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path

from repro.capture.model import Distribution

HASHES = frozenset({"sha256", "sha384", "sha512"})
"""Algorithms of RECORD that prove anything (PyPA specification "Recording installed projects")."""


def listed(one: Distribution) -> Iterator[tuple[str, str, str]]:
    """Path, hash (`algorithm=base64`) and size of each file; the latter two may be "".

    Paths are relative to the location of the distribution, or, where there is no RECORD, to its metadata. Nothing
    comes of a distribution that says nothing of its files.
    """
    if not one.record:
        yield from ((path, "", "") for path in text_lines(one.metadata / "installed-files.txt"))
        return
    for row in csv.reader(text_lines(one.metadata / "RECORD")):
        if row:
            path, hashed, size = [*row, "", ""][:3]
            yield path, hashed, size


def text_lines(path: Path) -> list[str]:
    """The lines of a text file that say something; none when it can't be read."""
    try:
        return [line for line in path.read_text("utf-8", "surrogateescape").splitlines() if line.strip()]
    except OSError:
        return []


def repackaged(one: Distribution) -> bool:
    """Whether it is a Debian package: those are patched, keep the RECORD of before, and name no installer."""
    return not one.installer and one.location.name == "dist-packages"


def hash_of(content: bytes, algorithm: str) -> str:
    """The hash of some bytes in RECORD's form."""
    digest = hashlib.new(algorithm, content).digest()
    return f"{algorithm}={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def is_as_recorded(content: bytes, recorded: str) -> bool:
    """Whether bytes have a recorded hash; its algorithm must be one of `HASHES`."""
    return hash_of(content, recorded.partition("=")[0]) == recorded.rstrip("=")
