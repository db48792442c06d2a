"""A record of an installed package (`PrefixRecord` of conda, mamba and rattler, conda-meta/*.json) as a value. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from repro.conda.names import ENDINGS, channel_name, channel_url, parse_archive_name, scrubbed, subdir_in
from repro.digest import Digest
from repro.errors import UsageError
from repro.lock import CondaPackage

PYTHON = "python"
"""The package that is the interpreter."""
_SITE = "site-packages/"
_MD5 = re.compile(r"[0-9a-f]{32}")
_LAID_ASIDE = "__clobbers__/"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class InstalledPath:
    """A file, link or directory that a package brought.

    Attributes:
        path: Relative to the prefix, with forward slashes.
        kind: `hardlink`, `softlink`, `directory`, `pyc_file`, `unix_python_entry_point`, …; "" where nothing is said.
        sha256: What its content in this prefix has, in hex; None where nothing is said.
        size: Bytes of that; None where nothing is said, or where only the size before the prefix came in is known.
    """

    path: str
    kind: str = ""
    sha256: str | None = None
    size: int | None = None

    @property
    def compiled(self) -> bool:
        """Whether it is bytecode, which interpreters write anew as they like."""
        return self.path.endswith((".pyc", ".pyo")) or self.kind == "pyc_file"


@dataclass(frozen=True)
class Record:
    """One installed package, as its file in conda-meta says. Equal by that file.

    Attributes:
        file: That file.
        name: Package name. version: Its version. build: Its build string. build_number: The number in that.
        subdir: `linux-64`, `noarch`, …
        channel: As it is written there, secrets included; for looking into, never for showing.
        url: Where the archive came from, secrets included; "" where nothing is said.
        archive: The archive's file name.
        md5: In hex. sha256: Likewise, as a digest. size: Bytes of the archive.
        depends: Match specifications. constrains: Likewise.
        noarch: `python`, `generic` or None.
        paths: Everything that it brought.
        requested: The specifications with which somebody asked for it.
        tarball: Where the archive was on this machine; unpacked: where its content was.
        link: How it was linked: 1 is by hard links, 2 by soft ones, 3 by copies, None where nothing is said.
    """

    file: Path
    name: str = field(compare=False)
    version: str = field(compare=False)
    build: str = field(compare=False)
    build_number: int = field(compare=False)
    subdir: str = field(compare=False)
    channel: str = field(compare=False, repr=False)
    url: str = field(compare=False, repr=False)
    archive: str = field(compare=False)
    md5: str | None = field(default=None, compare=False)
    sha256: Digest | None = field(default=None, compare=False)
    size: int | None = field(default=None, compare=False)
    depends: tuple[str, ...] = field(default=(), compare=False)
    constrains: tuple[str, ...] = field(default=(), compare=False)
    noarch: str | None = field(default=None, compare=False)
    paths: tuple[InstalledPath, ...] = field(default=(), compare=False, repr=False)
    requested: tuple[str, ...] = field(default=(), compare=False)
    tarball: Path | None = field(default=None, compare=False)
    unpacked: Path | None = field(default=None, compare=False)
    link: int | None = field(default=None, compare=False)

    @property
    def label(self) -> str:
        """Name, version and build, as conda's tools write them."""
        return f"{self.name}={self.version}={self.build}"

    @property
    def public_url(self) -> str | None:
        """Where the archive is published, without secrets; None where nothing is said."""
        return scrubbed(self.url) if self.url else None

    @property
    def public_channel(self) -> str:
        """The channel's canonical name (`repro.conda.names.channel_name`)."""
        return channel_name(self.url or self.channel)


def package_of(record: Record, target: str, *, url: str | None, sha256: Digest, size: int) -> CondaPackage:
    """What a lock says of an installed package, as far as its record tells; the archive's facts are the caller's."""
    return CondaPackage(
        name=record.name,
        version=record.version,
        build=record.build,
        target=target,
        channel=record.public_channel,
        subdir=record.subdir,
        file=record.archive,
        url=url,
        sha256=sha256,
        size=size,
        depends=record.depends,
    )


class DamagedRecordError(ValueError):
    """A field of a record that can't be what it is."""


def parse_record(data: Any, file: Path) -> Record:
    """The record in a parsed document. Raises ValueError that names the field at fault."""
    if not isinstance(data, dict):
        raise DamagedRecordError("it is no object")
    channel = _channel(data)
    url = _text(data, "url", "") or _likely_url(data, channel)
    return Record(
        file=file,
        name=_text(data, "name"),
        version=_text(data, "version"),
        build=_text(data, "build"),
        build_number=_number(data, "build_number") or 0,
        subdir=_subdir(data, url, channel),
        channel=channel,
        url=url,
        archive=_archive(data, url),
        md5=_hash(data, "md5", _MD5),
        sha256=Digest(found) if (found := _hash(data, "sha256", _SHA256)) else None,
        size=_number(data, "size") or None,  # mamba writes 0 for what it installed by an explicit list
        depends=_texts(data, "depends"),
        constrains=_texts(data, "constrains"),
        noarch=_noarch(data),
        paths=tuple(_paths(data)),
        requested=_requested(data),
        tarball=_place(data, "package_tarball_full_path"),
        unpacked=_place(data, "extracted_package_dir"),
        link=_number(link, "type") if isinstance(link := data.get("link"), dict) else None,
    )


