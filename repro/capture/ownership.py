"""Whether the modules that a run imported from site-packages are what installed packages brought, and unchanged."""

import base64
import csv
import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from repro.capture.hashing import shown
from repro.capture.model import Distribution, Interpreter

_SITES = ("site-packages", "dist-packages")
_TOOLS = {"_virtualenv.py", "apport_python_hook.py"}  # virtualenv and uv leave the one, Ubuntu the other
_HOOK = os.path.realpath(Path(__file__).parents[1] / "runner" / "hook")
_HASHES = {"sha256", "sha384", "sha512"}


def check_imports(modules: Mapping[str, str], interpreter: Interpreter, published: Collection[str]) -> tuple[str, ...]:
    """Problems with modules whose files the image would lack, or would have with another content.

    Args:
        modules: Imported module → its file, absolute.
        interpreter: Whose site-packages and distributions count.
        published: Normalised names of the distributions whose wheels come from an index.

    Returns:
        One line for each package, or for each loose package or module, with its cure; sorted.
    """
    sites = _Sites(interpreter)
    imported = _located(modules, sites)
    owners = _owners(interpreter, sites, imported)
    untold = _Untold(interpreter, sites)
    loose: dict[str, list[_Imported]] = {}
    edited: dict[tuple[str, str], list[_Imported]] = {}
    for path, one in sorted(imported.items()):
        if path not in owners:
            if not untold.may_hold(one):
                loose.setdefault(f"{one.site}/{one.top}", []).append(one)
            continue
        changed = _edited(path, owners[path], interpreter, published)
        if changed is not None:
            edited.setdefault((changed.name, changed.version), []).append(one)
    lines = [*map(_loose_line, loose.values()), *(_edited_line(*key, found) for key, found in edited.items())]
    return tuple(sorted(lines))


@dataclass(frozen=True, slots=True)
class OwnedFile:
    """A file that an installed distribution brought.

    Attributes:
        distribution: Which one.
        path: The file, relative to the entry of sys.path that holds it, with forward slashes.
    """

    distribution: Distribution
    path: str


def owned_files(files: Iterable[str], interpreter: Interpreter) -> list[OwnedFile]:
    """Those of some files, given absolute, that lie in site-packages and are on a distribution's list."""
    sites = _Sites(interpreter)
    located = _located({file: file for file in files}, sites)
    owners = _owners(interpreter, sites, located)
    return [OwnedFile(one.distribution, located[file].path) for file, found in owners.items() for one in found]


@dataclass(frozen=True, slots=True)
class _Imported:
    """A module's file: `path` lies relative in `site`, whose links are resolved."""

    module: str
    site: str
    path: str

    @property
    def top(self) -> str:
        """The top-level package or module that it is part of, without its ending."""
        first, slash, _ = self.path.partition("/")
        return first if slash else first.partition(".")[0]


@dataclass(frozen=True, slots=True)
class _Owner:
    """A distribution that lists a file, with the hash `algorithm=base64`, or ""."""

    distribution: Distribution
    hash: str


class _Sites:
    """Folders that installers fill, and the source trees inside of them that they don't."""

    def __init__(self, interpreter: Interpreter) -> None:
        installed = [one for one in (*interpreter.distributions, *interpreter.shadowed) if not one.editable]
        folders = {interpreter.paths[name] for name in ("purelib", "platlib") if name in interpreter.paths}
        folders |= {os.fspath(one.location) for one in installed}
        folders |= {path for path in interpreter.sys_path if os.path.basename(path) in _SITES}  # noqa: PTH119
        trees = {os.fspath(one.source_tree) for one in interpreter.distributions if one.source_tree}
        self._real: dict[str, str] = {}
        self._sites = {self.real(path) for path in folders}
        self._trees = {self.real(path) for path in trees} | {_HOOK}

    def real(self, folder: str | Path) -> str:
        """A folder with its links resolved."""
        name = os.fspath(folder)
        if name not in self._real:
            self._real[name] = os.path.realpath(name)
        return self._real[name]

    def key(self, file: str) -> str:
        """A file by its real folder; itself it may be a link into an installer's cache."""
        folder, name = os.path.split(file)
        return os.path.join(self.real(folder), name)  # noqa: PTH118 - called for every module and file

    def site_of(self, key: str) -> str | None:
        """The innermost site that holds a file, None in a source tree or elsewhere."""
        for folder in map(os.fspath, Path(key).parents):
            if folder in self._trees:
                return None
            if folder in self._sites:
                return folder
        return None


