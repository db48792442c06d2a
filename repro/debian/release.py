"""Release files (Debian wiki, RepositoryFormat): what an archive promises of its indexes, and until when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from repro.debian.control import paragraphs
from repro.debian.openpgp import signed_content
from repro.debian.sources import KEYRING, Source
from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError


@dataclass(frozen=True, slots=True)
class Release:
    """A checked release file.

    Attributes:
        files: sha256 and size of each index by its path below the suite's directory.
        architectures: Those the suite has.
        by_hash: Whether indexes can be had by their digest, so that an update of the archive does no harm.
    """

    files: Mapping[str, tuple[Digest, int]]
    architectures: tuple[str, ...]
    by_hash: bool
    all_apart: bool


def read_release(message: bytes, source: Source, where: str, now: datetime) -> Release:
    """Check an InRelease file and read it.

    Args:
        message: As it came.
        source: Which suite it has to be, and who may have signed it.
        where: Its URL.
        now: For the time until which it is valid, with a time zone.

    Raises:
        IntegrityError: The signature, the suite or the text is not what it must be.
        InfrastructureError: It is too old: the mirror is not kept up to date.
    """
    text = _content(message, source, where).decode("utf-8", "replace")
    fields = next(paragraphs(text, where), {})
    suite = source.suite.partition("/")[0]
    named = {name.partition("/")[0] for name in (fields.get("suite", ""), fields.get("codename", ""))}
    if suite not in named:
        raise IntegrityError(f"this is the release file of {' or '.join(sorted(named))}, not of {suite}", where=where)
    if source.expires and "valid-until" in fields:
        _check_age(fields["valid-until"], where, now)
    architectures = tuple(fields.get("architectures", "").split())
    return Release(
        files=_files(fields.get("sha256", ""), where),
        architectures=architectures,
        by_hash=fields.get("acquire-by-hash", "no") == "yes",
        all_apart="all" in architectures and "Packages" not in fields.get("no-support-for-architecture-all", ""),
    )


def _content(message: bytes, source: Source, where: str) -> bytes:
    if source.trusted:
        lines = message.partition(b"\n-----BEGIN PGP SIGNATURE-----")[0]
        return lines.partition(b"\n\n")[2] if lines.startswith(b"-----BEGIN PGP SIGNED") else message
    if not source.keyrings:
        raise IntegrityError(
            "there is no key to check the archive's signature with: the base image has no keyring",
            where=where,
            fix=f"Name one in {KEYRING}, such as debian-archive-keyring.gpg from Debian's package of that name.",
        )
    return signed_content(message, source.keyrings, where)


def _check_age(valid_until: str, where: str, now: datetime) -> None:
    try:
        end = parsedate_to_datetime(valid_until)
    except ValueError as error:
        raise IntegrityError(f"not a date: {valid_until!r}", where=where) from error
    if now > (end if end.tzinfo else end.replace(tzinfo=UTC)):
        raise InfrastructureError(
            f"the release file was valid until {valid_until}: the mirror is not kept up to date",
            where=where,
            fix="Use another mirror, and check this machine's clock.",
        )


def _files(text: str, where: str) -> dict[str, tuple[Digest, int]]:
    found = {}
    for line in text.splitlines():
        words = line.split()
        if not words:
            continue
        try:
            digest, size, path = words
            found[path] = Digest(digest), int(size)
        except ValueError as error:
            raise IntegrityError(f"not an entry of a release file: {line[:120]!r}", where=where) from error
    return found
