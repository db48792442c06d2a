"""Builders by name, from the entry-point group `repro.builders`."""

from importlib.metadata import EntryPoint, entry_points

from repro.errors import InfrastructureError, UsageError
from repro.plan import Assembler, Builder

GROUP = "repro.builders"


def builder_names() -> list[str]:
    """Names of all installed builders."""
    return sorted({point.name for point in _points()})


def find_builder(name: str) -> Builder | Assembler:
    """A builder by its name.

    Raises:
        UsageError: No such builder is installed.
        InfrastructureError: It is installed but can't be loaded.
    """
    for point in _points():
        if point.name == name:
            return _load(point)
    raise UsageError(
        f"there is no builder {name!r}",
        where="--builder",
        fix=f"Choose one of: {', '.join(builder_names()) or 'none is installed'}.",
    )


def _points() -> list[EntryPoint]:
    return list(entry_points(group=GROUP))


def _load(point: EntryPoint) -> Builder | Assembler:
    try:
        builder: Builder | Assembler = point.load()()
    except (ImportError, AttributeError) as error:
        raise InfrastructureError(
            f"the builder {point.name!r} can't be loaded: {error}",
            where=point.value,
            fix="Reinstall the package that provides it.",
        ) from error
    return builder
