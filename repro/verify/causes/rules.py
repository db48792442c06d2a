"""The one list of rules. Its order decides between causes of equal confidence: the most specific comes first."""

from collections.abc import Callable, Iterator

from repro.verify.causes.blas import blas, blas_builds
from repro.verify.causes.clock import clock
from repro.verify.causes.conda import other_builds
from repro.verify.causes.digits import fewer_digits
from repro.verify.causes.files import changed_files, missing_file
from repro.verify.causes.gpu import gpu
from repro.verify.causes.hidden_state import hidden_state
from repro.verify.causes.image import other_base, other_image, other_layers
from repro.verify.causes.memory import memory_limit, shared_memory
from repro.verify.causes.network import network
from repro.verify.causes.numbers import dispatch, features
from repro.verify.causes.order import directory_order
from repro.verify.causes.packages import changed_packages, missing_package, modified_packages
from repro.verify.causes.python import python_build, python_version
from repro.verify.causes.randomness import unseeded
from repro.verify.causes.settings import hash_seed, locale, time_zone, variable_changed
from repro.verify.causes.situation import Situation
from repro.verify.causes.system import c_library, system_library
from repro.verify.causes.threads import threads
from repro.verify.causes.variables import missing_variable
from repro.verify.model import Cause

Rule = Callable[[Situation], Iterator[Cause]]

RULES: dict[Rule, tuple[str, ...]] = {
    changed_files: ("data-changed", "model-changed", "code-changed"),
    modified_packages: ("package-modified",),
    blas_builds: ("blas",),
    changed_packages: ("package-changed", "package-added", "package-removed"),
    python_version: ("python-version",),
    other_base: ("base-changed",),
    other_image: ("image-changed",),
    other_layers: ("image-changed",),
    missing_package: ("package-missing",),
    system_library: ("system-library",),
    shared_memory: ("shared-memory",),
    memory_limit: ("memory-limit",),
    unseeded: ("unseeded",),
    missing_variable: ("variable-missing",),
    network: ("network",),
    missing_file: ("file-missing",),
    locale: ("locale",),
    time_zone: ("time-zone",),
    fewer_digits: ("fewer-digits",),
    hidden_state: ("hidden-state",),
    hash_seed: ("hash-seed",),
    directory_order: ("directory-order",),
    blas: ("blas", "blas-kernel"),
    dispatch: ("cpu-dispatch",),
    threads: ("threads",),
    gpu: ("gpu",),
    variable_changed: ("variable-changed",),
    clock: ("clock",),
    other_builds: ("conda-build",),
    features: ("cpu-features",),
    python_build: ("python-build",),
    c_library: ("libc",),
}
"""Each rule with the names that its causes have."""
