"""Differences between a lock and its project, as findings with a cure."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from shlex import quote

from repro.differ.check.model import Finding
from repro.differ.conda import is_conda
from repro.differ.model import AS_PUBLISHED, Change, Group
from repro.differ.tree import Tree
from repro.words import count

Changes = Mapping[Group, tuple[Change, ...]]

_SETTINGS: tuple[Group, ...] = ("metrics", "environment", "system", "evidence")
_SUBJECT = frozenset({"kernel", "arguments", "root"})
_RULED = frozenset({"role", "mount", "source"})
"""What the settings say of a file."""
_CONTENT = {
    "comments": "only comments or layout differ; builds compare bytes",
    "outputs": "only its outputs, texts or metadata differ, the code is the same; builds compare bytes",
    "layout": "only its layout differs; builds compare bytes",
    "content": "its content is not what was locked",
}
_RESTORE = "capture again if that is meant, else restore the file"


def subject_findings(tree: Tree, changes: tuple[Change, ...]) -> Iterator[Finding]:
    """The notebook or script: whether it can be run, by what, with what."""
    path = tree.own.subject.path
    for fault in tree.faults:
        if fault.startswith(f"{path}: "):
            yield Finding(
                "stale", path, path, fault.removeprefix(f"{path}: "), "restore it, or capture another subject"
            )
    for change in changes:
        if change.aspect in _SUBJECT:
            what = f"{change.what}: {change.before or 'none'} is locked, and it is {change.after or 'none'} by now"
            yield Finding("stale", path, path, what)


def file_findings(tree: Tree, found: Changes) -> Iterator[Finding]:
    """Locked files that are others by now, are gone, or aren't here."""
    told = {fault.partition(": ")[0] for fault in tree.faults}
    for change in (*found.get("code", ()), *found.get("data", ())):
        if change.aspect not in _SUBJECT | _RULED and not (change.kind == "removed" and change.what in told):
            yield _file(tree, change)
    missing = {file.path for file in tree.missing}
    for path in sorted(missing):
        what = "it is not here, and was compared only as far as a pointer names its content"
        yield Finding("note", path, path, what, f"repro pull {quote(path)}")
    for fault in tree.faults:
        path, _, problem = fault.partition(": ")
        if path != tree.own.subject.path:
            yield Finding("stale", path, path, problem)


def _file(tree: Tree, change: Change) -> Finding:
    path = change.what
    if change.kind == "removed":
        excluded = (tree.root / path).exists()
        what = (
            "the settings exclude it by now, and it is locked"
            if excluded
            else "it is locked, and there is no such file"
        )
        return Finding("stale", path, path, what, "" if excluded else _RESTORE)
    if change.aspect == "executable":
        return Finding("stale", path, path, f"it is {change.after}, and locked as {change.before}", _RESTORE)
    return Finding("stale", path, path, _CONTENT[change.aspect], _RESTORE, change.details)


def setting_findings(tree: Tree, found: Changes) -> Iterator[Finding]:
    """What capture takes from the settings and would lock otherwise."""
    name = "repro.toml"
    for group in _SETTINGS:
        for change in found.get(group, ()):
            yield Finding("stale", name, change.what, _setting(change))
    yield from _base(tree)
    yield from _scripts(tree)
    for change in (*found.get("code", ()), *found.get("data", ())):
        if change.aspect in _RULED:
            yield Finding("stale", name, change.what, _setting(change))
    for fault in tree.settled.faults:
        yield Finding("stale", name, fault.partition(":")[0], fault, "correct it there")
    for note in tree.settled.notes:
        yield Finding("note", name, note.partition(":")[0], note)


def _base(tree: Tree) -> Iterator[Finding]:
    """The base image and the supply of Python, where the settings name them."""
    own, said = tree.own, tree.settled.lock
    if own.base.reference != said.base.reference:
        what = f"base image: {said.base.reference} is said, and {own.base.reference} is locked"
        yield Finding("stale", "repro.toml", "base image", what)
    if own.python.supply != said.python.supply:
        what = f"supply of Python: {said.python.supply} is said, and {own.python.supply} is locked"
        yield Finding("stale", "repro.toml", "supply of Python", what)


def _scripts(tree: Tree) -> Iterator[Finding]:
    """Scripts of conda packages, of which the settings say whether they run."""
    for own, said in zip(tree.own.conda, tree.settled.lock.conda, strict=True):
        if own.scripts != said.scripts:
            what = (
                f"post-link script of {own.name} for {own.target}: {said.scripts} is said, and {own.scripts} is locked"
            )
            yield Finding("stale", "repro.toml", own.name, what)


def _setting(change: Change) -> str:
    if change.aspect == "variable":
        allowed = "[run] env allows it, and it is not in the lock"
        return f"{change.what}: {allowed if change.after else 'it is in the lock, and [run] env does not allow it'}"
    if change.kind == "removed" or not change.after:
        return f"{change.what}: {change.before} is locked, and no longer said"
    locked = f"{change.before} is locked" if change.before else "nothing is locked"
    return f"{change.what}: {change.after} is said, and {locked}"


