"""BLAS as conda-forge chooses it: the variant is in the build string of `libblas`, which numpy depends on."""

from collections.abc import Iterator, Sequence

from tests.conda_channel.package import CondaPackage, build_string

NUMBER = 37
VERSION = "3.9.0"
_LIBRARIES = {
    "openblas": ("libopenblas", "0.3.30", "pthreads_", ">=0.3.30,<1.0a0"),
    "mkl": ("mkl", "2025.3.0", "", ">=2025.3.0,<2026.0a0"),
    "blis": ("blis", "2.0", "", ">=2.0,<2.1.0a0"),
}
NUMPY_DEPENDS = ("libblas >=3.9.0,<4.0a0", "libcblas >=3.9.0,<4.0a0", "liblapack >=3.9.0,<4.0a0")
"""What numpy's builds ask of BLAS: any variant."""


def blas_packages(subdir: str = "linux-64", variants: Sequence[str] = tuple(_LIBRARIES)) -> Iterator[CondaPackage]:
    """For each variant its library, and the interfaces of that variant. They hold no files."""
    for variant in variants:
        name, version, start, wanted = _LIBRARIES[variant]
        yield CondaPackage(name, version, build_string(start, {"library": name, "subdir": subdir}), subdir)
        build = _build(variant, subdir)
        feature = {} if variant == "openblas" else {"track_features": f"blas_{variant}"}
        exact = f"{VERSION} {build}"
        constrains = [f"libcblas {exact}", f"liblapack {exact}", f"blas * {variant}"]
        yield _interface("libblas", build, subdir, [f"{name} {wanted}"], constrains, feature)
        for interface in ("libcblas", "liblapack"):
            yield _interface(interface, build, subdir, [f"libblas {exact}"], [f"blas * {variant}"], feature)


def _build(variant: str, subdir: str) -> str:
    start = build_string(f"{NUMBER}_", {"blas_impl": variant, "target_platform": subdir}).removesuffix("_0")
    return f"{start}_{variant}"


def _interface(
    name: str, build: str, subdir: str, depends: list[str], constrains: list[str], feature: dict[str, str]
) -> CondaPackage:
    return CondaPackage(name, VERSION, build, subdir, NUMBER, depends, constrains, further=feature)