class _Untold:
    """What belongs to distributions that don't say which files are theirs."""

    def __init__(self, interpreter: Interpreter, sites: _Sites) -> None:
        self._everything: set[str] = set()
        self._tops: set[tuple[str, str]] = set()
        for one in (*interpreter.distributions, *interpreter.shadowed):
            if one.record or one.editable or (one.metadata / "installed-files.txt").is_file():
                continue
            site, tops = sites.real(one.location), _lines(one.metadata / "top_level.txt")
            self._tops |= {(site, top.strip()) for top in tops}
            if not tops:
                self._everything.add(site)

    def may_hold(self, one: _Imported) -> bool:
        """Whether such a distribution may have brought a file."""
        return one.site in self._everything or (one.site, one.top) in self._tops


def _located(modules: Mapping[str, str], sites: _Sites) -> dict[str, _Imported]:
    """Those that lie in a site, by the real path of their file; the shortest name of each."""
    found: dict[str, _Imported] = {}
    for module, file in sorted(modules.items(), key=lambda item: (len(item[0]), item[0])):
        key = sites.key(os.path.abspath(file))  # noqa: PTH100 - keeps links
        folder, name = os.path.split(key)
        site = None if name in _TOOLS or os.path.basename(folder) == "__pycache__" else sites.site_of(key)  # noqa: PTH119
        if site is not None:
            found.setdefault(key, _Imported(module, site, key[len(site.rstrip("/")) + 1 :]))
    return found


def _owners(interpreter: Interpreter, sites: _Sites, wanted: Collection[str]) -> dict[str, list[_Owner]]:
    """Who lists which of the wanted files; every list is read once."""
    names = {os.path.basename(path) for path in wanted}  # noqa: PTH119
    found: dict[str, list[_Owner]] = {}
    for one in (*interpreter.distributions, *interpreter.shadowed):
        base = sites.real(one.location if one.record else one.metadata)
        for path, hashed in _listed(one):
            if path.rpartition("/")[2] not in names:
                continue
            key = sites.key(os.path.normpath(os.path.join(base, path)))  # noqa: PTH118 - an absolute path stays so
            if key in wanted:
                found.setdefault(key, []).append(_Owner(one, hashed))
    return found


def _listed(one: Distribution) -> Iterator[tuple[str, str]]:
    if not one.record:
        yield from ((path, "") for path in _lines(one.metadata / "installed-files.txt"))
        return
    for row in csv.reader(_lines(one.metadata / "RECORD")):
        if row:
            yield row[0], row[1] if len(row) > 1 else ""


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text("utf-8", "surrogateescape").splitlines() if line.strip()]
    except OSError:
        return []


def _edited(
    path: str, owners: Iterable[_Owner], interpreter: Interpreter, published: Collection[str]
) -> Distribution | None:
    """The published distribution whose file it was, unless it still is what one of its owners brought."""
    told = [one for one in owners if one.hash.partition("=")[0] in _HASHES and not _patched(one.distribution)]
    blamed = next((one.distribution for one in told if one.distribution.name in published), None)
    if blamed is None:
        return None
    try:
        content = Path(path).read_bytes()
    except OSError:
        return None
    if any(_hash_of(content, one.hash.partition("=")[0]) == one.hash.rstrip("=") for one in told):
        return None
    relocated = blamed.installer == "conda" and os.fsencode(interpreter.prefix) in content
    return None if relocated else blamed


def _patched(one: Distribution) -> bool:
    """Whether it is a Debian package: those are patched, keep the RECORD of before, and name no installer."""
    return not one.installer and one.location.name == "dist-packages"


def _hash_of(content: bytes, algorithm: str) -> str:
    digest = hashlib.new(algorithm, content).digest()
    return f"{algorithm}={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def _loose_line(found: list[_Imported]) -> str:
    first, site = found[0], os.path.basename(found[0].site)  # noqa: PTH119
    named = f"{shown(first.path)} (module {first.module})"
    if len(found) == 1:
        return (
            f"{named} in {site} belongs to no installed package, so nothing would bring it into the image; "
            "install it as a package"
        )
    return (
        f"{named}{_more(found)} in {site} belong to no installed package, so nothing would bring them into the image; "
        "install them as a package"
    )


def _edited_line(name: str, version: str, found: list[_Imported]) -> str:
    verb = "was edited after it was" if len(found) == 1 else "were edited after they were"
    return (
        f"{name} {version}: {shown(found[0].path)}{_more(found)} {verb} installed; reinstall the package, "
        "or install your changed copy from a local directory"
    )


def _more(found: list[_Imported]) -> str:
    count = len(found) - 1
    return f" and {count} more file{'s' if count > 1 else ''}" if count else ""
