"""The number of CPUs that counts is the process's own."""

import os
import subprocess
import sys

import pytest

from repro.cpus import usable_cpus


def test_there_is_at_least_one() -> None:
    assert 1 <= usable_cpus() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes can't be bound to CPUs here")
def test_one_that_may_use_one_cpu_has_one() -> None:
    code = (
        "import os; os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])\n"
        "from repro.cpus import usable_cpus; print(usable_cpus())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
