"""Which modules of each package a run imported, as its trace tells: those that get bytecode in the image."""

import functools
import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from repro.capture.hashing import shown
from repro.capture.model import Interpreter
from repro.capture.ownership import owned_files
from repro.conda.records import PYTHON, Record
from repro.lock import CondaPackage, Package
from repro.plan.layers import LIBRARY
from repro.plan.module_files import chosen_sources, module_name
from repro.runner.trace import Trace

_SOURCE = ".py"
_SITE = "/site-packages/"
_EXTENSION = re.compile(r"([^/.]+)(?:\.[^/]+)?\.(?:so|pyd)")
"""Last part of an extension module's path; its tag isn't part of its name (PEP 3149)."""
_NAME = re.compile(r"[^\s./\\]+(?:\.[^\s./\\]+)*")
"""As locks have it. Files can have other names, and be opened, but not be imported by them."""


def imported_modules(trace: Trace, interpreter: Interpreter, *, library: bool) -> dict[str, tuple[str, ...]]:
    """Dotted names of the modules that any process of a run imported, by package, both sorted.

    Sources that were opened count as well as modules that were there in the end: a worker process that gets killed
    doesn't tell its modules, and what was imported before the trace began was never seen opened. Names are those of
    files, so that it doesn't matter under which other names programs enter modules into `sys.modules`, nor whether
    there was bytecode. So every capture of the same state names the same modules.

    Args:
        trace: What the run did.
        interpreter: Whose packages count.
        library: Whether the standard library counts, as `repro.plan.layers.LIBRARY`: where Python itself is packed, or
            conda's.
    """
    files = {*trace.modules.values(), *(path for path in trace.reads if path.endswith(_SOURCE))}
    found: defaultdict[str, set[str]] = defaultdict(set)
    owned = [one for one in owned_files(files, interpreter) if one.distribution.conda is None]
    for one in owned:
        if not one.distribution.editable:  # such a list has what points to the source tree, which no wheel holds
            found[one.distribution.name].add(_name_of(one.path))
    for name, module in _of_conda(files, interpreter, {one.file for one in owned}):
        found[_key(name)].add(module)
    for name, module in _editable(trace, interpreter):
        found[name].add(module)
    if library:
        found[LIBRARY].update(_library(files, interpreter))
    named = {name: tuple(sorted(filter(_NAME.fullmatch, modules))) for name, modules in sorted(found.items())}
    return {name: modules for name, modules in named.items() if modules}


def locked_modules(
    modules: Mapping[str, tuple[str, ...]], packages: Iterable[Package], conda: Iterable[CondaPackage] = ()
) -> dict[str, tuple[str, ...]]:
    """Without those of packages that no target has, such as what only macOS needs."""
    known = {LIBRARY, *(package.name for package in packages), *(_key(package.name) for package in conda)}
    return {name: names for name, names in modules.items() if name in known}


def _key(name: str) -> str:
    """How a lock calls a conda package where wheels' modules are, too."""
    return f"conda:{name}"


def _of_conda(files: Iterable[str], interpreter: Interpreter, others: Collection[str]) -> Iterator[tuple[str, str]]:
    """Conda package and module of each file that lies beside the standard library, and is none of others'."""
    conda = interpreter.conda
    for file in files if conda is not None else ():
        owners = conda.owners_of(file) if conda is not None and _SITE in file.replace(os.sep, "/") else ()
        if owners and file not in others and _real_file(file) not in others:
            record, brought = owners[0]
            yield record.name, _name_of(brought.path.partition(_SITE)[2])


def _real_file(file: str) -> str:
    folder, name = os.path.split(file)
    return os.path.join(_real(folder), name)  # noqa: PTH118 - as in ownership


def _name_of(path: str) -> str:
    """The module that a file is, relative to an entry of sys.path; "" for what is no file of a module."""
    folder, slash, last = path.rpartition("/")
    extension = _EXTENSION.fullmatch(last)
    if extension:
        return f"{folder}{slash}{extension[1]}".replace("/", ".")
    return module_name(path) if last.endswith(_SOURCE) else ""


