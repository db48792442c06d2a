"""What a package says of the paths that it brings: info/paths.json, and the files that were used before (CEP 34)."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from repro.digest import Digest
from repro.errors import IntegrityError

PathType = Literal["hardlink", "softlink", "directory"]

_TYPES: dict[str, PathType] = {"hardlink": "hardlink", "softlink": "softlink", "directory": "directory"}
_MODES = {"text": False, "binary": True}
_OLD_PLACEHOLDER = "/opt/" + "".join(f"anaconda{number}" for number in (1, 2, 3))
"""What old packages mean that name none; put together here, lest conda's tools take this file for such a one."""
_WORD = re.compile(r"\"[^\"]*\"|'[^']*'|\S+")
_WORDS = 3


@dataclass(frozen=True, slots=True)
class PackagePath:
    """A path as its package describes it.

    Attributes:
        path: Below the prefix, or below `site-packages/` and `python-scripts/` in noarch Python packages.
        kind: What it is.
        sha256: Digest of a file's content before its prefix is replaced, where the package states it.
        placeholder: The prefix that the file was built in, to be replaced; None where there is nothing to replace.
        binary: Whether that is done inside strings that end in NUL, and not as in a text.
    """

    path: str
    kind: PathType
    sha256: Digest | None = None
    placeholder: str | None = None
    binary: bool = False


def read_paths(info: Mapping[str, bytes], kind_of: Callable[[str], PathType], where: str) -> tuple[PackagePath, ...]:
    """Every path that is to be linked, in the package's order.

    Args:
        info: Documents below `info/`, by name.
        kind_of: Says what a path is, for packages that don't say so themselves.
        where: The package, for messages.

    Raises:
        IntegrityError: They can't be understood.
    """
    text = info.get("paths.json")
    if text is None:
        return _old_paths(info, kind_of, where)
    document = read_json(text, f"{where}: info/paths.json")
    if document.get("paths_version") != 1:
        raise IntegrityError(f"paths_version {document.get('paths_version')!r} isn't known, only 1", where=where)
    paths = document.get("paths")
    if not isinstance(paths, list):
        raise IntegrityError("paths must be an array", where=f"{where}: info/paths.json")
    return tuple(_path(item, f"{where}: info/paths.json: paths[{number}]") for number, item in enumerate(paths))


def read_json(text: bytes, where: str) -> dict[str, Any]:
    """A JSON object. Raises IntegrityError when it is none."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"not JSON: {error}", where=where) from error
    if not isinstance(document, dict):
        raise IntegrityError("must be an object", where=where)
    return document


def _path(item: Any, where: str) -> PackagePath:
    fields = item if isinstance(item, dict) else {}
    path, placeholder = fields.get("_path"), fields.get("prefix_placeholder")
    kind, mode = _TYPES.get(str(fields.get("path_type"))), _MODES.get(str(fields.get("file_mode", "text")))
    if not isinstance(path, str) or not path or kind is None or mode is None:
        raise IntegrityError(f"not a path that is known how to link: {item!r}", where=where)
    if placeholder is not None and (not isinstance(placeholder, str) or not placeholder):
        raise IntegrityError(f"prefix_placeholder must be a path, not {placeholder!r}", where=where)
    return PackagePath(path, kind, _sha256(fields.get("sha256"), where), placeholder, mode)


def _sha256(value: Any, where: str) -> Digest | None:
    if value is None:
        return None
    try:
        return Digest(value)
    except (ValueError, TypeError) as error:
        raise IntegrityError(f"sha256 is no digest: {value!r}", where=where) from error


def _old_paths(info: Mapping[str, bytes], kind_of: Callable[[str], PathType], where: str) -> tuple[PackagePath, ...]:
    """From info/files and info/has_prefix, as packages had them before conda 4.3."""
    replaced = {path: (placeholder, binary) for path, placeholder, binary in _has_prefix(info, where)}
    found = []
    for path in _lines(info, "files", where):
        placeholder, binary = replaced.get(path, (None, False))
        found.append(PackagePath(path, kind_of(path), None, placeholder, binary))
    return tuple(found)


def _has_prefix(info: Mapping[str, bytes], where: str) -> list[tuple[str, str, bool]]:
    found = []
    for line in _lines(info, "has_prefix", where):
        words = [word.strip("\"'") for word in _WORD.findall(line)]
        if len(words) == 1:
            found.append((words[0], _OLD_PLACEHOLDER, False))
        elif len(words) == _WORDS and words[0] and words[1] in _MODES:
            found.append((words[2], words[0], _MODES[words[1]]))
        else:
            raise IntegrityError(f"not understood: {line!r}", where=f"{where}: info/has_prefix")
    return found


def _lines(info: Mapping[str, bytes], name: str, where: str) -> list[str]:
    try:
        lines = info.get(name, b"").decode().splitlines()
    except UnicodeDecodeError as error:
        raise IntegrityError("not UTF-8", where=f"{where}: info/{name}") from error
    return [line.strip() for line in lines if line.strip()]
