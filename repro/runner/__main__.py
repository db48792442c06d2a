"""`python -I -S -B /opt/repro/repro_runner`: the runner with its own packages and none of the user's."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    if __package__:
        app = importlib.import_module(f"{__package__}.app")
    else:
        # Run as a folder: its modules must be imported as a package, and not shadow the standard library's.
        here = Path(__file__).resolve().parent
        sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != here]
        sys.path[:0] = [str(here.parent), str(here.parent / "site-packages")]
        app = importlib.import_module(f"{here.name}.app")
    sys.exit(app.main())
