"""Compiled Python as packages carry it: made at build time, told by the source's time and size."""

import importlib.util
import marshal
import struct
import sys
import warnings
from pathlib import PurePosixPath

from tests.conda_channel.package import PLACEHOLDER, TIMESTAMP, Member

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
SITE_PACKAGES = f"lib/python{MINOR}/site-packages"


def with_compiled(members: list[Member]) -> list[Member]:
    """The members and, for each Python source among them that compiles, its cache file."""
    sources = [member for member in members if member.path.endswith(".py") and not member.path.startswith("bin/")]
    return [*members, *(found for source in sources if (found := _compiled(source)))]


def _compiled(source: Member) -> Member | None:
    try:
        with warnings.catch_warnings(action="ignore"):
            code = compile(source.data, f"{PLACEHOLDER}/{source.path}", "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError):  # templates and test data that only look like Python
        return None
    head = importlib.util.MAGIC_NUMBER + struct.pack("<III", 0, TIMESTAMP, len(source.data))
    path = PurePosixPath(source.path)
    name = f"{path.stem}.{sys.implementation.cache_tag}.pyc"
    return Member(str(path.parent / "__pycache__" / name), head + marshal.dumps(code))
