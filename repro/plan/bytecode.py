"""Which modules of a `Compile` item get bytecode. Pure; how that is made is `compile_worker`'s affair."""

from collections.abc import Iterable

from repro.conda.records import PYTHON
from repro.plan import layout
from repro.plan.model import Compile, CondaLink, Unpack
from repro.plan.module_files import chosen_sources


def compiled_sources(paths: Iterable[str], item: Compile, minor: str) -> list[str]:
    """The sources that are compiled, sorted.

    Args:
        paths: Absolute paths, in the image, of the files that the item's source brings.
        item: Says which of them.
        minor: `3.11`, of the image's Python.
    """
    return chosen_sources(paths, module_roots(item, minor), item.modules)


def module_roots(item: Compile, minor: str) -> tuple[str, ...]:
    """The entries of sys.path that the item's source fills, absolute."""
    if isinstance(item.source, CondaLink):
        return _conda_roots(item.source, minor)
    if isinstance(item.source, Unpack):
        return tuple(f"{layout.PYTHON}/{library}/python{minor}" for library in ("lib", "lib64"))
    if item.source.prefix == layout.ENVIRONMENT:
        return (f"{layout.ENVIRONMENT}/lib/python{minor}/site-packages",)
    return (str(item.source.prefix),)


def _conda_roots(link: CondaLink, minor: str) -> tuple[str, ...]:
    """The package that is Python itself brings the standard library, the others what is beside it."""
    folder = link.site_packages or f"lib/python{minor}/site-packages"
    root = f"{layout.ENVIRONMENT}/{folder}"
    return (root.rpartition("/")[0],) if link.package.name == PYTHON else (root,)


def cache_tag(version: str) -> str:
    """`sys.implementation.cache_tag` of CPython X.Y.Z (PEP 3147): `cpython-311`."""
    return "cpython-" + "".join(version.split(".")[:2])
