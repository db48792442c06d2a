"""Programs in an environment's `bin`: which entry points become launchers, and scripts that wheels bring.

What is written is frozen: it is part of layer digests. `install_wheels.py` of the Docker builder writes the same.
"""

import re
from collections.abc import Collection

from repro.programs import EntryPoint, first_lines
from repro_oci.wheel_paths import name_problem

PYTHON = b"#!python"
"""Begins scripts that leave the interpreter to the installer, `#!pythonw` too (binary distribution format)."""
_GROUPS = ("console_scripts", "gui_scripts")
_TARGET = re.compile(r"(?P<module>[\w.]+)\s*:\s*(?P<attribute>[\w.]+)\s*(?:\[.*\]\s*)?")
_GENERATED = (".exe", "-script.py", ".pya")
"""Ends of the names that setuptools once gave to launchers it put into wheels; pip leaves those files out."""


def parse_launchers(text: str) -> tuple[list[EntryPoint], list[str]]:
    """Programs that an `entry_points.txt` asks for, by name, and what is wrong with it, one sentence each.

    As pip understands the file: case counts, extras are ignored, and of two entries with one name the later wins;
    one in `gui_scripts` always counts as the later.
    """
    found: dict[str, EntryPoint] = {}
    problems: list[str] = []
    for name, value in _entries(text):
        launcher = _launcher(name, value)
        if isinstance(launcher, str):
            problems.append(f"entry point {name!r} {launcher}")
        else:
            found[name] = launcher
    return [found[name] for name in sorted(found)], problems


def with_interpreter(script: bytes, interpreter: str) -> bytes:
    """A script that begins with `PYTHON`, with its first line replaced."""
    return first_lines(interpreter) + script.partition(b"\n")[2]


def is_generated(file_name: str, launchers: Collection[str]) -> bool:
    """Whether a wheel's script would be, or stands beside, a launcher that one of its entry points makes (as pip)."""
    end = next((end for end in _GENERATED if file_name.lower().endswith(end)), "")
    return file_name[: len(file_name) - len(end)] in launchers


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


def _launcher(name: str, value: str) -> EntryPoint | str:
    if problem := "has a slash in its name" if "/" in name else name_problem(name):
        return problem
    target = _TARGET.fullmatch(value)
    parts = (target["module"] + "." + target["attribute"]).split(".") if target else []
    if target is None or not all(part.isidentifier() for part in parts):
        return f"names nothing that can be called: {value!r}"
    return EntryPoint(name, target["module"], target["attribute"])
