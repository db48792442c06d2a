"""Which scripts packages want to have run while they are linked (conda-build, "Link and unlink scripts"). Pure."""

from collections.abc import Iterable

EARLY = "-pre-link.sh"
"""How the scripts end that run before their package is linked: these are never run, only left out."""

_WHEN = ("pre-link", "post-link")
"""Those for unlinking have nothing to do in an image; what is in `etc/conda/activate.d` is no script of a package."""
_PROGRAMS = "python-scripts/"
"""What noarch Python packages have instead of `bin/`."""


def link_scripts(name: str, paths: Iterable[str]) -> tuple[str, ...]:
    """Those of a package's paths that are its scripts, in the order in which they run."""
    wanted = [f"bin/.{name}-{when}.sh" for when in _WHEN]
    found = {f"bin/{path.removeprefix(_PROGRAMS)}" if path.startswith(_PROGRAMS) else path for path in paths}
    return tuple(path for path in wanted if path in found)
