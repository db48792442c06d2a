"""Factor `mkl-dispatch`."""

from tests.proof.factors.scenes import AVX512, FEATURES, environments, library, reason, scene, swap

MKL = ((library("mkl", None),), (library("mkl", None),))


def test_the_code_paths_of_both_cpus_are_swapped() -> None:
    one = swap(scene(libraries=MKL, features=(FEATURES, (*FEATURES, *AVX512))), "mkl-dispatch")
    assert environments(one) == ({"MKL_CBWR": "AVX2"}, {"MKL_CBWR": "AVX512"})


def test_the_same_code_path_is_not_swapped() -> None:
    assert reason(scene(libraries=MKL), "mkl-dispatch") == "the same on both sides: AVX2"
