"""How long locking an installed environment takes, against pip-tools on the same pins. Ratios of one run.

Usage: python bench/locking.py [PYTHON]   where PYTHON is the interpreter of an environment, such as
examples/breast-cancer/.venv/bin/python; without it, one with the 150 packages of bench/locking.txt is made by uv and
thrown away. Everything goes to the index that pip is configured for.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import uv

from repro.capture.packages.index import IndexClient
from repro.capture.packages.lock_packages import lock_packages
from repro.capture.packages.origins import local_wheel
from repro.capture.packages.runner_packages import lock_runner
from repro.capture.packages.settings import load_settings
from repro.capture.packages.stand_ins import StandIns
from repro.capture.probe import probe
from repro.digest import Digest
from repro.files import atomic_write
from repro.lock import Base, Baseline, Environment, Lock, Policy, Python, Runner, Subject, render_lock
from repro.progress import Silent
from repro.store import ObjectStore

_PINS = Path(__file__).with_name("locking.txt")
_GLIBC = "2.36"
_TARGETS = ("linux/amd64",)
_Result = TypeVar("_Result")


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        os.environ["REPRO_CACHE_DIR"] = str(scratch / "cache")
        python = Path(sys.argv[1]).absolute() if sys.argv[1:] else _environment(scratch / "environment")
        probe(python, cwd=scratch, env=os.environ)  # the file system's cache is warm in everything that follows
        cold, count = _timed(lambda: _lock(python, scratch))
        warm, _ = _timed(lambda: _lock(python, scratch))
        seen, interpreter = _timed(lambda: probe(python, cwd=scratch, env=os.environ))
        pins = scratch / "requirements.in"
        pins.write_text("".join(f"{d.name}=={d.version}\n" for d in interpreter.distributions), encoding="utf-8")
        other_cold, _ = _timed(lambda: _pip_compile(pins, scratch))
        other_warm, _ = _timed(lambda: _pip_compile(pins, scratch))
    print(f"{count} packages; to probe, look up, lock and write them (probing alone: {seen:.2f} s)")
    for name, ours, theirs in (("cold", cold, other_cold), ("warm", warm, other_warm)):
        print(f"{name}: repro {ours:6.2f} s   pip-compile --generate-hashes {theirs:7.2f} s   {theirs / ours:5.1f}x")


def _environment(folder: Path) -> Path:
    python = folder / "bin" / "python"
    subprocess.run([uv.find_uv_bin(), "venv", "--quiet", "--python", sys.executable, folder], check=True)
    install = [uv.find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--python", str(python)]
    subprocess.run([*install, "--requirements", str(_PINS)], check=True)
    return python


def _lock(python: Path, scratch: Path) -> int:
    """Everything between a finished run and a lock on the disk."""
    interpreter = probe(python, cwd=scratch, env=os.environ)
    client = IndexClient(load_settings(prefix=interpreter.prefix))
    store = ObjectStore(scratch / "objects")
    packages = lock_packages(
        interpreter,
        targets=_TARGETS,
        glibc=_GLIBC,
        client=client,
        local_wheels=lambda one: local_wheel(one, interpreter, scratch, scratch),
        built_wheels=StandIns(interpreter, scratch, client, store).make,
        store=store,
        progress=Silent(),
    )
    own = lock_runner(interpreter.version, _TARGETS, _GLIBC, client)
    version, nothing = interpreter.version, Digest.of(b"")
    lock = Lock(
        subject=Subject("script", "evaluate.py"),
        baseline=Baseline(rerun=True),
        targets=_TARGETS,
        python=Python(interpreter.implementation, version, "base"),
        base=Base("example.org/base", nothing, "registry", version, "/usr/local/bin/python3", _GLIBC),
        environment=Environment("UTC", "C.UTF-8", 1),
        policy=Policy(3600.0, None, None, allow_patch_drift=False, metrics_files=()),
        metrics=(),
        files=(),
        outputs=(),
        packages=packages,
        runner=Runner("1", nothing, own),
    )
    atomic_write(scratch / "repro.lock", render_lock(lock))
    return len(packages)


def _pip_compile(pins: Path, scratch: Path) -> None:
    command = [sys.executable, "-m", "piptools", "compile", "--quiet", "--generate-hashes", "--allow-unsafe"]
    places = ["--cache-dir", str(scratch / "pip-tools"), "--output-file", str(scratch / "requirements.txt")]
    subprocess.run([*command, *places, str(pins)], check=True, stderr=subprocess.DEVNULL)


def _timed(work: Callable[[], _Result]) -> tuple[float, _Result]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


if __name__ == "__main__":
    main()
