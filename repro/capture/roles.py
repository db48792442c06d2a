"""What a project file is to the evaluation, told by its name, and the globs with which repro.toml overrules that."""

import functools
import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from repro.capture.config import FileRules
from repro.lock import Role
from repro.realpaths import expanded

_CODE = {".py", ".pyi", ".pyx", ".so", ".pyd", ".r", ".jl", ".sh"}
_MODEL = {
    *(".joblib", ".pkl", ".pickle", ".dill", ".skops", ".onnx", ".pmml", ".mlmodel", ".tflite", ".pb", ".gguf"),
    *(".pt", ".pth", ".ckpt", ".safetensors", ".keras", ".h5", ".hdf5", ".ubj", ".bst", ".cbm", ".model", ".bin"),
}
CONFIG_SUFFIXES = {".toml", ".yaml", ".yml", ".ini", ".cfg", ".conf", ".json", ".env", ".properties"}
_DATA_FOLDERS = {"data", "dataset", "datasets"}
_MODEL_FOLDERS = {"model", "models", "checkpoints", "weights"}


def role_of(path: str, rules: FileRules, *, imported: bool = False) -> Role:
    """The role of a file.

    In this order: a glob of repro.toml; a notebook; code (imported, or by suffix); anything in a folder named `data` or
    the like is data and in one named `models` or the like a model; then by suffix a model or a config; else data.

    Args:
        path: POSIX path relative to the project root.
        rules: The project's own globs.
        imported: Whether the run imported it as a module.
    """
    for role, globs in rules.roles.items():
        if matches(path, globs):
            return role
    pure = PurePosixPath(path)
    suffix = pure.suffix.lower()
    if suffix == ".ipynb":
        return "notebook"
    if imported or suffix in _CODE:
        return "code"
    return _by_place(pure, suffix)


def _by_place(path: PurePosixPath, suffix: str) -> Role:
    folders = {part.lower() for part in path.parts[:-1]}
    if folders & _DATA_FOLDERS:
        return "data"
    if suffix in _MODEL or folders & _MODEL_FOLDERS:
        return "model"
    return "config" if suffix in CONFIG_SUFFIXES or path.name.startswith(".env") else "data"


def matches(path: str, globs: Iterable[str]) -> bool:
    """Whether a path, or a folder above it, matches one of the globs.

    As in .gitignore: `*` and `?` stay within one folder, `**` crosses folders, a glob without a slash
    holds in every folder. Absolute globs and `~` are for absolute paths.
    """
    full = tuple(expanded(glob).as_posix() if glob.startswith("~") else glob for glob in globs)
    return bool(full) and _any_of(full).fullmatch(str(PurePosixPath(path))) is not None


@functools.cache
def _any_of(globs: tuple[str, ...]) -> re.Pattern[str]:
    """One expression for all, because there may be very many paths."""
    return re.compile(f"(?:{'|'.join(map(_expression, globs))})(?:/.*)?", re.DOTALL)


def _expression(glob: str) -> str:
    text = glob.removeprefix("./").rstrip("/")
    if "/" not in text:
        text = f"**/{text}"
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[!?[^]/]+\])", text)
    return "".join(_WILD.get(part) or _plain(part) for part in parts)


_WILD = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def _plain(part: str) -> str:
    if part.startswith("[") and part.endswith("]"):
        wanted = f"[^{part[2:-1]}]" if part.startswith("[!") else part
        return wanted if _compiles(wanted) else re.escape(part)
    return re.escape(part)


def _compiles(text: str) -> bool:
    """Whether it is a regular expression: `[z-a]` is none, and then a glob means these very characters."""
    try:
        re.compile(text)
    except re.error:
        return False
    return True
