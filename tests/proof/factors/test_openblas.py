"""Factor `blas-kernel`."""

from tests.proof.factors.scenes import AVX512, FEATURES, environments, library, reason, scene, swap


def test_two_kernels_are_swapped() -> None:
    kernels = ((library(kernel="Nehalem"),), (library(kernel="Haswell"),))
    one = swap(scene(libraries=kernels), "blas-kernel")
    assert environments(one) == ({"OPENBLAS_CORETYPE": "Nehalem"}, {"OPENBLAS_CORETYPE": "Haswell"})
    assert "OPENBLAS_CORETYPE=Nehalem" in one.fix


def test_a_kernel_that_this_cpu_cannot_run_is_not_tried() -> None:
    kernels = ((library(kernel="SkylakeX"),), (library(kernel="Haswell"),))
    told = reason(scene(libraries=kernels, features=((*FEATURES, *AVX512), FEATURES)), "blas-kernel")
    assert told == "SkylakeX on the laptop, Haswell here: this CPU has no avx512f, which it needs"


def test_the_variable_alone_is_not_swapped_a_second_time() -> None:
    kernels = ((library(kernel="Nehalem"),), (library(kernel="Haswell"),))
    swap(scene(libraries=kernels, laptop={"$OPENBLAS_CORETYPE": "Nehalem"}), "blas-kernel")


def test_the_same_kernel_is_not_swapped() -> None:
    kernels = ((library(),), (library(),))
    assert reason(scene(libraries=kernels), "blas-kernel") == "the same on both sides: Haswell"
