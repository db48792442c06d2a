"""Files of conda's environment that the run read and that no package brought: the image has no source for them."""

import os
from collections.abc import Iterable

from repro.capture.conda.contents import others_files, rewritten
from repro.capture.model import Interpreter
from repro.conda.environment import META
from repro.words import few

_MOST = 4
_LIBRARIES = {"stdlib", "platstdlib", "purelib", "platlib"}
_TOOLS = (f"{META}/", "etc/ipython/", "var/")


def stray_warnings(interpreter: Interpreter, reads: Iterable[str], *, scripted: bool) -> tuple[str, ...]:
    """What the author should know of such files; modules, and data beside them, are the concern of others.

    Args:
        interpreter: The captured environment.
        reads: Files that the run read, absolute.
        scripted: Whether post-link scripts run while the image is made, which may make such files.
    """
    conda = interpreter.conda
    if conda is None or scripted:
        return ()
    libraries = tuple(f"{one}{os.sep}" for name, one in interpreter.paths.items() if name in _LIBRARIES)
    found = [path for path in reads if not path.startswith(libraries) and not conda.owners_of(path)]
    inside = {name: path for path in found if (name := conda.relative(path)) is not None and _counts(name, path)}
    if inside:
        brought = others_files(interpreter)
        inside = {name: path for name, path in inside.items() if name not in brought}
    if not inside:
        return ()
    paths = sorted(inside.values())
    them = "it" if len(paths) == 1 else "them"
    told = (
        f"the run read {few(paths, _MOST)} in the environment, but no package of conda's or pip's brought "
        f"{them}, so the image won't have {them}; copy {them} into the project and read {them} there"
    )
    return (told,)


def _counts(name: str, path: str) -> bool:
    return not name.startswith(_TOOLS) and not rewritten(name) and os.path.isfile(path)  # noqa: PTH113 - text
