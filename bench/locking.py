"""How long locking an installed environment takes, against pip-tools on the same pins. Ratios of one run.

Usage: python bench/locking.py PYTHON   where PYTHON is the interpreter of an environment, such as
examples/breast-cancer/.venv/bin/python. Everything goes to the index that pip is configured for.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from repro.capture.model import Interpreter
from repro.capture.packages.index import IndexClient
from repro.capture.packages.lock_packages import lock_packages
from repro.capture.packages.origins import built_wheel, local_wheel
from repro.capture.packages.settings import load_settings
from repro.capture.probe import probe
from repro.progress import Silent
from repro.store import ObjectStore

_Result = TypeVar("_Result")


def main() -> None:
    """Measure and print."""
    python = Path(sys.argv[1]).absolute()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        os.environ["REPRO_CACHE_DIR"] = str(scratch / "cache")
        seen, interpreter = _timed(lambda: probe(python, cwd=scratch, env=os.environ))
        pins = scratch / "requirements.in"
        pins.write_text("".join(f"{d.name}=={d.version}\n" for d in interpreter.distributions), encoding="utf-8")
        cold, _ = _timed(lambda: _lock(interpreter, scratch))
        warm, _ = _timed(lambda: _lock(interpreter, scratch))
        other_cold, _ = _timed(lambda: _pip_compile(pins, scratch))
        other_warm, _ = _timed(lambda: _pip_compile(pins, scratch))
    print(f"{len(interpreter.distributions)} packages; probing them took {seen:.2f} s")
    print(f"cold: repro {cold:6.2f} s   pip-compile --generate-hashes {other_cold:6.2f} s   {other_cold / cold:5.1f}x")
    print(f"warm: repro {warm:6.2f} s   pip-compile --generate-hashes {other_warm:6.2f} s   {other_warm / warm:5.1f}x")


def _lock(interpreter: Interpreter, scratch: Path) -> None:
    lock_packages(
        interpreter,
        targets=("linux/amd64",),
        glibc="2.36",
        client=IndexClient(load_settings(prefix=interpreter.prefix)),
        local_wheels=lambda one: local_wheel(one, interpreter, scratch, scratch),
        built_wheels=lambda one: built_wheel(one, interpreter, scratch),
        store=ObjectStore(scratch / "objects"),
        progress=Silent(),
    )


def _pip_compile(pins: Path, scratch: Path) -> None:
    command = [sys.executable, "-m", "piptools", "compile", "--quiet", "--generate-hashes", "--allow-unsafe"]
    places = ["--cache-dir", scratch / "pip-tools", "--output-file", scratch / "requirements.txt"]
    subprocess.run([*command, *places, pins], check=True, stderr=subprocess.DEVNULL)


def _timed(work: Callable[[], _Result]) -> tuple[float, _Result]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


if __name__ == "__main__":
    main()
