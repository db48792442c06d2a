"""First on PYTHONPATH during an evaluation: starts the trace, steps aside, and lets the environment's own one run."""
# Every interpreter pays for what is imported here, and pathlib is dear.
# ruff: noqa: PTH100, PTH118, PTH120

from __future__ import annotations

import contextlib
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader


def _start() -> None:
    """Load the hook beside this file under a private name and take this directory off sys.path again.

    PYTHONPATH keeps it, so that child interpreters are traced too.
    """
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != here]
    loader = SourceFileLoader("_repro_hook", os.path.join(here, "repro_hook.py"))
    spec = spec_from_loader("_repro_hook", loader)
    if spec is not None:
        module = module_from_spec(spec)
        loader.exec_module(module)
        sys.modules["_repro_hook"] = module
        module.install()


def _hand_over() -> None:
    """Become the sitecustomize that would have run without us.

    Raises ImportError when there is none: `site` swallows exactly that one, and nothing is left in sys.modules.
    """
    spec: ModuleSpec | None = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is None or spec.loader is None:
        message = "No module named 'sitecustomize'"
        raise ImportError(message, name="sitecustomize")
    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


with contextlib.suppress(Exception):  # whatever is wrong with the trace, the interpreter starts as it would without it
    _start()
_hand_over()
