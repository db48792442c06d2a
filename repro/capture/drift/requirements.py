"""Requirements files as pip reads them: nested files, constraints, markers, hashes, editable lines, URLs."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from urllib.request import url2pathname

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from repro.capture.drift.model import ANY, Declared, File
from repro.urls import redact

_COMMENT = re.compile(r"(^|\s)#.*$")
_OPTION = re.compile(r"(-r|-c|-e|--requirement|--constraint|--editable)(?:\s+|=|(?<=-[rce]))(.+)")
_PER_LINE = re.compile(r"\s+--?[a-z].*$")
_COMMIT = re.compile(r"@([0-9a-f]{40})(?=$|#|\?)")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_VARIABLE = "${"
"""pip puts in a variable of the environment, such as a token."""
_PLACE = re.compile(r"[/\\]|^\.|\$\{|\.(?:whl|zip|tar\.gz|tgz|tar\.bz2)$")
"""What pip takes for a path or a URL where it is no requirement."""
_LONGEST = 60
_MAIN = {"requirements", "requirement", "base", "main", "prod", "production", "runtime", "lock", "core", "all"}


def read_requirements(file: File) -> Iterator[Declared]:
    """Everything that a file and those that it includes declare. Raises OSError and UnicodeDecodeError."""
    words = set(re.split(r"[-_.]", file.path.stem.lower()))
    return _Reading(wanted=words <= _MAIN).read(file)


@dataclass
class _Reading:
    """One reading of a file with all that it includes, each once."""

    wanted: bool
    seen: set[Path] = field(default_factory=set)

    def read(self, file: File, *, constraint: bool = False) -> Iterator[Declared]:
        self.seen.add(file.path)
        for line in _lines(file.path):
            option = _OPTION.fullmatch(line)
            if option is None:
                one = None if line.startswith("-") else _requirement(line, file)
            elif option[1] in {"-e", "--editable"}:
                one = _local(option[2], file, editable=True)
            else:
                yield from self._nested(option[2], file, constraint=constraint or option[1] in {"-c", "--constraint"})
                one = None
            if one is not None:
                yield replace(one, wanted=one.wanted and self.wanted and not constraint, direct=not constraint)

    def _nested(self, name: str, file: File, *, constraint: bool) -> Iterator[Declared]:
        path = (file.path.parent / name.strip("\"'")).resolve()
        if path not in self.seen and path.is_file():
            yield from self.read(replace(file, path=path), constraint=constraint)
        elif path not in self.seen and _VARIABLE not in name:
            why = "which nobody fetched" if "://" in name else "which isn't there"
            file.fault(f"it includes {redact(name)}, {why}")


def _lines(path: Path) -> list[str]:
    """Logical lines without comments. PowerShell's `pip freeze > requirements.txt` writes UTF-16."""
    data = path.read_bytes()
    content = data.decode(next((name for mark, name in _BOMS if data.startswith(mark)), "utf-8"))
    joined = re.sub(r"\\\r?\n", " ", content)
    stripped = (_COMMENT.sub("", line).strip() for line in joined.splitlines())
    return [line for line in stripped if line]


def _requirement(line: str, file: File) -> Declared | None:
    said = _PER_LINE.sub("", line)
    try:
        one = Requirement(said)
    except InvalidRequirement:
        if not _PLACE.search(said):
            file.fault(f"{_short(line)!r} is no requirement")
            return None
        return _local(said, file, editable=False)
    name, commit = canonicalize_name(one.name), _commit(one.url or "")
    declared = Declared(name, file.place, str(one.specifier), (one.specifier,), commit=commit)
    return declared if one.marker is None or file.applies(str(one.marker)) else declared.elsewhere()


def _local(text: str, file: File, *, editable: bool) -> Declared | None:
    """A directory, an archive or a URL, with a name as far as it tells one."""
    said = _PER_LINE.sub("", text).strip("\"'")
    address, _, fragment = said.partition("#")
    parts = urlsplit(address)
    path = None
    if parts.scheme in {"", "file"}:
        place = url2pathname(parts.path) if parts.scheme else re.sub(r"\[[^\]]*\]$", "", address)
        path = (file.path.parent / place).resolve()
        if path.is_dir():
            return Declared("", file.place, said, ANY, tree=path) if editable else None
    named = parse_qs(fragment).get("egg", [""])[0].partition("[")[0] or _archive_name(parts.path)
    if named:
        return Declared(canonicalize_name(named), file.place, "", ANY, commit=_commit(said))
    if path is not None and not path.exists() and _VARIABLE not in said:
        file.fault(f"it names {_short(said)}, which isn't there")
    return None


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _archive_name(path: str) -> str:
    name = unquote(path).rpartition("/")[2]
    try:
        return parse_wheel_filename(name)[0] if name.endswith(".whl") else parse_sdist_filename(name)[0]
    except (InvalidWheelFilename, InvalidSdistFilename):
        return ""


def _commit(url: str) -> str | None:
    found = _COMMIT.search(url)
    return found[1] if found else None
