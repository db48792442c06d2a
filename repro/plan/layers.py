"""Which layers an image has, in which order, and what each holds. Pure."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from repro.conda.environment import META
from repro.lock import Lock, LockedFile, Package, Role, SystemPackage
from repro.plan import conda, layout
from repro.plan.model import (
    Compile,
    CondaLink,
    CondaScripts,
    Content,
    Deb,
    Directory,
    InlineFile,
    Item,
    Layer,
    Link,
    ProjectFile,
    Unpack,
    Wheel,
)
from repro.plan.versions import minor_version

LARGE = 3 << 20
"""Packages of at least this many bytes (about 8 MB installed) get a layer of their own, the largest first …"""
MOST_LARGE = 24
"""… but no more than this many; the rest share `BUCKETS` layers of each kind."""
BUCKETS = 8
LIBRARY = "python"
"""Key of the standard library's modules in `Lock.modules`."""
INSTALLER = "installer"
"""The runner package that builders use to install the others; it stays out of the image."""


def interpreter(lock: Lock, target: str) -> list[Layer]:
    """The packed interpreter or conda's, where there is one."""
    comment = f"Python {lock.python.version} as on the laptop"
    python = conda.python_of(lock, target)
    if python is not None:
        return [Layer("interpreter", comment, (CondaLink(python, conda.site_packages(python)),))]
    packed = lock.python.packed
    if packed is None:
        return []
    content = Content(packed.sha256, packed.size, packed.name)
    return [Layer("interpreter", comment, (Unpack(content),))]


def system(packages: Iterable[SystemPackage], target: str) -> list[Layer]:
    """Debian packages in one layer, because they share a package database, alternatives and the loader's cache."""
    chosen = sorted((one for one in packages if one.target == target), key=lambda one: one.name)
    if not chosen:
        return []
    comment = " ".join(f"{one.name} {one.version}" for one in chosen)
    return [Layer("system", comment, tuple(Deb(package) for package in chosen))]


def environment(lock: Lock, python: PurePosixPath) -> Layer:
    """The empty environment, and the places that runs write to."""
    items: list[Item] = [
        *(() if lock.python.supply == "conda" else _virtual_environment(lock, python)),
        *((InlineFile(b"", layout.ENVIRONMENT / META / "history"),) if lock.conda else ()),
        Directory(layout.WORK, 0o1777),
        Directory(layout.OUT, 0o1777),
    ]
    if lock.subject.root is not None:
        items.append(Link(PurePosixPath(lock.subject.root), str(layout.WORK)))
    return Layer("environment", "the empty environment", tuple(items))


def _virtual_environment(lock: Lock, python: PurePosixPath) -> tuple[Item, ...]:
    """A virtual environment (PEP 405) without anything in it."""
    minor = minor_version(lock.python.version)
    settings = f"home = {python.parent}\ninclude-system-site-packages = false\nversion = {lock.python.version}\n"
    bin_dir = layout.ENVIRONMENT / "bin"
    return (
        InlineFile(settings.encode(), layout.ENVIRONMENT / "pyvenv.cfg"),
        Link(bin_dir / "python", str(python)),
        Link(bin_dir / "python3", "python"),
        Link(bin_dir / f"python{minor}", "python"),
        Directory(layout.ENVIRONMENT / "lib" / f"python{minor}" / "site-packages"),
    )


def packages(lock: Lock, target: str) -> list[Layer]:
    """Conda's packages, then wheels; large ones alone, the others in buckets: a changed package rewrites one layer."""
    linked = [link for link in conda.links(lock, target) if link.package != conda.python_of(lock, target)]
    wheels = [wheel for package in lock.packages for wheel in wheels_of(package, target, layout.ENVIRONMENT)]
    both: list[CondaLink | Wheel] = [*linked, *wheels]
    large = sorted((item for item in both if _size(item) >= LARGE), key=lambda item: (-_size(item), _order(item)))
    alone = large[:MOST_LARGE]
    return [*_grouped("conda", linked, alone), *scripts(lock, target), *_grouped("wheel", wheels, alone)]


def scripts(lock: Lock, target: str) -> list[Layer]:
    """What post-link scripts leave that are run: in a layer of its own, over the packages of conda and below wheels."""
    links = conda.scripted(lock, target)
    if not links:
        return []
    comment = f"what post-link scripts leave of {' '.join(link.package.label for link in links)}"
    return [Layer(conda.SCRIPTS, comment, (CondaScripts(links),))]


def _grouped(kind: str, items: Iterable[CondaLink | Wheel], alone: Collection[CondaLink | Wheel]) -> Iterator[Layer]:
    """The layers of one kind."""
    shared: defaultdict[int, list[CondaLink | Wheel]] = defaultdict(list)
    for item in sorted(items, key=_order):
        if item in alone:
            yield Layer(f"{kind}-{_order(item)[0]}", _comment([item]), (item,))
        else:
            shared[_bucket(_order(item)[0])].append(item)
    for number in sorted(shared):
        yield Layer(f"{kind}s-{number}", _comment(shared[number]), tuple(shared[number]))


