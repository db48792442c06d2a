"""Which BLAS a package stands for, in the names that channels give."""

import pytest

from repro.conda.blas import blas_variant, concerns_blas


@pytest.mark.parametrize(
    ("name", "build", "variant"),
    [
        ("libblas", "22_linux64_openblas", "openblas"),
        ("libblas", "31_h59b9bed_openblas", "openblas"),
        ("libcblas", "22_osxarm64_accelerate", "accelerate"),
        ("liblapack", "20_linux64_mkl", "mkl"),
        ("libblas", "22_linux64_blis", "blis"),
        ("blas", "openblas", "openblas"),
        ("blas", "mkl", "mkl"),
        ("libopenblas", "pthreads_h413a1c8_0", "openblas"),
        ("mkl", "ha957f24_16", "mkl"),
        ("blis", "hd590300_2", "blis"),
        ("pytorch", "cpu_mkl_py311h8d7f5a1_103", "mkl"),
        ("numpy", "py311h64a7726_0", None),
        ("mkl-service", "py311h5eee18b_1", None),
        ("libblas", "", None),
    ],
)
def test_the_build_or_the_name_tells_the_variant(name: str, build: str, variant: str | None) -> None:
    assert blas_variant(name, build) == variant


def test_a_blas_of_a_build_that_says_nothing_is_one_all_the_same() -> None:
    assert concerns_blas("libblas", "")
    assert not concerns_blas("pandas", "py311h320fe9a_0")
