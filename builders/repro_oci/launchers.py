"""Programs in an environment's `bin`: launchers of entry points, and the first lines of scripts that wheels bring.

The texts are frozen: they are part of layer digests. `install_wheels.py` of the Docker builder writes the same.
"""

import re
import shlex
from collections.abc import Collection
from dataclasses import dataclass

from repro_oci.wheel_paths import name_problem

PYTHON = b"#!python"
"""Begins scripts that leave the interpreter to the installer, `#!pythonw` too (binary distribution format)."""
_GROUPS = ("console_scripts", "gui_scripts")
_TARGET = re.compile(r"(?P<module>[\w.]+)\s*:\s*(?P<attribute>[\w.]+)\s*(?:\[.*\]\s*)?")
_LONGEST = 127
"""Bytes of a first line that every Linux reads; longer ones were cut before 5.1 (BINPRM_BUF_SIZE)."""
_TEMPLATE = """\
import sys

from {module} import {name}

if __name__ == "__main__":
    sys.exit({attribute}())
"""
_GENERATED = (".exe", "-script.py", ".pya")
"""Ends of the names that setuptools once gave to launchers it put into wheels; pip leaves those files out."""


@dataclass(frozen=True, slots=True)
class Launcher:
    """An entry point that becomes a program.

    Attributes:
        name: File name of the program.
        module: Dotted name of the module.
        attribute: What to call in it, dotted.
    """

    name: str
    module: str
    attribute: str


def parse_launchers(text: str) -> tuple[list[Launcher], list[str]]:
    """Programs that an `entry_points.txt` asks for, by name, and what is wrong with it, one sentence each.

    As pip understands the file: case counts, extras are ignored, and of two entries with one name the later wins;
    one in `gui_scripts` always counts as the later.
    """
    found: dict[str, Launcher] = {}
    problems: list[str] = []
    for name, value in _entries(text):
        launcher = _launcher(name, value)
        if isinstance(launcher, str):
            problems.append(f"entry point {name!r} {launcher}")
        else:
            found[name] = launcher
    return [found[name] for name in sorted(found)], problems


def render_launcher(launcher: Launcher, interpreter: str) -> bytes:
    """The program's text; `interpreter` is absolute."""
    name = launcher.attribute.partition(".")[0]
    code = _TEMPLATE.format(module=launcher.module, name=name, attribute=launcher.attribute)
    return _first_lines(interpreter) + code.encode()


def with_interpreter(script: bytes, interpreter: str) -> bytes:
    """A script that begins with `PYTHON`, with its first line replaced."""
    return _first_lines(interpreter) + script.partition(b"\n")[2]


def is_generated(file_name: str, launchers: Collection[str]) -> bool:
    """Whether a wheel's script would be, or stands beside, a launcher that one of its entry points makes (as pip)."""
    end = next((end for end in _GENERATED if file_name.lower().endswith(end)), "")
    return file_name[: len(file_name) - len(end)] in launchers


def _first_lines(interpreter: str) -> bytes:
    """`#!` and the interpreter, or a shell's detour where the kernel wouldn't understand that line.

    To a shell the second line runs the interpreter; to Python it begins a string that the third line ends.
    """
    line = f"#!{interpreter}\n".encode()
    if len(line) <= _LONGEST and b" " not in line:
        return line
    return f"#!/bin/sh\n'''exec' {shlex.quote(interpreter)} \"$0\" \"$@\"\n' '''\n".encode()


def _entries(text: str) -> list[tuple[str, str]]:
    """Names and values of both groups, console programs first; read line by line as importlib.metadata does."""
    groups: dict[str, list[tuple[str, str]]] = {group: [] for group in _GROUPS}
    group = ""
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            group = line.strip("[]")
        elif group in groups:
            name, _, value = line.partition("=")
            groups[group].append((name.strip(), value.strip()))
    return [entry for entries in groups.values() for entry in entries]


def _launcher(name: str, value: str) -> Launcher | str:
    if problem := "has a slash in its name" if "/" in name else name_problem(name):
        return problem
    target = _TARGET.fullmatch(value)
    parts = (target["module"] + "." + target["attribute"]).split(".") if target else []
    if target is None or not all(part.isidentifier() for part in parts):
        return f"names nothing that can be called: {value!r}"
    return Launcher(name, target["module"], target["attribute"])