def _comment(items: Iterable[CondaLink | Wheel]) -> str:
    return " ".join(
        item.package.label if isinstance(item, CondaLink) else f"{item.package} {item.version}" for item in items
    )


def _size(item: CondaLink | Wheel) -> int:
    """Bytes of the archive."""
    return item.package.size if isinstance(item, CondaLink) else item.file.size


def _order(item: CondaLink | Wheel) -> tuple[str, str]:
    """Its name; what comes behind that tells a wheel and a conda package of one name apart."""
    return (item.package.name, "conda") if isinstance(item, CondaLink) else (item.package, "wheel")


def wheels_of(package: Package, target: str, prefix: PurePosixPath) -> list[Wheel]:
    """The package's wheels for a target."""
    return [
        Wheel(package.name, package.version, file, prefix, package.requested)
        for file in package.files
        if target in file.targets
    ]


def _bucket(name: str) -> int:
    """Rendezvous hashing (Thaler and Ravishankar, 1996): a package stays in its bucket whatever else is installed."""
    weights = [hashlib.sha256(f"{number}/{name}".encode()).digest() for number in range(BUCKETS)]
    return weights.index(max(weights))


def runner(lock: Lock, sources: Mapping[str, bytes], target: str) -> Layer:
    """The runner's own source and the packages that it needs, apart from the environment."""
    needed = [
        wheel
        for package in lock.runner.packages
        if package.name != INSTALLER
        for wheel in wheels_of(package, target, layout.RUNNER_PACKAGES)
    ]
    home = layout.RUNNER / "repro_runner"
    files = [InlineFile(data, home / path) for path, data in sorted(sources.items())]
    return Layer("runner", f"the runner of repro {lock.runner.version}", (*needed, *files))


def bytecode(lock: Lock, target: str) -> list[Layer]:
    """Compiled modules in a layer of their own: what they are made from keeps its layer whatever gets compiled."""
    items = list(_bytecode(lock, target)) if _compiles(lock, target) else []
    return [Layer("bytecode", "compiled modules", tuple(items))] if items else []


def _compiles(lock: Lock, target: str) -> bool:
    image = lock.image
    return image.bytecode != "none" and (image.compiled is None or target in image.compiled)


def _bytecode(lock: Lock, target: str) -> Iterator[Compile]:
    """The standard library's, where it is the packed one or conda's (a base's own is its affair), then packages'."""
    python = conda.python_of(lock, target)
    for layer in interpreter(lock, target):
        yield from (
            Compile(item, modules)
            for item in layer.items
            if isinstance(item, Unpack | CondaLink) and (modules := _modules(lock, LIBRARY)) != ()
        )
    for link in conda.links(lock, target):
        if link.package != python and (modules := _modules(lock, f"conda:{link.package.name}")) != ():
            yield Compile(link, modules)
    for package in sorted(lock.packages, key=lambda package: package.name):
        if (modules := _modules(lock, package.name)) != ():
            for wheel in wheels_of(package, target, layout.ENVIRONMENT):
                yield Compile(wheel, modules)


def _modules(lock: Lock, key: str) -> tuple[str, ...] | None:
    """Which of a package's modules are compiled; None for all."""
    return lock.modules.get(key, ()) if lock.image.bytecode == "used" else None


def runner_bytecode(lock: Lock, target: str) -> list[Layer]:
    """Every module of the runner's own packages: the same few in every image."""
    if not _compiles(lock, target):
        return []
    packages = sorted(lock.runner.packages, key=lambda package: package.name)
    wheels = [
        wheel
        for package in packages
        if package.name != INSTALLER
        for wheel in wheels_of(package, target, layout.RUNNER_PACKAGES)
    ]
    items = tuple(Compile(wheel, None) for wheel in wheels)
    return [Layer("runner-bytecode", "compiled modules of the runner's packages", items)] if items else []


_LAYER_OF: dict[Role, str] = {"data": "data", "model": "model", "code": "code", "notebook": "code", "config": "code"}


def project(files: Iterable[LockedFile]) -> list[Layer]:
    """Data, model and code, each in a layer of its own; without what is mounted."""
    layers: defaultdict[str, list[LockedFile]] = defaultdict(list)
    for file in baked(files):
        layers[_LAYER_OF[file.role]].append(file)
    comments = {"data": "data", "model": "the model", "code": "code, notebooks and configuration"}
    return [
        Layer(name, comment, tuple(_project_file(file) for file in sorted(layers[name], key=lambda file: file.path)))
        for name, comment in comments.items()
        if layers[name]
    ]


def baked(files: Iterable[LockedFile]) -> list[LockedFile]:
    """Those that are in the image."""
    return [file for file in files if not file.mount]


def mounted(files: Iterable[LockedFile]) -> list[LockedFile]:
    """Those that stay out of it, and are brought by whoever runs it."""
    return [file for file in files if file.mount]


def _project_file(file: LockedFile) -> ProjectFile:
    content = Content(file.sha256, file.size, file.path)
    return ProjectFile(content, layout.PROJECT / file.path, 0o755 if file.executable else 0o644)
