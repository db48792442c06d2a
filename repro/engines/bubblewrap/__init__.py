"""Images run without a daemon and without root, by bubblewrap (bwrap) on Linux. Nothing here imports elsewhere."""

from repro.engines.bubblewrap.engine import BubblewrapEngine, find_bubblewrap

__all__ = ["BubblewrapEngine", "find_bubblewrap"]
