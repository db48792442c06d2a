"""What ldconfig(8) would do about new libraries: links by their sonames, and the loader's cache."""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from repro.debian.base import resolve
from repro.debian.elf import Dynamic, read_dynamic
from repro.debian.ldcache import FLAGS, Library, LoaderCache, parse_cache, render_cache
from repro.debian.ranges import RangeBody
from repro.debian.tree import Tree
from repro.errors import IntegrityError
from repro.oci.entry import Entry

CACHE = "etc/ld.so.cache"
_CONF = "etc/ld.so.conf"
_ORIGIN = "ldconfig"
_MULTIARCH = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
_DEPTH = 8


@dataclass(frozen=True, slots=True)
class _Found:
    """A library, or a link to one, in a directory that ldconfig looks through."""

    name: str
    soname: str
    is_link: bool


def run_ldconfig(tree: Tree, architecture: str) -> None:
    """Add missing soname links, and the base's cache extended by what is new.

    Raises IntegrityError when the base's cache or a library can't be read.
    """
    data = tree.base.read(CACHE)
    if data is None and tree.find(CACHE) is not None:
        raise IntegrityError("the base's loader cache was not read", where=f"/{CACHE}")
    before = LoaderCache() if data is None else parse_cache(data)
    look = _Look(tree, architecture, {resolve(one.path, tree.links): one.soname for one in before.libraries})
    folders = loader_folders(tree, architecture)
    added = [library for folder in folders for library in look.new_libraries(folder)]
    if not added:
        return
    known = {(one.soname, one.path) for one in before.libraries}
    new = tuple(one for one in added if (one.soname, one.path) not in known)
    cache = replace(before, libraries=before.libraries + new)
    tree.write(CACHE, render_cache(cache, folders), _ORIGIN)


def loader_folders(tree: Tree, architecture: str) -> list[str]:
    """Where ldconfig looks, absolute, each real directory once and by the name that comes first."""
    multiarch = _MULTIARCH[architecture]
    builtin = [f"/lib/{multiarch}", f"/usr/lib/{multiarch}", "/lib", "/usr/lib"]
    found: dict[str, str] = {}
    for folder in (*_configured(tree, _CONF), *builtin):
        place = tree.find(folder)
        if place is not None and tree.kind(place) == "directory":
            found.setdefault(place, folder)
    return list(found.values())


def _configured(tree: Tree, path: str, depth: int = 0) -> Iterator[str]:
    """The directories of a configuration file and of those that it includes (ldconfig(8))."""
    for line in (tree.read(path) or b"").decode("utf-8", "replace").splitlines():
        words = line.partition("#")[0].replace(",", " ").replace(":", " ").split()
        if not words or words[0] == "hwcap":
            continue
        if words[0] != "include":
            yield from (posixpath.normpath(word) for word in words if word.startswith("/"))
        elif depth < _DEPTH:
            for pattern in words[1:]:
                folder, _, name = posixpath.join(posixpath.dirname(f"/{path}"), pattern).lstrip("/").rpartition("/")
                names = [each for each in tree.names(folder) if fnmatchcase(each, name)]
                for each in names:
                    yield from _configured(tree, f"{folder}/{each}", depth + 1)


@dataclass(frozen=True, slots=True)
class _Look:
    """A look at the new libraries. What the base has is known by its cache: `sonames`, by real path."""

    tree: Tree
    architecture: str
    sonames: Mapping[str, str]

    def new_libraries(self, folder: str) -> Iterator[Library]:
        """One entry for each soname; where it has no link of that name, the link is made."""
        place = self.tree.find(folder) or ""
        chosen: dict[str, _Found] = {}
        for path in sorted(path for path in self.tree.entries if path.rpartition("/")[0] == place):
            found = self._library(path)
            if found is not None and _is_better(found, chosen.get(found.soname)):
                chosen[found.soname] = found
        for soname, found in sorted(chosen.items()):
            if found.name != soname and self.tree.kind(f"{place}/{soname}") is None:
                self.tree.link(f"{place}/{soname}", found.name, _ORIGIN)
            yield Library(soname, f"{folder}/{soname}", FLAGS[self.architecture])

    def _library(self, path: str) -> _Found | None:
        name = path.rpartition("/")[2]
        soname = self._soname(path) if name.startswith(("lib", "ld-")) and ".so" in name else None
        if soname is None:
            return None
        is_link = self.tree.kind(path) == "symlink"
        if is_link and soname not in {"", name}:
            if not (name.endswith(".so") and soname.startswith(name)):
                return _Found(name, soname, is_link=False)
            soname = name  # a link for compilers counts under its own name, any other as a file (ldconfig.c)
        return _Found(name, soname or name, is_link)

    def _soname(self, path: str) -> str | None:
        """The soname of a library for our architecture, empty where it has none; None for anything else."""
        real = self.tree.find(path)
        entry = self.tree.entries.get(real or "")
        if entry is None:
            return self.sonames.get(real or "")
        dynamic = _dynamic(entry)
        return dynamic.soname if dynamic is not None and dynamic.runs_on(self.architecture) else None


def _dynamic(entry: Entry) -> Dynamic | None:
    body = entry.body
    if not isinstance(body, RangeBody):
        return None
    with body.open() as stream:
        return read_dynamic(stream, body.label)


def _is_better(new: _Found, old: _Found | None) -> bool:
    return old is None or (old.is_link and not new.is_link) or (old.is_link == new.is_link and new.name > old.name)
