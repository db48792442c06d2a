"""Which of several published wheels is the one that was installed: by METADATA's digest, then by RECORD."""

import csv
from collections.abc import Mapping, Sequence

from repro.capture.model import Distribution
from repro.capture.packages.index import IndexClient, IndexFile
from repro.capture.packages.remote_wheel import read_dist_info
from repro.digest import Digest

_SIGNATURES = ("RECORD", "RECORD.jws", "RECORD.p7s")


def doubtful(distribution: Distribution, file: IndexFile) -> bool:
    """Whether the index announces other METADATA for a file than what is installed; asks nobody (PEP 658)."""
    if not isinstance(file.metadata, Digest):
        return False
    try:
        return Digest.of((distribution.metadata / "METADATA").read_bytes()) != file.metadata
    except OSError:
        return False


def installed_file(distribution: Distribution, files: Sequence[IndexFile], client: IndexClient) -> IndexFile | None:
    """The first of these wheels whose RECORD says what the installed RECORD says; None when none does.

    Only lines are compared: whether the installed files are still what they say is another question.

    Raises:
        InfrastructureError: An index can't be reached.
    """
    ours = _installed(distribution)
    return next((file for file in files if ours and _matches(ours, file, client)), None)


def says_the_same(distribution: Distribution, record: str) -> bool:
    """Whether a wheel's RECORD says what the installed RECORD says."""
    return _agrees(_installed(distribution), _lines(record))


def readable(distribution: Distribution) -> bool:
    """Whether there is an installed RECORD to compare with."""
    return bool(_installed(distribution))


def _matches(ours: Mapping[str, str], file: IndexFile, client: IndexClient) -> bool:
    record = read_dist_info(file, "RECORD", client)
    return record is not None and _agrees(ours, _lines(record.decode("utf-8", "replace")))


def _agrees(ours: Mapping[str, str], theirs: Mapping[str, str]) -> bool:
    return bool(theirs) and all(ours.get(path) == digest for path, digest in theirs.items())


def _installed(distribution: Distribution) -> dict[str, str]:
    try:
        return _lines((distribution.metadata / "RECORD").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return {}


def _lines(text: str) -> dict[str, str]:
    """Digests by path, of the files that installers copy as they are and to the path that the wheel has them at."""
    rows = (row for row in csv.reader(text.splitlines()) if len(row) > 1 and row[1])
    found = {row[0].replace("\\", "/"): row[1].rstrip("=") for row in rows}
    return {path: digest for path, digest in found.items() if _copied(path)}


def _copied(path: str) -> bool:
    first, _, rest = path.partition("/")
    return not first.endswith(".data") and not (first.endswith(".dist-info") and rest in _SIGNATURES)
