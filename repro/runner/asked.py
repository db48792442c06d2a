"""A program that any Python of 3.8 and later runs: prints as JSON what it is, what is installed, and how it is set.

Imported nowhere: `machine.ask_interpreter` hands its text to the interpreter that counts, in the evaluation's own
environment. Of variables it tells only those that are known to steer numbers, and that can hold no secret.
"""

from __future__ import annotations

import json
import locale
import os
import platform
import re
import sys
import time
from importlib.metadata import distributions
from pathlib import Path
from typing import Iterator

_STEERING = re.compile(
    r"(OMP|GOMP|KMP|OPENBLAS|GOTO|MKL|BLIS|VECLIB|NUMEXPR|NUMBA|NPY|ONEDNN|DNNL|ATEN|CUBLAS|CUDNN)_[A-Z0-9_]+"
    r"|TZ|LANG|LANGUAGE|LC_[A-Z]+|PYTHON(HASHSEED|OPTIMIZE|UTF8|INTMAXSTRDIGITS|MALLOC|_JIT|_GIL)"
    r"|LD_PRELOAD|GLIBC_TUNABLES|MALLOC_[A-Z]+_?|CUDA_VISIBLE_DEVICES|NVIDIA_TF32_OVERRIDE|NVIDIA_VISIBLE_DEVICES"
    r"|TF_(ENABLE_ONEDNN_OPTS|DETERMINISTIC_OPS|CUDNN_DETERMINISTIC|NUM_INT(RA|ER)OP_THREADS)|XLA_FLAGS"
    r"|TORCH_ALLOW_TF32_CUBLAS_OVERRIDE|JAX_(ENABLE_X64|PLATFORMS|DEFAULT_MATMUL_PRECISION)"
)
_INFO = re.compile(rb'site-packages/([^/"]+\.(?:dist|egg)-info)[/"]')
_PARTS = 3
_WINTER, _SUMMER = 1704067200, 1719792000  # 2024-01-01 and 2024-07-01: zones differ in at least one of them


def packages() -> dict[str, str]:
    """Normalised name → version."""
    found: dict[str, str] = {}
    for one in distributions():
        name = one.metadata["Name"]
        if name:
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), one.version)
    return found


def conda() -> tuple[dict[str, str], dict[str, str]]:
    """Of conda packages, name → version and build; and of distributions that came with one, name → its name.

    By what conda, mamba and pixi leave in the prefix: `conda-meta/NAME-VERSION-BUILD.json` for each package.
    """
    found: dict[str, str] = {}
    owners: dict[str, str] = {}
    for record in sorted((Path(sys.prefix) / "conda-meta").glob("*.json")):
        parts = record.stem.rsplit("-", 2)
        if len(parts) == _PARTS:
            found[parts[0]] = " ".join(parts[1:])
            owners.update((info.decode("utf-8", "replace"), parts[0]) for info in _INFO.findall(record.read_bytes()))
    return found, {name: owners[info] for name, info in _metadata() if info in owners}


def _metadata() -> Iterator[tuple[str, str]]:
    """Normalised name and metadata folder of each distribution that is imported before others of its name."""
    seen: set[str] = set()
    for one in distributions():
        name = re.sub(r"[-_.]+", "-", one.metadata["Name"] or "").lower()
        if name not in seen:
            yield name, Path(str(getattr(one, "_path", ""))).name
        seen.add(name)


def settings() -> dict[str, str]:
    """What the interpreter makes of its surroundings; variables by their name after a `$`."""
    return {
        "build": " ".join(sys.version.split()[1:]),
        "libc": " ".join(platform.libc_ver()).strip(),
        "locale": _locale(),
        "encoding": locale.getpreferredencoding(do_setlocale=False),
        "time zone": _zone(),
        "hash seed": os.environ.get("PYTHONHASHSEED", "random") if sys.flags.hash_randomization else "0",
        "optimize": str(sys.flags.optimize),
        **{"$" + name: value for name, value in os.environ.items() if _STEERING.fullmatch(name)},
    }


def _locale() -> str:
    """The locale that a program gets which asks for the user's."""
    try:
        return locale.setlocale(locale.LC_ALL, "")
    except locale.Error:
        return "none: the system has not the one that is asked for"


def _zone() -> str:
    """Names and offsets in January and in July."""
    return ", ".join(time.strftime("%Z %z", time.localtime(moment)) for moment in (_WINTER, _SUMMER))


if __name__ == "__main__":
    installed, brought = conda()
    answer = {
        "version": platform.python_version(),
        "executable": sys.executable,
        "packages": packages(),
        "conda": installed,
        "brought": brought,
        "settings": settings(),
    }
    print(json.dumps(answer))
