"""The one list of factors that an experiment can swap. Adding one is a file, a line here, and a test."""

from collections.abc import Callable

from repro.proof.factors.blas import blas_library
from repro.proof.factors.clock import clock
from repro.proof.factors.hash_seed import hash_seed
from repro.proof.factors.locale import locale
from repro.proof.factors.mkl import mkl_dispatch
from repro.proof.factors.model import Found, Scene
from repro.proof.factors.numpy_simd import numpy_simd
from repro.proof.factors.openblas import openblas_kernel
from repro.proof.factors.order import directory_order
from repro.proof.factors.threads import threads
from repro.proof.factors.time_zone import time_zone
from repro.proof.factors.torch_dispatch import torch_dispatch
from repro.proof.factors.variables import steering_variables

FACTORS: tuple[Callable[[Scene], Found], ...] = (
    hash_seed,
    time_zone,
    locale,
    blas_library,
    openblas_kernel,
    numpy_simd,
    mkl_dispatch,
    torch_dispatch,
    steering_variables,
    threads,
    directory_order,
    clock,
)
