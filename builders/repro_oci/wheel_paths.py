"""Which names a wheel's members may have, and where each kind of file goes. Nothing is read here."""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

_GOOD = re.compile(
    r"(?![A-Za-z]:)(?:(?!\.\.?(?:/|\Z)|\.wh\.)[^/\\\x00-\x1f\x7f-\x9f\u2028\u2029]+(?:/|\Z))+",
)
_REASONS = (
    (re.compile(r"\A\Z"), "is an empty name"),
    (re.compile(r"\A/"), "is an absolute path"),
    (re.compile(r"\A[A-Za-z]:"), "has a drive letter"),
    (re.compile(r"\\"), "has a backslash"),
    (re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]"), "has a control character"),
    (re.compile(r"(?:\A|/)\.wh\."), "would delete files of lower layers (.wh.)"),
)
_SCHEMES = ("purelib", "platlib", "headers", "scripts", "data")


def name_problem(name: str) -> str | None:
    """Why no file may be called so; None for a clean relative POSIX path. A directory's ends with a slash."""
    if _GOOD.fullmatch(name):
        return None
    reasons = (reason for pattern, reason in _REASONS if pattern.search(name))
    return next(reasons, "has an empty part, `.` or `..` in its path")


@dataclass(frozen=True, slots=True)
class Places:
    """Where one wheel's files go. Paths are relative to `/`.

    Attributes:
        library: The directory of its modules and of its `.dist-info`.
        schemes: Directory of each kind of file that is wanted (binary distribution format, "The .data directory").
        reserved: Files that belong to the environment itself.
        directories: Paths that can only be directories.
    """

    library: str
    schemes: Mapping[str, str]
    reserved: frozenset[str]
    directories: frozenset[str]

    def locate(self, name: str, data: str | None) -> tuple[str, str | None]:
        """The kind of a member, and its path or None when its kind is left out.

        Args:
            name: The member's name.
            data: The wheel's `.data` directory.

        Raises:
            ValueError: It is in no known part of that directory.
        """
        top, _, rest = name.partition("/")
        if top != data or not rest:
            return "library", f"{self.library}/{name}"
        kind, _, inside = rest.partition("/")
        if kind not in _SCHEMES or not inside:
            raise ValueError(f"is in no known part of {data}")
        return kind, f"{self.schemes[kind]}/{inside}" if kind in self.schemes else None

    def recorded(self, path: str) -> str:
        """How RECORD calls a path: relative to the library directory (recording installed projects)."""
        inside = path.removeprefix(f"{self.library}/")
        return inside if inside != path else posixpath.relpath(path, self.library)

    def problems(self, paths: Iterable[str]) -> Iterator[str]:
        """What can't be done about a wheel's own files: they replace the environment's, or each other's directories."""
        files = set(paths)
        for path in sorted(files & self.reserved):
            yield f"/{path}: belongs to the environment itself"
        for path in sorted(files & (parents_of(files) | self.directories)):
            yield f"/{path}: would be a file and a directory"


def places(prefix: PurePosixPath, environment: PurePosixPath, python_minor: str, distribution: str) -> Places:
    """A virtual environment's schemes as pip fills them, or, for any other prefix, one directory for libraries."""
    top = str(prefix).strip("/")
    if prefix != environment:
        return Places(top, {"purelib": top, "platlib": top}, frozenset(), frozenset())
    python = f"python{python_minor}"
    library = f"{top}/lib/{python}/site-packages"
    schemes = {
        "purelib": library,
        "platlib": library,
        "headers": f"{top}/include/site/{python}/{distribution}",
        "scripts": f"{top}/bin",
        "data": top,
    }
    own = (f"{top}/pyvenv.cfg", *(f"{top}/bin/{name}" for name in ("python", "python3", python)))
    return Places(library, schemes, frozenset(own), parents_of([*own, f"{library}/any"]))


def parents_of(paths: Iterable[str]) -> frozenset[str]:
    """Every directory above these paths."""
    found: set[str] = set()
    for directory in {path.rpartition("/")[0] for path in paths}:
        above = directory
        while above and above not in found:
            found.add(above)
            above = above.rpartition("/")[0]
    return frozenset(found)