def _editable(trace: Trace, interpreter: Interpreter) -> Iterator[tuple[str, str]]:
    """Modules imported from source trees: by the names they have there, since trees are laid out in many ways."""
    trees = {name: tree + os.sep for name, tree in _trees(interpreter).items()}
    # The environment may lie in the tree, or the tree, as those of `pip install -e git+…`, in the environment.
    own = {name: tuple(one for one in _libraries(interpreter) if one.startswith(tree)) for name, tree in trees.items()}
    for module, file in trace.modules.items():
        place = _real(file) if trees else ""
        for name, tree in trees.items():
            if place.startswith(tree) and not place.startswith(own[name]) and not module.startswith("__"):
                yield name, module


def _trees(interpreter: Interpreter) -> dict[str, str]:
    """The source tree of each editable install, by its name, links resolved."""
    return {one.name: _real(one.source_tree) for one in interpreter.distributions if one.editable and one.source_tree}


def _libraries(interpreter: Interpreter) -> tuple[str, ...]:
    """The environment's folders, which may lie in a source tree: beginnings of paths, links resolved."""
    return tuple(_real(path) + os.sep for path in (os.fspath(interpreter.prefix), *interpreter.paths.values()))


def editable_sources(trace: Trace, interpreter: Interpreter, root: Path) -> tuple[str, ...]:
    """Files inside of the project, relative to its root, that editable packages were imported from."""
    trees = _trees(interpreter).values()
    places = {_real(file) for file in trace.modules.values() if file.endswith(_SOURCE)} if trees else set()
    inside, project = tuple(tree + os.sep for tree in trees), _real(os.fspath(root)) + os.sep
    libraries = _libraries(interpreter)
    found = (one for one in places if one.startswith(inside) and one.startswith(project))
    found = (one for one in found if not one.startswith(libraries))
    return tuple(sorted(one.removeprefix(project).replace(os.sep, "/") for one in found))


def beside_packages(trace: Trace, interpreter: Interpreter, root: Path) -> tuple[str, ...]:
    """Warnings about data that a run reads in the source tree of an editable install outside of the project.

    Only what lies with the imported modules can be in the wheel that is made of the tree.
    """
    project = _real(root) + os.sep
    trees = {name: tree + os.sep for name, tree in _trees(interpreter).items()}
    trees = {name: tree for name, tree in trees.items() if not tree.startswith(project)}
    if not trees:
        return ()
    folders = {os.path.dirname(file) + os.sep for file in map(_real, trace.modules.values())}  # noqa: PTH120
    reads = sorted(map(_real, trace.reads))
    found = []
    for name, tree in trees.items():
        with_modules = tuple(folder for folder in folders if folder.startswith(tree))
        read = [path for path in reads if path.startswith(tree)]
        data = [path for path in read if not path.startswith((*with_modules, project)) and _is_data(path[len(tree) :])]
        if with_modules and data:
            found.append(
                f"{name} is imported from its source tree, and the run reads {shown(data[0])} there, which no "
                "image will have: put it into the package, as its data, or into the project"
            )
    return tuple(found)


def _is_data(path: str) -> bool:
    """Whether a file of a source tree is neither code nor what tools keep there."""
    *folders, name = Path(path).parts
    tools = any(one.startswith((".", "build")) or one.endswith((".egg-info", ".dist-info")) for one in folders)
    return not tools and not name.startswith(".") and not name.endswith((_SOURCE, ".pyc", ".so", ".toml", ".cfg"))


def _library(files: Collection[str], interpreter: Interpreter) -> Iterator[str]:
    root = _real(interpreter.paths.get("stdlib", "")).replace(os.sep, "/")
    real = functools.cache(_real)
    places = (os.path.join(real(folder), name) for folder, name in map(os.path.split, files))  # noqa: PTH118 - thousands
    for path in chosen_sources((place.replace(os.sep, "/") for place in places), [root], None):
        if interpreter.conda is None or _is_pythons(interpreter.conda.owners_of(path)):
            yield module_name(path[len(root) + 1 :])


def _is_pythons(owners: Iterable[tuple[Record, object]]) -> bool:
    """Whether a file is one of the package that is conda's Python: others may put files beside its own."""
    return any(record.name == PYTHON for record, _ in owners)


def _real(path: str | Path) -> str:
    return os.path.realpath(path)
