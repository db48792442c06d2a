"""Factor `threads`."""

from repro.plan.evaluation import THREAD_VARIABLES
from tests.proof.factors.scenes import environments, library, reason, scene, swap


def test_two_sizes_of_pools_are_swapped_with_the_cpus() -> None:
    pools = ((library(threads=8),), (library(threads=2),))
    there, here = environments(swap(scene(libraries=pools, cpus=(16, 2)), "threads"))
    assert set(there) == set(here) == {*THREAD_VARIABLES, "LOKY_MAX_CPU_COUNT", "PYTHON_CPU_COUNT"}
    assert (there["OMP_NUM_THREADS"], here["OMP_NUM_THREADS"]) == ("8", "2")
    assert (there["LOKY_MAX_CPU_COUNT"], here["PYTHON_CPU_COUNT"]) == ("16", "2")


def test_other_cpus_leave_pools_at_the_size_that_the_lock_has() -> None:
    there, here = environments(swap(scene(cpus=(16, 2)), "threads"))
    assert there["OMP_NUM_THREADS"] == here["OMP_NUM_THREADS"] == "1"
    assert (there["LOKY_MAX_CPU_COUNT"], here["LOKY_MAX_CPU_COUNT"]) == ("16", "2")


def test_the_same_number_is_not_swapped() -> None:
    assert reason(scene(), "threads") == "the same on both sides: 1"
