"""Whether the modules that a run imported from site-packages are what installed packages brought, and unchanged."""

import csv
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from repro.capture.conda.installed import without_conda
from repro.capture.hashing import shown
from repro.capture.model import Distribution, Interpreter
from repro.capture.records import HASHES, is_as_recorded, listed, repackaged, text_lines
from repro.conda.records import InstalledPath, Record
from repro.digest import Digest

_SITES = ("site-packages", "dist-packages")
_TOOLS = {"_virtualenv.py", "apport_python_hook.py"}  # virtualenv and uv leave the one, Ubuntu the other
_HOOK = os.path.realpath(Path(__file__).parents[1] / "runner" / "hook")


def check_imports(
    modules: Mapping[str, str], interpreter: Interpreter, published: Collection[str], loose_ones: Collection[str] = ()
) -> tuple[str, ...]:
    """Problems with modules whose files the image would lack, or would have with another content.

    Args:
        modules: Imported module → its file, absolute.
        interpreter: Whose site-packages and distributions count.
        published: Normalised names of the distributions whose wheels come from an index, and `conda:NAME` for each
            conda package that is locked as it was published.
        loose_ones: Top-level modules of no distribution that are taken into the image (`repro.capture.loose`).

    Returns:
        One line for each package, or for each loose package or module, with its cure; sorted.
    """
    sites = _Sites(interpreter)
    imported = _located(modules, sites)
    owners = _owners(without_conda(interpreter), sites, imported)
    untold = _Untold(interpreter, sites)
    loose: dict[str, list[_Imported]] = {}
    edited: dict[tuple[str, str], list[_Imported]] = {}
    for path, one in sorted(imported.items()):
        if path not in owners and (brought := _conda_owners(path, interpreter)):
            if _edited_conda(path, brought, published):
                edited.setdefault((brought[0][0].name, brought[0][0].version), []).append(one)
            continue
        if path not in owners:
            if one.top not in loose_ones and not untold.may_hold(one):
                loose.setdefault(f"{one.site}/{one.top}", []).append(one)
            continue
        changed = _edited(path, owners[path], interpreter, published)
        if changed is not None:
            edited.setdefault((changed.name, changed.version), []).append(one)
    told = (_late_line(found, interpreter) or _loose_line(found) for found in loose.values())
    lines = [*told, *(_edited_line(*key, found) for key, found in edited.items())]
    return tuple(sorted(lines))


@dataclass(frozen=True, slots=True)
class OwnedFile:
    """A file that an installed distribution brought.

    Attributes:
        distribution: Which one.
        path: The file, relative to the entry of sys.path that holds it, with forward slashes.
        file: Its absolute path, in a directory whose links are resolved.
    """

    distribution: Distribution
    path: str
    file: str


def owned_files(files: Iterable[str], interpreter: Interpreter) -> list[OwnedFile]:
    """Those of some files, given absolute, that lie in site-packages and belong to a distribution.

    On its list, or, when there is none, below the names of its top-level packages or in its egg.
    """
    sites = _Sites(interpreter)
    located = _located({file: file for file in files}, sites)
    owners = _owners(interpreter, sites, located)
    untold = _Untold(interpreter, sites)
    named = {file: untold.owner(one) for file, one in located.items() if file not in owners}
    return [
        *(OwnedFile(one.distribution, located[file].path, file) for file, found in owners.items() for one in found),
        *(OwnedFile(one, located[file].path, file) for file, one in named.items() if one is not None),
    ]


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
        self._eggs: dict[str, Distribution] = {}
        self._tops: dict[tuple[str, str], Distribution] = {}
        for one in (*interpreter.distributions, *interpreter.shadowed):
            if one.record or one.editable or (one.metadata / "installed-files.txt").is_file():
                continue
            site, tops = sites.real(one.location), text_lines(one.metadata / "top_level.txt")
            if one.metadata in {one.location, one.location / "EGG-INFO"}:
                self._eggs[site] = one
            elif not tops:
                self._everything.add(site)
            for top in tops:
                self._tops.setdefault((site, top.strip()), one)

    def owner(self, one: _Imported) -> Distribution | None:
        """The distribution that a file belongs to by its place or name."""
        return self._eggs.get(one.site) or self._tops.get((one.site, one.top))

    def may_hold(self, one: _Imported) -> bool:
        """Whether such a distribution may have brought a file."""
        return one.site in self._everything or self.owner(one) is not None


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
        for path, hashed, _ in listed(one):
            if path.rpartition("/")[2] not in names:
                continue
            key = sites.key(os.path.normpath(os.path.join(base, path)))  # noqa: PTH118 - an absolute path stays so
            if key in wanted:
                found.setdefault(key, []).append(_Owner(one, hashed))
    return found


