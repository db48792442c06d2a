"""What shapes imports as the interpreter starts and no package brings: PYTHONPATH, .pth files."""

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from repro.capture.model import Distribution, Interpreter
from repro.capture.records import listed, text_lines
from repro.lock import Environment, LockedFile

_VARIABLE = "PYTHONPATH"
_MODULES = (".py", ".so", ".pyd")
_SITES = ("site-packages", "dist-packages")
_OF_TOOLS = ("__editable__", "_virtualenv.pth", "easy-install.pth", "distutils-precedence.pth", "setuptools.pth")
"""What installers and virtual environments leave without listing it, or list under a metadata of their own."""


def with_import_path(
    environment: Environment,
    interpreter: Interpreter,
    files: Iterable[LockedFile],
    modules: Mapping[str, Collection[str]],
    *,
    root: Path,
    workdir: Path,
) -> Environment:
    """The environment with PYTHONPATH set to directories of the project that the laptop imports from.

    That is what it has on sys.path, and where editable installs of the project's own packages lead to: their code finds
    data beside it by `__file__`, which it would not from within a wheel. The directories are named relative to the
    working directory, which interpreters resolve as they start, so that the image finds them wherever it lays out the
    project. Without a locked module in it a directory is left out.

    Args:
        environment: What is set in the image; a PYTHONPATH that is carried as it is stays so.
        interpreter: The captured one. Environments in the project don't count: the image has those as packages.
        files: What is locked.
        modules: What the run imported, by package.
        root: Project root, absolute, links resolved.
        workdir: The subject's directory, which is on sys.path anyway.
    """
    paths = [file.path for file in files if file.path.endswith(_MODULES)]
    code = [root / path for path in paths if path.endswith(".py")]
    own = {folder for one in interpreter.distributions for folder in _lead_to(one, modules, paths, root)}
    entries = [
        entry
        for entry in dict.fromkeys(Path(os.path.realpath(entry)) for entry in interpreter.sys_path)
        if entry.is_relative_to(root) and entry != workdir and any(one.is_relative_to(entry) for one in code)
        if not any(entry.is_relative_to(place) for place in _packaged(interpreter))
    ]
    entries += sorted(own - {*entries, workdir})
    if not entries or _VARIABLE in environment.variables:
        return environment
    value = ":".join(os.path.relpath(entry, workdir).replace(os.sep, "/") for entry in entries)
    return replace(environment, variables={**environment.variables, _VARIABLE: value})


def startup_warnings(interpreter: Interpreter) -> tuple[str, ...]:
    """What the author should know of .pth files with code that no package brings, so that the image won't run it."""
    found = [path for site in _sites(interpreter) for path in _loose(site, interpreter) if _runs_code(path)]
    return tuple(
        f"{path} runs code whenever Python starts and belongs to no installed package: it ran here, and won't in the "
        "image; do what it does in the notebook or script, or install it as a package"
        for path in found
    )


def _lead_to(
    one: Distribution, modules: Mapping[str, Collection[str]], paths: Collection[str], root: Path
) -> Iterator[Path]:
    """The directory of the project that all imported modules of an editable install come from, if it is one.

    A finder that leads to elsewhere, such as to what was compiled, is not replaced by a directory.
    """
    tree = None if one.source_tree is None or not one.editable else Path(os.path.realpath(one.source_tree))
    if tree is None or not (tree.is_relative_to(root) or root.is_relative_to(tree)):
        return
    found = [_top_of(module, paths) for module in modules.get(one.name, ())]
    if found and len(set(found)) == 1 and found[0] is not None:
        yield root / found[0]


def _top_of(module: str, paths: Collection[str]) -> str | None:
    """The folder below which a module's file is where its name says, "" for the root itself."""
    name = re.escape(module.replace(".", "/"))
    file = re.compile(rf"((?:.*/)?){name}(?:/__init__\.py|\.py|(?:\.[^/]+)?\.(?:so|pyd))")
    found = [match[1].rstrip("/") for path in paths if (match := file.fullmatch(path))]
    return found[0] if len(found) == 1 else None


def _packaged(interpreter: Interpreter) -> Iterator[Path]:
    yield Path(os.path.realpath(interpreter.prefix))
    for one in interpreter.distributions:
        if one.source_tree is not None:
            yield Path(os.path.realpath(one.source_tree))


def _sites(interpreter: Interpreter) -> list[Path]:
    """The directories whose .pth files are read (`site`)."""
    folders = [path for path in interpreter.sys_path if os.path.basename(path) in _SITES]  # noqa: PTH119
    return list(dict.fromkeys(map(Path, folders)))


def _loose(site: Path, interpreter: Interpreter) -> list[Path]:
    owned = {
        path
        for one in (*interpreter.distributions, *interpreter.shadowed)
        if one.location == site
        for path, _, _ in listed(one)
        if path.endswith(".pth")
    }
    found = sorted(site.glob("*.pth"))
    if interpreter.conda is not None:
        owned |= {path.name for path in found if interpreter.conda.owners_of(str(path))}
    return [one for one in found if one.name not in owned and not one.name.startswith(_OF_TOOLS) and not _nspkg(one)]


def _nspkg(path: Path) -> bool:
    """Whether it makes a namespace package of old setuptools importable; wheels bring it along."""
    return path.name.endswith("-nspkg.pth")


def _runs_code(path: Path) -> bool:
    return any(line.startswith(("import ", "import\t")) for line in text_lines(path))
