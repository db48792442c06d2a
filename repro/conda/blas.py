"""Which BLAS a conda package stands for, by its name and its build string. Pure."""

import re

KINDS = ("openblas", "mkl", "blis", "accelerate", "nvpl", "armpl", "netlib")
"""Variants that channels build, as build strings name them."""

_BRINGS = {"libopenblas": "openblas", "openblas": "openblas", "mkl": "mkl", "blis": "blis"}
"""Packages that bring the library itself, whatever their build is called."""
_FAMILY = frozenset({"libblas", "libcblas", "liblapack", "liblapacke", "blas", "blas-devel", *_BRINGS})
_PARTS = re.compile(r"[_.]")


def blas_variant(name: str, build: str) -> str | None:
    """`openblas` of `libblas=3.9.0=22_linux64_openblas`; None where neither name nor build tells.

    conda-forge and defaults name the variant in the build string of `blas`, `libblas`, `libcblas` and `liblapack`, and
    of packages compiled against one, such as PyTorch's `cpu_mkl_py311h…` (conda-forge, "Knowledge base: BLAS").
    """
    if name in _BRINGS:
        return _BRINGS[name]
    return next((part for part in _PARTS.split(build) if part in KINDS), None)


def brings_blas(name: str) -> str | None:
    """The BLAS whose library a package of this name brings, such as `openblas` of `libopenblas`; None for others."""
    return _BRINGS.get(name)


def concerns_blas(name: str, build: str) -> bool:
    """Whether a package is a BLAS, or compiled against a certain one."""
    return name in _FAMILY or blas_variant(name, build) is not None