def package_findings(tree: Tree, found: Changes) -> Iterator[Finding]:
    """What is installed and not what is locked."""
    for change in found.get("python", ()):
        if change.what == "Python" and change.aspect == "version":
            what = f"{change.after} runs here, and {change.before} is locked"
            yield Finding(
                "stale", "", "Python", what, "capture again, or make the environment anew with the locked one"
            )
    changes = list(_paired([one for one in found.get("packages", ()) if one.aspect not in _ELSEWHERE]))
    conda = [change for change in changes if is_conda(change)]
    if tree.environment is not None and tree.own.conda and tree.environment.interpreter.conda is None:
        names = {one.name for one in tree.own.conda}
        what = f"{count(len(names), 'conda package')} are locked, and the environment is none of conda's"
        yield Finding("stale", "", "conda", what, "name the locked one's interpreter with --python, or capture again")
    else:
        yield from map(_conda, conda)
    yield from (_package(change) for change in changes if change not in conda)


def _paired(changes: Collection[Change]) -> Iterator[Change]:
    """With one change in place of two where pip has put its package in that of conda's."""
    added = {one.what: one for one in changes if one.kind == "added" and not is_conda(one)}
    gone = {one.what for one in changes if one.kind == "removed" and is_conda(one)}
    for one in changes:
        if one.what not in added.keys() & gone or one.kind not in {"added", "removed"}:
            yield one
        elif is_conda(one):
            yield replace(one, kind="changed", aspect="replaced", after=added[one.what].after)


def _key(change: Change) -> str:
    """Which sentence and cure it gets."""
    if change.kind != "changed":
        return change.kind
    return "mended" if change.aspect == "patched" and change.after == AS_PUBLISHED else change.aspect


def _conda(change: Change) -> Finding:
    """A package of conda; `conda` stands for mamba and micromamba as well."""
    key = _key(change)
    what, cure = _CONDA_PACKAGES[key]
    said = what.format(before=change.before, after=change.after)
    version, _, build = (
        change.before.partition(", ")[2].partition(" ") if key == "blas" else change.before.partition(" ")
    )
    pin = "=".join(filter(None, (change.what, version, build)))
    return Finding("stale", "", change.what, said, cure.format(name=change.what, pin=pin), change.details)


def _package(change: Change) -> Finding:
    name = change.what
    what, cure = _PACKAGES[_key(change)]
    said = what.format(before=change.before, after=change.after)
    done = cure.format(name=name, pin=f"{name}=={change.before}")
    return Finding("stale", "", name, said, done, change.details)


_ELSEWHERE = frozenset({"requested", "scripts"})
"""What decides nothing, and what the settings say."""
_REINSTALL = "conda install --force-reinstall {name}, or capture again"
_MENDED = "it is {after}, and locked {before}", "capture again, or put the edits back"
_CONDA_PACKAGES = {
    "added": ("{after} is installed by conda, and not locked", "conda remove {name}, or capture again"),
    "removed": ("{before} is locked, and conda has not installed it", 'conda install "{pin}", or capture again'),
    "version": ("{after} is installed by conda, and {before} is locked", 'conda install "{pin}", or capture again'),
    "build": ("the build {after} is installed, and {before} is locked", 'conda install "{pin}", or capture again'),
    "blas": ("it computes with {after}, and locked is {before}", 'conda install "{pin}", or capture again'),
    "rebuilt": ("another archive of the same build is installed than is locked", _REINSTALL),
    "channel": ("it is installed from {after}, and locked from {before}", "capture again, or install the locked one"),
    "patched": (
        "it is {after}, and locked {before}",
        "conda install --force-reinstall {name}, or capture again with --allow-patched {name}",
    ),
    "mended": _MENDED,
    "replaced": (
        "{before} is locked, and pip has put {after} in its place",
        'pip uninstall {name} && conda install --force-reinstall "{pin}", or capture again',
    ),
    "without": ("of its files, {after} by what is here, and {before} by the lock", _REINSTALL),
    "captured": ("it is {after}, and what is locked was chosen for {before}", "capture again"),
}

_PACKAGES = {
    "added": ("{after} is installed, and not locked", "pip uninstall {name}, or capture again"),
    "removed": ("{before} is locked, and not installed", "pip install {pin}, or capture again"),
    "version": ("{after} is installed, and {before} is locked", "pip install {pin}, or capture again"),
    "build": (
        "another build of {before} is installed than is locked",
        "pip install --force-reinstall --no-deps {pin}, or capture again",
    ),
    "origin": (
        "it is installed from elsewhere ({after}) than is locked ({before})",
        "capture again, or install the locked one",
    ),
    "patched": (
        "it is {after}, and locked {before}",
        "pip install --force-reinstall --no-deps {name}, or capture again with --allow-patched {name}",
    ),
    "mended": _MENDED,
    "source": ("its source is not what was locked", "capture again, or restore the source"),
}
