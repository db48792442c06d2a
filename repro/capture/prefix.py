"""Which files of a Python installation make a packed one, where they go, and what is rewritten in them.

Left out, because no program needs them to run: compiled caches, installed packages (they are locked one by one), the
standard library's own tests, and what only builds C extensions (headers, static libraries, pkg-config, scripts).
"""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from repro.capture.model import Interpreter
from repro.errors import UsageError
from repro.plan import layout

LIBRARIES = layout.PYTHON / "lib"
DEPENDENCIES = LIBRARIES / "deps"
"""Shared libraries that came with the laptop's operating system, apart from the installation's own."""

_SKIPPED_NAMES = {"__pycache__", "site-packages", "dist-packages", "EXTERNALLY-MANAGED"}
_TESTS = {
    PurePosixPath(path)
    for path in (
        "test",
        "ctypes/test",
        "distutils/tests",
        "idlelib/idle_test",
        "lib2to3/tests",
        "sqlite3/test",
        "tkinter/test",
        "unittest/test",
    )
}
_CONFIG = re.compile(r"config-\d.*")
_CONFIG_KEPT = {"Makefile", "python-config.py", "Setup", "Setup.local", "Setup.bootstrap", "Setup.stdlib"}
_BUILD_FACTS = re.compile(r"_sysconfigdata_.*\.py")
_SYSTEM_PREFIXES = (Path("/usr"), Path("/usr/local"), Path("/"))


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the parts of an installed Python are.

    Attributes:
        prefix: `sys.base_prefix`.
        program: Its executable, links resolved.
        stdlib: The standard library's directory.
        minor: `3.11`.
    """

    prefix: Path
    program: Path
    stdlib: Path
    minor: str

    @property
    def packed_program(self) -> PurePosixPath:
        """Where the executable goes."""
        return layout.PYTHON / "bin" / f"python{self.minor}"

    @property
    def packed_stdlib(self) -> PurePosixPath:
        """Where the standard library goes: `lib/pythonX.Y`, or `lib64/…` where it was configured so."""
        return layout.PYTHON / self.stdlib.parent.name / self.stdlib.name


def find_installation(interpreter: Interpreter) -> Installation:
    """The installation behind an interpreter, also when that is a virtual environment's.

    Raises:
        UsageError: Its executable or standard library isn't where it says.
    """
    minor = ".".join(interpreter.version.split(".")[:2])
    prefix = interpreter.base_prefix
    candidates = (interpreter.base_executable, prefix / "bin" / f"python{minor}", interpreter.executable)
    program = next((path.resolve() for path in candidates if path.is_file() and _is_program(path)), None)
    stdlib = Path(interpreter.paths.get("stdlib", prefix / "lib" / f"python{minor}"))
    if program is None or not (stdlib / "os.py").is_file():
        raise UsageError(
            f"can't pack Python {interpreter.version}: its installation is not complete",
            where=str(prefix),
            problems=[f"no executable at {candidates[0]}"] if program is None else [f"no os.py in {stdlib}"],
            fix="Choose a base image that has this version ([base] image in repro.toml).",
        )
    return Installation(prefix, program, stdlib, minor)


def _is_program(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == b"\x7fELF"


def standard_library(installation: Installation) -> dict[PurePosixPath, Path]:
    """Each file of the standard library that is packed, by its place in the image."""
    stdlib = installation.stdlib
    found = _walk(stdlib, PurePosixPath(), (stdlib.resolve(),))
    return {installation.packed_stdlib / relative: path for relative, path in found}


def _walk(folder: Path, relative: PurePosixPath, above: tuple[Path, ...]) -> Iterator[tuple[PurePosixPath, Path]]:
    """Files below a directory. Links are followed (distributions link to /etc and /usr/share), but never upwards."""
    for entry in sorted(folder.iterdir()):
        place = relative / entry.name
        if entry.name in _SKIPPED_NAMES or place in _TESTS or _only_builds(place):
            continue
        if entry.is_dir():
            resolved = entry.resolve()
            if resolved not in above:
                yield from _walk(entry, place, (*above, resolved))
        elif entry.is_file():
            yield place, entry


def _only_builds(place: PurePosixPath) -> bool:
    in_config = len(place.parts) == 2 and _CONFIG.fullmatch(place.parts[0])  # noqa: PLR2004 - directory and name
    return bool(in_config and place.name not in _CONFIG_KEPT) or place.suffix == ".a"


class Relocation:
    """Takes the laptop's paths out of what is packed.

    The standard library computes its places from where it lies, so these paths are facts about the build at most; but
    they name people, and they mislead (`sysconfig`).
    """

    def __init__(self, installation: Installation, home: Path) -> None:
        self._prefix = str(installation.prefix)
        self._home = str(home) if len(home.parts) > 2 else None  # noqa: PLR2004 - `/` and `/root` name nobody
        own = installation.prefix not in _SYSTEM_PREFIXES
        # Of a system's Python only the library's path is its own: /usr/bin/install must stay what it is.
        moved = (
            (self._prefix, str(layout.PYTHON)) if own else (str(installation.stdlib), str(installation.packed_stdlib))
        )
        self._everywhere = [moved] if own else []
        self._build_facts = [moved, *([(self._home, "/nonexistent")] if self._home else [])]

    def text(self, name: str, data: bytes) -> bytes:
        """A text file as it is packed."""
        if _BUILD_FACTS.fullmatch(name):
            return _render_build_facts(data, self)
        build_fact = name in _CONFIG_KEPT or name == "build-details.json"
        return _replaced(data, self._build_facts if build_fact else self._everywhere)

    def value(self, text: str) -> str:
        """One value of the build's facts."""
        if text == self._prefix:
            return str(layout.PYTHON)
        return _replaced(text.encode(), self._build_facts).decode()

    def program(self, data: bytes) -> bytes:
        """An ELF file as it is packed: without the home directory's name, which becomes slashes of the same length.

        Nothing may move, and the rest of a path must stay: linkers let a string share the end of another, so that
        the version `3.11.7` may be nothing but the end of `/home/someone/versions/3.11.7`.
        """
        if self._home is None:
            return data
        own = self._home.encode() + b"/"
        return data.replace(own, b"/" * len(own))


def _replaced(data: bytes, moves: Sequence[tuple[str, str]]) -> bytes:
    for old, new in moves:
        data = _boundary(old).sub(new.encode(), data)
    return data


def _boundary(path: str) -> re.Pattern[bytes]:
    """The path itself or something below it, and not `/home/annabel` for `/home/anna`."""
    return re.compile(re.escape(path.encode()) + rb"(?![\w.+-])")


def _render_build_facts(data: bytes, relocation: Relocation) -> bytes:
    """`_sysconfigdata_*.py`: one dictionary, written again so that a path with blanks isn't missed for a line break."""
    match ast.parse(data).body:
        case [ast.Assign(targets=[ast.Name() as target], value=ast.Dict() as table)]:
            facts: dict[str, Any] = ast.literal_eval(table)
        case _:
            return relocation.value(data.decode()).encode()
    lines = [f"    {key!r}: {_relocated(value, relocation)!r},\n" for key, value in facts.items()]
    return f"{target.id} = {{\n{''.join(lines)}}}\n".encode()


def _relocated(value: Any, relocation: Relocation) -> Any:
    return relocation.value(value) if isinstance(value, str) else value


def parents(paths: Sequence[PurePosixPath]) -> set[PurePosixPath]:
    """Every directory above the paths, `/` left out."""
    return {parent for path in paths for parent in path.parents if parent != PurePosixPath("/")}
