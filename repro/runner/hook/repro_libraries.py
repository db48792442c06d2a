"""Which libraries with thread pools a process has loaded: asks a copy of threadpoolctl that lies beside this file."""
# ruff: noqa: PTH118, PTH119, PTH120

from __future__ import annotations

import os
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

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


def _described(found: dict[str, object]) -> dict[str, object]:
    kind = found.get("internal_api")
    return {
        "name": found.get("prefix") if kind == "openmp" else kind,
        "file": os.path.basename(str(found.get("filepath"))),
        "version": found.get("version"),
        "kernel": found.get("architecture"),
        "threads": found.get("num_threads"),
    }
