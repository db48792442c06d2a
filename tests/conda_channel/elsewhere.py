"""What the channel has for other platforms: records to solve with, of packages without files."""

from collections.abc import Iterator, Mapping, Sequence

from tests.conda_channel.blas import blas_packages
from tests.conda_channel.compiled import MINOR
from tests.conda_channel.interpreter import VERSION
from tests.conda_channel.package import CondaPackage, build_string

OTHER_PLATFORMS = ("linux-aarch64", "osx-arm64")
_TAG = MINOR.replace(".", "")
_SYSTEM = {"linux-aarch64": "libgcc >=14", "osx-arm64": "libcxx >=18", "linux-64": "__glibc >=2.28,<3.0.a0"}
_RUNTIME = {"linux-aarch64": ("libgcc", "14.3.0"), "osx-arm64": ("libcxx", "21.1.0")}


def packages_elsewhere(compiled: Mapping[str, CondaPackage]) -> Iterator[CondaPackage]:
    """For each platform: Python, the compiled projects of linux-64, BLAS, and the platform's own runtime."""
    for subdir in OTHER_PLATFORMS:
        name, version = _RUNTIME[subdir]
        yield _bare(name, version, subdir)
        yield _bare("libdemo", "1.2.0", subdir)
        yield _python(subdir)
        yield from blas_packages(subdir, ("openblas",))
        for package in compiled.values():
            depends = [text for text in package.depends if not text.startswith("__")]
            yield _bare(package.name, package.version, subdir, [*depends, _SYSTEM[subdir]], f"py{_TAG}")
    yield from _uneven()


def _python(subdir: str) -> CondaPackage:
    build = build_string("", {"python": VERSION, "target_platform": subdir}, suffix="_cpython")
    depends = ["libdemo >=1.2,<2.0a0", _SYSTEM[subdir]]
    return CondaPackage("python", VERSION, build, subdir, depends=depends)


def _uneven() -> Iterator[CondaPackage]:
    """What one platform has and another lacks, wholly or in this version."""
    yield _bare("metaldemo", "1.0", "osx-arm64")
    for version in ("2.0", "2.1"):
        yield _bare("unevendemo", version, "osx-arm64")
    for version in ("1.8", "2.0", "2.2"):
        yield _bare("unevendemo", version, "linux-64")


def _bare(name: str, version: str, subdir: str, depends: Sequence[str] = (), tag: str = "") -> CondaPackage:
    build = build_string(tag, {"name": name, "version": version, "target_platform": subdir})
    return CondaPackage(name, version, build, subdir, depends=sorted(depends))
