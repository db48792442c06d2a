"""How many processes are worth starting. Standard library only: also runs inside images while they are built."""

import os


def usable_cpus() -> int:
    """The CPUs that this process may use, where the system tells; else those of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