def _text(data: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = data.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or (default is None and not value):
        raise DamagedRecordError(f"{key} must be a text, not {value!r}")
    return value


def _texts(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = data.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise DamagedRecordError(f"{key} must be a list of texts")
    return tuple(value)


def _number(data: Mapping[str, Any], key: str) -> int | None:
    value = data.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise DamagedRecordError(f"{key} must be a whole number, not {value!r}")
    return value


def _hash(data: Mapping[str, Any], key: str, pattern: re.Pattern[str]) -> str | None:
    value = _text(data, key, "").lower()
    if value and not pattern.fullmatch(value):
        raise DamagedRecordError(f"{key} is no such hash: {value!r}")
    return value or None


def _channel(data: Mapping[str, Any]) -> str:
    """A text, or, as conda 4.3 wrote it, an object with parts."""
    value = data.get("channel")
    if isinstance(value, dict):
        parts = [value.get(key) for key in ("scheme", "location", "name")]
        return "{}://{}/{}".format(*parts) if all(isinstance(part, str) for part in parts) else ""
    return _text(data, "channel", "")


def _likely_url(data: Mapping[str, Any], channel: str) -> str:
    """Of records without a URL: where the channel would have it; "" where even that isn't known."""
    file, subdir = _text(data, "fn", ""), _text(data, "subdir", "")
    if not file or not subdir or not channel or channel.startswith("<"):
        return ""
    address = channel_url(channel).rstrip("/")
    return f"{address}/{file}" if address.endswith(f"/{subdir}") else f"{address}/{subdir}/{file}"


def _subdir(data: Mapping[str, Any], url: str, channel: str) -> str:
    said = _text(data, "subdir", "")
    found = said or subdir_in(url) or subdir_in(f"{channel}/x")
    if not found:
        raise DamagedRecordError("subdir is missing")
    return found


def _archive(data: Mapping[str, Any], url: str) -> str:
    """`fn`; mamba and old conda may have left it without its ending."""
    names = [url.rpartition("/")[2].partition("#")[0], _text(data, "fn", "")]
    for name in names:
        if name.endswith(ENDINGS):
            try:
                return str(parse_archive_name(name))
            except UsageError as error:
                raise DamagedRecordError(error.what) from error
    return f"{_text(data, 'name')}-{_text(data, 'version')}-{_text(data, 'build')}.tar.bz2"


def _noarch(data: Mapping[str, Any]) -> str | None:
    value = data.get("noarch")
    return value if isinstance(value, str) and value else None


def _place(data: Mapping[str, Any], key: str) -> Path | None:
    text = _text(data, key, "")
    return Path(text) if text else None


def _requested(data: Mapping[str, Any]) -> tuple[str, ...]:
    """`requested_spec` is conda's and mamba's, `requested_specs` rattler's and newer conda's (CEP 34)."""
    many = data.get("requested_specs")
    listed = [one for one in many if isinstance(one, str)] if isinstance(many, list) else []
    one = data.get("requested_spec")
    return tuple(spec for spec in dict.fromkeys([*listed, one]) if isinstance(spec, str) and spec and spec != "None")


def _paths(data: Mapping[str, Any]) -> Iterator[InstalledPath]:
    """`paths_data`, and what only `files` names; old records have nothing but those."""
    told = data.get("paths_data")
    rows = told.get("paths") if isinstance(told, dict) else None
    rows = rows if isinstance(rows, list) else []
    places = _places(data)
    seen: set[str] = set()
    for row in rows:
        if not isinstance(row, dict) or not isinstance(path := row.get("_path"), str) or not _inside(path):
            raise DamagedRecordError("paths_data.paths has what is no path inside the environment")
        place = places(_meant(path, row))
        seen |= {path, place}
        yield _path(place, row)
    for path in _texts(data, "files"):
        if path not in seen:
            if not _inside(path):
                raise DamagedRecordError(f"files has what is no path inside the environment: {path!r}")
            yield InstalledPath(path)


def _places(data: Mapping[str, Any]) -> Callable[[str], str]:
    """Where a file of `paths_data` is: of noarch Python packages, conda gives the path in the archive there."""
    if _noarch(data) != "python":
        return lambda path: path
    installed = (path.partition(_SITE) for path in _texts(data, "files"))
    library = next((folder + _SITE for folder, found, _ in installed if found and folder.endswith("/")), "")
    moved = {"python-scripts/": "bin/", **({_SITE: library} if library else {})}

    def place(path: str) -> str:
        start = next((start for start in moved if path.startswith(start)), None)
        return path if start is None else moved[start] + path.removeprefix(start)

    return place


def _meant(path: str, row: Mapping[str, Any]) -> str:
    """Where a file would be if no other package had the same path: rattler lays the one that lost aside."""
    before = row.get("original_path")
    return before if path.startswith(_LAID_ASIDE) and isinstance(before, str) and _inside(before) else path


def _inside(path: str) -> bool:
    return bool(path) and not path.startswith(("/", "\\")) and ".." not in path.split("/")


def _path(path: str, row: Mapping[str, Any]) -> InstalledPath:
    """Its hash is that of the archive's file where no prefix was put in: rattler and conda leave the other out then."""
    placed = row.get("prefix_placeholder")
    sha256 = row.get("sha256_in_prefix") or (None if placed else row.get("sha256"))
    before, size = row.get("sha256"), row.get("size_in_bytes")
    changed = placed or (before and sha256 != before)  # mamba doesn't keep the placeholder
    return InstalledPath(
        path,
        kind if isinstance(kind := row.get("path_type"), str) else "",
        sha256 if isinstance(sha256, str) and _SHA256.fullmatch(sha256) else None,
        size if isinstance(size, int) and not changed else None,
    )
