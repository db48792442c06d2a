"""Entry points of noarch Python packages, as info/link.json has them (CEP 34)."""

import keyword
import re

from repro.errors import IntegrityError
from repro.programs import EntryPoint

_NAME = re.compile(r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*")


def parse_entry_point(text: str, where: str) -> EntryPoint:
    """Read `name = module:function`. Raises IntegrityError for anything that no program can be made from."""
    name, _, target = (part.strip() for part in text.partition("="))
    module, _, attribute = (part.strip() for part in target.partition(":"))
    if not _NAME.fullmatch(name) or not _dotted(module) or not _dotted(attribute):
        raise IntegrityError(f"no entry point that a program can be made from: {text!r}", where=where)
    return EntryPoint(name, module, attribute)


def _dotted(text: str) -> bool:
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in text.split("."))
