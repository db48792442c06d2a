"""How much of what a container left is ever looked at: whoever made it may mean harm."""

from contextlib import suppress

MOST_BYTES = 64 << 20
"""Of a file whose content is compared, and of one that is kept beside the lock."""
MOST_CELLS = 4_000_000
"""Of a table."""
MOST_COLUMNS = 10_000
MOST_ELEMENTS = 16_000_000
"""Of all arrays in a file."""
MOST_PIXELS = 50_000_000
SECONDS = 120.0
"""For comparing one file."""
MEMORY = 4 << 30
"""Bytes of address space of the process that does."""


def confine() -> None:
    """Hold this process to `MEMORY` and `SECONDS`, where the system can; and no core of it is written."""
    try:
        import resource  # noqa: PLC0415 - Windows has none
    except ImportError:
        return
    limits = ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, int(SECONDS)), (resource.RLIMIT_CORE, 0))
    for name, most in limits:
        with suppress(OSError, ValueError):  # a lower limit is set already, or macOS, which has no RLIMIT_AS
            resource.setrlimit(name, (most, most))
