"""Every CPython of this machine whose bytecode is known, one for each minor version: on PATH, or installed by pyenv."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from repro.plan.compile_worker import FIRST, LAST


@cache
def interpreters() -> dict[str, str]:
    """Program by minor version; the one that runs the tests is always there."""
    found = {minor(sys.version_info): sys.executable}
    for number in range(FIRST[1], LAST[1] + 1):
        name = f"python3.{number}"
        pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
        for program in (shutil.which(name), *sorted(pyenv.glob(f"versions/*/bin/{name}"))):
            if program is not None and _runs(str(program), f"3.{number}"):
                found.setdefault(f"3.{number}", str(program))
    return found


def minor(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version[:2]))


def _runs(program: str, version: str) -> bool:
    ask = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2])"
    done = subprocess.run([program, "-I", "-S", "-c", ask], capture_output=True, text=True, check=False)
    return done.stdout.strip() == f"cpython {version}"
