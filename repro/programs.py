"""The text of programs that entry points become, in wheels and conda packages. Frozen: it is part of layer digests.

`install_wheels.py` of the Docker builder writes it, too. It does what the texts of pip and of conda do.
"""

import shlex
from dataclasses import dataclass

_LONGEST = 127
"""Bytes of a first line that every Linux reads; longer ones were cut before 5.1 (BINPRM_BUF_SIZE)."""
_TEMPLATE = """\
import sys

from {module} import {name}

if __name__ == "__main__":
    sys.exit({attribute}())
"""


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """An entry point that becomes a program.

    Attributes:
        name: File name of the program.
        module: Dotted name of the module.
        attribute: What to call in it, dotted.
    """

    name: str
    module: str
    attribute: str


def render_program(entry_point: EntryPoint, interpreter: str) -> bytes:
    """The program's text; `interpreter` is absolute."""
    name = entry_point.attribute.partition(".")[0]
    code = _TEMPLATE.format(module=entry_point.module, name=name, attribute=entry_point.attribute)
    return first_lines(interpreter) + code.encode()


def first_lines(interpreter: str) -> bytes:
    """`#!` and the interpreter, or a shell's detour where the kernel wouldn't understand that line.

    To a shell the second line runs the interpreter; to Python it begins a string that the third line ends.
    """
    line = f"#!{interpreter}\n".encode()
    if len(line) <= _LONGEST and b" " not in line:
        return line
    return f"#!/bin/sh\n'''exec' {shlex.quote(interpreter)} \"$0\" \"$@\"\n' '''\n".encode()
