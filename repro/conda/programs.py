"""Programs that noarch Python packages get from their entry points (CEP 34, info/link.json).

The text is frozen: it is part of layer digests. It does what the texts of conda and of pip do.
"""

import keyword
import re
import shlex
from dataclasses import dataclass

from repro.errors import IntegrityError

_NAME = re.compile(r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*")
_LONGEST_LINE = 127
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


def parse_entry_point(text: str, where: str) -> EntryPoint:
    """Read `name = module:function`. Raises IntegrityError for anything that no program can be made from."""
    name, _, target = (part.strip() for part in text.partition("="))
    module, _, attribute = (part.strip() for part in target.partition(":"))
    if not _NAME.fullmatch(name) or not _dotted(module) or not _dotted(attribute):
        raise IntegrityError(f"no entry point that a program can be made from: {text!r}", where=where)
    return EntryPoint(name, module, attribute)


def render_program(entry_point: EntryPoint, interpreter: str) -> bytes:
    """The program's text; `interpreter` is absolute."""
    name = entry_point.attribute.partition(".")[0]
    code = _TEMPLATE.format(module=entry_point.module, name=name, attribute=entry_point.attribute)
    line = f"#!{interpreter}\n"
    if len(line.encode()) > _LONGEST_LINE or " " in interpreter:
        line = f"#!/bin/sh\n'''exec' {shlex.quote(interpreter)} \"$0\" \"$@\"\n' '''\n"
    return (line + code).encode()


def _dotted(text: str) -> bool:
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in text.split("."))
