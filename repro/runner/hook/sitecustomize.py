"""First on PYTHONPATH during an evaluation: starts the trace, steps aside, and lets the environment's own one run."""
# Every interpreter pays for what is imported here: pathlib and contextlib are dear.
# ruff: noqa: PTH100, PTH118, PTH120, S110, SIM105

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder, SourceFileLoader


def _start() -> None:
    """Load the hook beside this file under a private name and take this directory off sys.path again.

    PYTHONPATH keeps it, so that child interpreters are traced too.
    """
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != here]
    loader = SourceFileLoader("_repro_hook", os.path.join(here, "repro_hook.py"))
    module = type(sys)(loader.name)
    module.__file__ = loader.path
    loader.exec_module(module)
    sys.modules[loader.name] = module
    module.install()


def _hand_over() -> None:
    """Become the sitecustomize that would have run without us.

    Raises ImportError when there is none: `site` swallows exactly that one, and nothing is left in sys.modules.
    """
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is None or spec.loader is None:
        message = "No module named 'sitecustomize'"
        raise ImportError(message, name="sitecustomize")
    from importlib.util import module_from_spec  # noqa: PLC0415 - seldom needed

    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


try:
    _start()
except Exception:  # noqa: BLE001 - whatever is wrong with the trace, the interpreter starts as it would without it
    pass
_hand_over()
