"""The base image as system packages see it: its paths, links and a few files. Who reads them from layers is above."""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Literal

from repro.debian.control import Fields, paragraphs
from repro.errors import IntegrityError, UsageError

Kind = Literal["file", "directory", "symlink"]

WANTED = (
    "etc/os-release",
    "usr/lib/os-release",
    "etc/apt/sources.list",
    "etc/apt/sources.list.d/*",
    "etc/apt/trusted.gpg",
    "etc/apt/trusted.gpg.d/*",
    "etc/apt/keyrings/*",
    "usr/share/keyrings/*",
    "var/lib/dpkg/status",
    "var/lib/dpkg/status.d/*",
    "var/lib/dpkg/triggers/*",
    "var/lib/dpkg/alternatives/*",
    "etc/ld.so.cache",
    "etc/ld.so.conf",
    "etc/ld.so.conf.d/*",
)
"""Patterns of the files whose bytes a `BaseView` has to carry; as in fnmatch, `*` doesn't stop at slashes."""

_LINKS = 40  # as Linux: more are a loop (path_resolution(7))


def is_wanted(path: str) -> bool:
    """Whether the bytes of the base's file at `path` (no leading slash) are needed here."""
    return any(fnmatchcase(path, pattern) for pattern in WANTED)


@dataclass(frozen=True)
class BaseView:
    """What the base holds. Paths are POSIX, relative to `/`, without leading slash.

    Attributes:
        kinds: What is at each path.
        links: Text of each symbolic link.
        files: Bytes of the files that `is_wanted` names.
    """

    kinds: Mapping[str, Kind]
    links: Mapping[str, str]
    files: Mapping[str, bytes]

    def kind(self, path: str) -> Kind | None:
        """What is there, links not followed; None for nothing."""
        return "directory" if not path else self.kinds.get(path)

    def read(self, path: str) -> bytes | None:
        """Bytes of a file, links followed; None when there is none, or when it wasn't wanted."""
        return self.files.get(resolve(path, self.links))

    def names(self, folder: str) -> tuple[str, ...]:
        """Sorted names in a directory, links followed."""
        return self._children.get(resolve(folder, self.links), ())

    @cached_property
    def _children(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for path in self.kinds:
            folder, _, name = path.rpartition("/")
            found.setdefault(folder, []).append(name)
        return {folder: tuple(sorted(names)) for folder, names in found.items()}

    @cached_property
    def release(self) -> Mapping[str, str]:
        """The variables of etc/os-release (os-release(5)); empty when there is none."""
        text = (self.read("etc/os-release") or self.read("usr/lib/os-release") or b"").decode("utf-8", "replace")
        pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
        return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}

    @cached_property
    def installed(self) -> tuple[Fields, ...]:
        """Paragraphs of the packages that dpkg, or the makers of a distroless image, say are installed.

        Raises IntegrityError when they can't be read.
        """
        return tuple(fields for fields in self._status() if _is_installed(fields))

    def _status(self) -> Iterator[Fields]:
        sources = ["var/lib/dpkg/status"]
        folder = "var/lib/dpkg/status.d"
        sources += [f"{folder}/{name}" for name in self.names(folder) if not name.endswith(".md5sums")]
        for path in sources:
            data = self.read(path)
            if data is not None:
                yield from paragraphs(data.decode("utf-8", "replace"), f"/{path} of the base image")


def _is_installed(fields: Fields) -> bool:
    if not {"package", "version"} <= fields.keys():
        return False
    status = fields.get("status", "install ok installed").split()
    return len(status) == 3 and status[2] in {"installed", "triggers-pending", "triggers-awaited"}  # noqa: PLR2004 - want, error, state


def resolve(path: str, links: Mapping[str, str], *, last: bool = True) -> str:
    """Where a path leads when symbolic links are followed, kept below `/` as chroot does.

    Args:
        path: Relative to `/`, no leading slash.
        links: Text of each link by path.
        last: Whether a link at the path itself is followed too.

    Raises:
        IntegrityError: The links go in circles.
    """
    left, done, budget = path.split("/")[::-1], [""], _LINKS
    while left:
        part = left.pop()
        if part in {"", "."}:
            continue
        if part == "..":
            done = done[:-1] or [""]
            continue
        here = posixpath.join(done[-1], part)
        target = links.get(here)
        if target is None or (not left and not last):
            done.append(here)
            continue
        budget -= 1
        if budget < 0:
            raise IntegrityError("symbolic links lead in circles", where=f"/{path}")
        if target.startswith("/"):
            done = [""]
        left += target.split("/")[::-1]
    return done[-1]


def debian_architecture(target: str) -> str:
    """Debian's name for a platform such as `linux/amd64`. Raises UsageError for those that are not supported."""
    name = target.removeprefix("linux/").removesuffix("/v8")
    if name not in {"amd64", "arm64"}:
        raise UsageError(
            f"system packages are for linux/amd64 and linux/arm64, not for {target}",
            fix="Leave this target out, or use a base image that has the packages.",
        )
    return name
