"""Bytecode of what runs inside interpreters, kept in the user's cache.

The interpreters of a run write none themselves, and would compile the hooks anew in each process: 15 ms every time.
"""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from repro.capture.model import Interpreter
from repro.errors import ReproError
from repro.files import atomic_write
from repro.process import run
from repro.runner.surroundings import hook_sources
from repro.store.cache import cache_directory

# Unchecked (PEP 552): copies of the sources have other times, and are the same for sure.
_COMPILE = """
import py_compile, sys
from importlib.util import cache_from_source
from pathlib import Path
for source in map(Path, sys.argv[2:]):
    cached = Path(sys.argv[1], Path(cache_from_source(source)).name)
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(source), str(cached), source.name, doraise=True, invalidation_mode=mode)
"""
_PATIENCE = 60.0  # seconds


def hook_bytecode(
    interpreter: Interpreter, hooks: Iterable[Path] = (), environ: Mapping[str, str] = os.environ
) -> tuple[Path, ...]:
    """The .pyc of the runner's hooks and of further ones, for this interpreter; none where it can't compile them.

    Files of another interpreter do no harm: each looks for its own by name and magic number, and else compiles.
    """
    sources = {**hook_sources(), **{hook.name: hook for hook in hooks}}
    key = hashlib.sha256(f"{interpreter.implementation} {interpreter.version}".encode())
    for name, source in sorted(sources.items()):
        key.update(b"%s\0%s" % (name.encode(), hashlib.sha256(source.read_bytes()).digest()))
    place = cache_directory(environ) / "hooks" / key.hexdigest()
    with contextlib.suppress(OSError, ReproError):
        if sum(1 for _ in place.glob("*.pyc")) < len(sources):
            _compile(interpreter.executable, sources, place)
        return tuple(sorted(place.glob("*.pyc")))
    return ()


def _compile(python: Path, sources: Mapping[str, Path], place: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="repro-") as scratch:
        texts, made = Path(scratch, "texts"), Path(scratch, "made")
        for folder in (texts, made, place):
            folder.mkdir(parents=True, exist_ok=True)
        for name, source in sources.items():
            shutil.copyfile(source, texts / name)
        run([python, "-I", "-S", "-c", _COMPILE, made, *(texts / name for name in sources)], timeout=_PATIENCE)
        for file in made.iterdir():
            atomic_write(place / file.name, file.read_bytes())
