"""From loose entries to the tree of one layer: sorted, with parents, free of contradictions. Pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from repro.errors import IntegrityError
from repro.oci.entry import Entry

_BAD_PART = re.compile(r"(?:\A|/)(?:\.{0,2}(?:/|\Z)|\.wh\.)|\0")
"""Empty, `.` and `..` parts, slashes at either end, names of whiteouts (image-spec, layer.md), NUL."""
_MODE_BITS = 0o7777
_IMPLIED = 0o755


def complete(entries: Iterable[Entry]) -> list[Entry]:
    """The entries of one layer as they are written, whatever order they came in.

    Sorted by the UTF-8 bytes of `path`, without a slash after a directory's: `a`, `a-b`, `a/b`. So a directory comes
    before what is in it. Hard links come after everything else, since their files must be there first, and take over
    the mode of their files, since engines set it again. A parent that nobody brought gets mode 0755. Equal files,
    links and directories at one path become one.

    Raises:
        IntegrityError: A path that no layer can hold, or contradictions; all of them are listed with their origins.
    """
    problems: set[str] = set()
    tree = _merged(entries, problems)
    tree |= _parents(tree, problems)
    tree |= _links(tree, problems)
    if problems:
        raise IntegrityError(
            "these files can't be in one layer",
            problems=sorted(problems),
            fix="Take out, or replace by another version, what brings the files that are named.",
        )
    # Python orders text by code points, and UTF-8 was made to keep that order.
    return sorted(tree.values(), key=lambda entry: (entry.kind == "hardlink", entry.path))


def _merged(entries: Iterable[Entry], problems: set[str]) -> dict[str, Entry]:
    tree: dict[str, Entry] = {}
    for entry in entries:
        fault = _fault(entry)
        if fault:
            problems.add(f"{_from(entry)}: {entry.path!r} {fault}")
            continue
        known = tree.get(entry.path)
        if known is None:
            tree[entry.path] = entry
        elif _equal(known, entry):
            tree[entry.path] = min(known, entry, key=_rank)
        else:
            problems.add(_conflict(known, entry))
    return tree


def _fault(entry: Entry) -> str | None:
    """What makes an entry impossible by itself."""
    if _BAD_PART.search(entry.path):
        return "is no path that a layer may hold"
    if entry.kind in {"symlink", "hardlink"} and (not entry.target or "\0" in entry.target):
        return f"links to {entry.target!r}, which is no path"
    if not (_encodable(entry.path) and _encodable(entry.target)):
        return "is not Unicode text"
    if entry.mode & ~_MODE_BITS:
        return f"has the mode {entry.mode:#o}, which is not only permissions"
    if (entry.body is not None) != (entry.kind == "file"):
        return f"is a {entry.kind} {'with' if entry.body is not None else 'without'} content"
    return None


def _encodable(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _equal(one: Entry, other: Entry) -> bool:
    if (one.kind, one.mode, one.target) != (other.kind, other.mode, other.target):
        return False
    if one.body is None or other.body is None:
        return True
    digest = one.body.sha256
    return digest is not None and digest == other.body.sha256 and one.body.size == other.body.size


def _rank(entry: Entry) -> tuple[str, int]:
    """Which of two equal entries stays; it may decide the bytes of the blob, so it can't be whichever came first."""
    deflated = entry.body.deflated if entry.body is not None else None
    return entry.origin, deflated.size if deflated else -1


def _parents(tree: dict[str, Entry], problems: set[str]) -> dict[str, Entry]:
    """Parents that are in nobody's entries."""
    implied: dict[str, Entry] = {}
    for path in sorted(tree):
        for parent in _above(path):
            if parent in implied:
                break
            found = tree.get(parent)
            if found is None:
                implied[parent] = Entry(parent, "directory", _IMPLIED, origin=tree[path].origin)
            elif found.kind == "directory":
                break
            else:
                problems.add(f"{path} of {_from(tree[path])} is below {parent} of {_from(found)}, a {found.kind}")
                break
    return implied


def _above(path: str) -> Iterator[str]:
    """The directories that a path is in, the nearest first."""
    parent = path.rpartition("/")[0]
    while parent:
        yield parent
        parent = parent.rpartition("/")[0]


def _links(tree: dict[str, Entry], problems: set[str]) -> dict[str, Entry]:
    """Hard links with the modes of their files."""
    links = {}
    for entry in tree.values():
        if entry.kind != "hardlink":
            continue
        file = tree.get(entry.target)
        if file is None or file.kind != "file":
            problems.add(
                f"{_from(entry)}: {entry.path} is a hard link to {entry.target}, which is no file of this layer"
            )
        else:
            links[entry.path] = replace(entry, mode=file.mode)
    return links


def _conflict(one: Entry, other: Entry) -> str:
    first, second = sorted(f"{_from(entry)} has a {entry.kind} ({entry.mode:04o})" for entry in (one, other))
    return f"{one.path}: {first}, {second}, and they differ"


def _from(entry: Entry) -> str:
    return entry.origin or "the image plan"