def _edited(
    path: str, owners: Iterable[_Owner], interpreter: Interpreter, published: Collection[str]
) -> Distribution | None:
    """The published distribution whose file it was, unless it still is what one of its owners brought."""
    told = [one for one in owners if one.hash.partition("=")[0] in HASHES and not repackaged(one.distribution)]
    blamed = next((one.distribution for one in told if one.distribution.name in published), None)
    if blamed is None:
        return None
    try:
        content = Path(path).read_bytes()
    except OSError:
        return None
    if any(is_as_recorded(content, one.hash) for one in told):
        return None
    relocated = blamed.installer == "conda" and os.fsencode(interpreter.prefix) in content
    return None if relocated else blamed


def _conda_owners(path: str, interpreter: Interpreter) -> Sequence[tuple[Record, InstalledPath]]:
    return interpreter.conda.owners_of(path) if interpreter.conda is not None else ()


def _edited_conda(path: str, owners: Sequence[tuple[Record, InstalledPath]], published: Collection[str]) -> bool:
    """Whether a file is as none of the conda packages brought it that did."""
    told = {one.sha256 for record, one in owners if f"conda:{record.name}" in published}
    if not told or None in told:
        return False
    try:
        return Digest.of_file(Path(path)).hex not in told
    except OSError:
        return False


def _late_line(found: list[_Imported], interpreter: Interpreter) -> str | None:
    """Of files that the run itself installed: their distribution wasn't there when the environment was looked at."""
    known = {os.path.realpath(one.metadata) for one in (*interpreter.distributions, *interpreter.shadowed)}
    for metadata in sorted(Path(found[0].site).glob("*.dist-info")):
        if os.path.realpath(metadata) in known:
            continue
        brought = (row[0] for row in csv.reader(text_lines(metadata / "RECORD")) if row)
        if found[0].path in brought:
            name, _, version = metadata.stem.partition("-")
            return (
                f"{name} {version} (module {found[0].module}) was installed while the run was under way; take what "
                "installs it out of the run, and capture again, now that it is there"
            )
    return None


def _loose_line(found: list[_Imported]) -> str:
    first, site = found[0], os.path.basename(found[0].site)  # noqa: PTH119
    named = f"{shown(first.path)} (module {first.module})"
    verb, them = ("belongs", "it") if len(found) == 1 else ("belong", "them")
    return (
        f"{named}{_more(found)} in {site} {verb} to no installed package, so nothing would bring {them} into the "
        f"image; install {them} as a package, or let {them} in with --allow-loose {first.top}"
    )


def _edited_line(name: str, version: str, found: list[_Imported]) -> str:
    verb = "was edited after it was" if len(found) == 1 else "were edited after they were"
    return (
        f"{name} {version}: {shown(found[0].path)}{_more(found)} {verb} installed; reinstall the package, "
        f"or let it into the image as it is with --allow-patched {name}"
    )


def _more(found: list[_Imported]) -> str:
    count = len(found) - 1
    return f" and {count} more file{'s' if count > 1 else ''}" if count else ""
