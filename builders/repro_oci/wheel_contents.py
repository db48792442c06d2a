"""What a wheel says about itself (binary distribution format, PyPA), compared with what is really in it."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from installer.utils import canonicalize_name, parse_metadata_file, parse_wheel_filename

from repro.digest import Digest
from repro.errors import IntegrityError
from repro.programs import EntryPoint
from repro_oci.launchers import parse_launchers
from repro_oci.records import Recorded, WheelRecord, disagreements, parse_record
from repro_oci.wheel_archive import Listing, WheelArchive, list_members, refusal
from repro_oci.wheel_member import ZipMember, read_whole

_VERSION = re.compile(r"1\.[0-9]+")
_SIGNATURES = ("RECORD.jws", "RECORD.p7s")
_REQUIRED = ("METADATA", "WHEEL", "RECORD")


@dataclass(frozen=True, slots=True)
class WheelContents:
    """A wheel that was understood.

    Attributes:
        archive: Where it is.
        distribution: Its project's normalised name.
        dist_info: Name of its `.dist-info` directory.
        data: Name of its `.data` directory, if it has one.
        files: Every file by name, RECORD included. Those that RECORD vouches for have a digest.
        launchers: The programs that it wants to have.
        problems: What is wrong with it, one sentence each; then the rest is only good for finding more.
    """

    archive: WheelArchive
    distribution: str
    dist_info: str
    data: str | None
    files: dict[str, ZipMember]
    launchers: list[EntryPoint]
    problems: list[str]


def read_contents(archive: WheelArchive) -> WheelContents:
    """Read a wheel's directory and metadata.

    Raises:
        IntegrityError: It is no zip file, or doesn't have one `.dist-info` directory.
        InfrastructureError: It can't be read.
    """
    listing = list_members(archive)
    problems = listing.problems
    dist_info = _directory(listing.names, ".dist-info", problems, required=True)
    data = _directory((name for name in listing.names if "/" in name), ".data", problems)
    if dist_info is None:
        raise refusal(archive, problems)
    metadata = _Metadata(archive, listing, dist_info, problems)
    metadata.check_required()
    distribution = _distribution(dist_info, archive.name, problems)
    _check_version(metadata)
    record = _read_record(metadata)
    problems += record.problems
    files = _files(archive, listing, record)
    if not problems:
        _rehash(files, record, problems)
    launchers, found = parse_launchers(metadata.text("entry_points.txt"))
    return WheelContents(archive, distribution, dist_info, data, files, launchers, problems + found)


@dataclass(frozen=True, slots=True)
class _Metadata:
    """The files of the `.dist-info` directory; reading them notes what is wrong."""

    archive: WheelArchive
    listing: Listing
    dist_info: str
    problems: list[str]

    def check_required(self) -> None:
        """Note those that every wheel must have."""
        names = (f"{self.dist_info}/{name}" for name in _REQUIRED)
        self.problems.extend(f"there is no {name}" for name in names if name not in self.listing.names)

    def text(self, name: str) -> str:
        """A file's content, empty where it isn't there or can't be read."""
        member = self.listing.members.get(f"{self.dist_info}/{name}")
        if member is None:
            return ""
        try:
            return read_whole(ZipMember(self.archive, member, None)).decode("utf-8")
        except UnicodeDecodeError:
            self.problems.append(f"{member.name!r} is not UTF-8")
        except IntegrityError as error:
            self.problems.append(f"{member.name!r} {error.what}")
        return ""


def _directory(names: Iterable[str], end: str, problems: list[str], *, required: bool = False) -> str | None:
    """The one directory at the top that ends so."""
    found = sorted({top for name in names if (top := name.partition("/")[0]).endswith(end)})
    if len(found) > 1 or (required and not found):
        problems.append(f"there are {len(found) or 'no'} {end} directories" + "".join(f" {top!r}" for top in found))
    return found[0] if len(found) == 1 else None


def _distribution(dist_info: str, file_name: str, problems: list[str]) -> str:
    """The normalised name, from the archive; a file that is called a wheel has to be called after the same project."""
    stem = dist_info.removesuffix(".dist-info")
    name = canonicalize_name(stem.rpartition("-")[0] or stem)
    if file_name.endswith(".whl"):
        try:
            called = canonicalize_name(parse_wheel_filename(file_name).distribution)
        except ValueError:
            problems.append("its file name is not a wheel's")
            return name
        if called != name:
            problems.append(f"{dist_info!r} is of another project than the file name")
    return name


def _check_version(metadata: _Metadata) -> None:
    text = metadata.text("WHEEL")
    version = str(parse_metadata_file(text)["Wheel-Version"] or "none").strip()
    if text and not _VERSION.fullmatch(version):
        metadata.problems.append(f"its Wheel-Version is {version}; only 1.x is understood")


def _read_record(metadata: _Metadata) -> WheelRecord:
    info, listing = metadata.dist_info, metadata.listing
    unlisted = frozenset(f"{info}/{name}" for name in ("RECORD", *_SIGNATURES))
    record = parse_record(metadata.text("RECORD"), unlisted)
    if f"{info}/RECORD" in listing.members and (record.names or not record.problems):
        sizes = {name: member.size for name, member in listing.members.items() if name not in unlisted}
        record.problems.extend(disagreements(sizes, listing.names, record))
    return record


def _files(archive: WheelArchive, listing: Listing, record: WheelRecord) -> dict[str, ZipMember]:
    return {
        name: ZipMember(archive, member, _sha256(record.files.get(name))) for name, member in listing.members.items()
    }


def _sha256(recorded: Recorded | None) -> Digest | None:
    return Digest(recorded.digest.hex()) if recorded and recorded.algorithm == "sha256" else None


def _rehash(files: dict[str, ZipMember], record: WheelRecord, problems: list[str]) -> None:
    """Find the sha256 of members that have another digest or none (signatures of RECORD): read them now."""
    for name, body in files.items():
        if body.sha256 is not None:
            continue
        recorded = record.files.get(name)
        try:
            files[name] = replace(body, sha256=_hashed(body, recorded))
        except IntegrityError as error:
            problems.append(f"{name!r} {error.what}")


def _hashed(body: ZipMember, recorded: Recorded | None) -> Digest:
    mine = hashlib.sha256()
    theirs = hashlib.new(recorded.algorithm) if recorded else None
    for block in body.plain():
        mine.update(block)
        if theirs:
            theirs.update(block)
    if recorded and theirs and theirs.digest() != recorded.digest:
        raise IntegrityError(f"has another {recorded.algorithm} than RECORD says", where=body.where)
    return Digest(mine.hexdigest())
