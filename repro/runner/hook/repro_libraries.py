"""Which libraries with thread pools a process has loaded, and which code numerical packages chose for this CPU.

The former is told by a copy of threadpoolctl that lies beside this file.
"""
# ruff: noqa: PTH118, PTH119, PTH120

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from typing import Any

SOURCE = "repro_threadpoolctl.py"


def libraries() -> list[dict[str, object]]:
    """Each library once: `name`, `file` (no directory), `version`, `kernel` (None where it doesn't tell), `threads`."""
    loader = SourceFileLoader("_repro_threadpoolctl", os.path.join(os.path.dirname(__file__), SOURCE))
    spec = spec_from_loader("_repro_threadpoolctl", loader)
    assert spec is not None  # noqa: S101 - a file loader always gives one
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look for it there
    try:
        loader.exec_module(module)
    finally:
        del sys.modules[spec.name]
    return [_described(found) for found in module.threadpool_info()]


def choices(modules: Mapping[str, Any] = sys.modules) -> dict[str, str]:
    """What loaded packages chose: `numpy dispatch`, and of `torch`: `dispatch`, `tf32`, `cudnn`, `deterministic`."""
    found: dict[str, str] = {}
    for name, ask in _CHOICES.items():
        try:
            found[name] = ask(modules)
        except (AttributeError, KeyError, RuntimeError):  # it isn't loaded, or is of another version
            continue
    return found


def _numpy(modules: Mapping[str, Any]) -> str:
    core = modules.get("numpy._core._multiarray_umath") or modules["numpy.core._multiarray_umath"]
    known = [*core.__cpu_baseline__, *core.__cpu_dispatch__]
    return " ".join(name for name in known if core.__cpu_features__.get(name))


_CHOICES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "numpy dispatch": _numpy,
    "torch dispatch": lambda modules: str(modules["torch"].backends.cpu.get_cpu_capability()),
    "torch tf32": lambda modules: "matmul {}, cudnn {}".format(
        modules["torch"].backends.cuda.matmul.allow_tf32, modules["torch"].backends.cudnn.allow_tf32
    ),
    "torch cudnn": lambda modules: str(modules["torch"].backends.cudnn.version()),
    "torch deterministic": lambda modules: str(modules["torch"].are_deterministic_algorithms_enabled()),
}


def _described(found: dict[str, object]) -> dict[str, object]:
    kind = found.get("internal_api")
    return {
        "name": found.get("prefix") if kind == "openmp" else kind,
        "file": os.path.basename(str(found.get("filepath"))),
        "version": found.get("version"),
        "kernel": found.get("architecture"),
        "threads": found.get("num_threads"),
    }
