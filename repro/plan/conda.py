"""Which conda packages an image has, and where its Python is when that is one of them. Pure."""

from collections.abc import Iterable, Mapping
from itertools import takewhile
from pathlib import PurePosixPath

from repro.conda.records import PYTHON
from repro.conda.specs import required_name
from repro.lock import CondaPackage, Lock
from repro.plan import layout
from repro.plan.model import (
    BuildPlan,
    Compile,
    CondaLink,
    CondaScripts,
    Deb,
    Directory,
    InlineFile,
    Item,
    Layer,
    Link,
    Unpack,
    Wheel,
)
from repro.plan.versions import minor_version

SCRIPTS = "post-link"
"""Name of the layer with what scripts leave; that of no package's layer."""

_CIRCULAR = {(PYTHON, "pip")}
"""Some channels have Python depend on pip, which needs Python; conda takes no notice of that, either."""


def links(lock: Lock, target: str) -> list[CondaLink]:
    """Every conda package of a target, by name."""
    packages = sorted(of_target(lock.conda, target), key=lambda package: package.name)
    python = next((package for package in packages if package.name == PYTHON), None)
    folder = site_packages(python) if python else None
    return [CondaLink(package, folder) for package in packages]


def scripted(lock: Lock, target: str) -> tuple[CondaLink, ...]:
    """Those whose post-link scripts are run, in the order in which that is done: by dependencies, then by name."""
    found = {link.package.name: link for link in links(lock, target)}
    return tuple(found[name] for name in _by_dependency(found) if found[name].package.scripts == "run")


def _by_dependency(found: Mapping[str, CondaLink]) -> list[str]:
    """The names, each after those that it depends on; where these go round in a circle, it is opened somewhere."""
    done: dict[str, None] = {}
    todo = sorted(found, reverse=True)
    begun: set[str] = set()
    while todo:
        name = todo[-1]
        missing = [] if name in begun else _needs(found[name].package)
        begun.add(name)
        further = sorted((one for one in missing if one in found and one not in begun), reverse=True)
        if further:
            todo += further
        else:
            done.setdefault(todo.pop())
    return list(done)


def _needs(package: CondaPackage) -> list[str]:
    """Names of what a package depends on, itself and virtual packages perhaps among them."""
    names = map(required_name, package.depends)
    return [name for name in names if (package.name, name) not in _CIRCULAR]


def scripts_of(plan: BuildPlan) -> CondaScripts | None:
    """The scripts that are run for a plan, where there are any."""
    items = (item for layer in plan.layers if layer.name == SCRIPTS for item in layer.items)
    return next((item for item in items if isinstance(item, CondaScripts)), None)


def below_scripts(plan: BuildPlan) -> list[tuple[Layer, Item]]:
    """What is there when the scripts run, on the base: the environment without wheels, and what else is installed."""
    below = takewhile(lambda layer: layer.name != SCRIPTS, plan.layers)
    return [(layer, item) for layer in below for item in layer.items if _is_seen(item)]


def _is_seen(item: Item) -> bool:
    match item:
        case CondaLink() | Unpack() | Deb():
            return True
        case InlineFile(destination=place) | Link(destination=place) | Directory(destination=place):
            return place.is_relative_to(layout.ENVIRONMENT)
        case _:
            return False


def compiles_linked(plan: BuildPlan) -> bool:
    """Whether modules of the interpreter or of conda's packages are compiled from what these bring."""
    items = (item for layer in plan.layers for item in layer.items)
    return any(isinstance(item, Compile) and not isinstance(item.source, Wheel) for item in items)


def of_target(packages: Iterable[CondaPackage], target: str) -> list[CondaPackage]:
    """Those of one target."""
    return [package for package in packages if package.target == target]


def python_of(lock: Lock, target: str) -> CondaPackage | None:
    """The package that supplies the interpreter, where one does."""
    if lock.python.supply != "conda":
        return None
    return next((one for one in of_target(lock.conda, target) if one.name == PYTHON), None)


def site_packages(python: CondaPackage) -> str:
    """Where a conda Python looks for packages, relative to its prefix.

    Builds without the global interpreter lock (PEP 703) end in `_cp313t`, and have that `t` behind their version.
    """
    minor = minor_version(python.version)
    threads = "t" if python.build.endswith(f"cp{minor.replace('.', '')}t") else ""
    return f"lib/python{minor}{threads}/site-packages"


def python_path(python: CondaPackage) -> PurePosixPath:
    """Absolute path of a conda Python's program in the image."""
    minor = minor_version(python.version)
    return layout.ENVIRONMENT / "bin" / f"python{minor}"


def conda_python(plan: BuildPlan) -> CondaLink | None:
    """The conda package that is the plan's interpreter, where one is."""
    if not plan.python.is_relative_to(layout.ENVIRONMENT):
        return None
    items = (item for layer in plan.layers for item in layer.items)
    return next((item for item in items if isinstance(item, CondaLink) and item.package.name == PYTHON), None)
