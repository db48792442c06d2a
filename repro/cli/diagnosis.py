"""The checks of `repro doctor`: each looks at one thing and never raises."""

import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.request import getproxies

from repro import __version__
from repro.capture.base import LABEL_PYTHON, OFFICIAL
from repro.capture.environments import EnvironmentCandidate, Rank, candidate_environments
from repro.capture.interpreters import identity
from repro.capture.kernels import KernelEntry, list_kernels
from repro.capture.packages.index import IndexClient
from repro.capture.packages.settings import load_settings
from repro.capture.readiness import no_kernel_error, readiness
from repro.cli.locks import NAME, nearest_lock
from repro.engines.model import Engine, ImageInfo
from repro.engines.select import BUBBLEWRAP, advice_for, find_engine, probe_engines
from repro.errors import InfrastructureError, ReproError, UsageError
from repro.http import session
from repro.lock import load_lock
from repro.plan import layout
from repro.progress import Progress
from repro.registry import Registry, parse_name
from repro.report.doctor import Check
from repro.report.style import human_size
from repro.store import artifact_cache
from repro.store.cache import cache_directory, usable_cache
from repro.transfer.base import is_base_kept
from repro.urls import redact
from repro.words import count

_NEEDED_BYTES = 1 << 29
_COMFORT_BYTES = 5 << 30
_PROBED = ("pip", "25.0")
"""A release that every mirror of PyPI has."""


@dataclass(frozen=True, slots=True)
class _Probe:
    name: str
    look: Callable[[], Check]


def diagnose(project: Path, progress: Progress) -> list[Check]:
    """Look at everything that capture, build and verify need, from this directory."""
    probes = (
        _Probe("repro", _repro),
        _Probe("engine", _engine),
        _Probe("base image", lambda: _base(project)),
        _Probe("index", lambda: _index(project)),
        _Probe("certificates", _certificates),
        _Probe("proxies", _proxies),
        _Probe("disk", lambda: _disk(project)),
        _Probe("cache", _cache),
        _Probe("kernels", lambda: _kernels(project)),
    )
    task = progress.start("Looking around", len(probes), "checks")
    checks = []
    for probe in probes:
        task.advance(0, probe.name)
        checks.append(_checked(probe))
        task.advance(1)
    task.finish()
    return checks


def _checked(probe: _Probe) -> Check:
    try:
        return probe.look()
    except ReproError as error:
        place = f"{error.where}: " if error.where else ""
        return Check(probe.name, "fail", place + error.what, error.fix, error.problems)
    except OSError as error:
        return Check(probe.name, "fail", str(error))


def _repro() -> Check:
    return Check("repro", "ok", f"{__version__} on Python {platform.python_version()}, {platform.platform()}")


def _engine() -> Check:
    attempts = probe_engines()
    tried = tuple(str(attempt) for attempt in attempts)
    found = next((attempt.engine for attempt in attempts if attempt.engine), None)
    if found is None:
        return Check("engine", "fail", "no container engine answers", advice_for(attempts), tried)
    described = (
        f"{found.name} {found.version}, {found.source} ({found.endpoint}), {found.platform}, {found.storage}, "
        f"{count(found.cpus, 'CPU')}, {human_size(found.memory)}"
    )
    if found.name == BUBBLEWRAP:
        return Check("engine", "ok", described, details=tried)
    others = tuple(str(attempt) for attempt in attempts if attempt.source == BUBBLEWRAP)
    return Check("engine", "ok", described, details=others)


def _base(project: Path) -> Check:
    """A labelled image of the engine, else the lock's in the cache, else the official one in its registry."""
    local, architecture = _labelled_images()
    if local:
        names = ", ".join(image.tags[0] for image in local if image.tags)
        versions = ", ".join(sorted({image.labels[LABEL_PYTHON] for image in local}))
        return Check("base image", "ok", f"{names} in the engine, with Python {versions}")
    kept = _kept_base(project)
    if kept is not None:
        return Check("base image", "ok", f"{kept}, which {NAME} names, is in the cache")
    name = OFFICIAL.format(version=platform.python_version())
    try:
        found = Registry().resolve(parse_name(name), architecture)
    except InfrastructureError as error:
        fix = "Make one with scripts/make-base in repro's repository, or name one in repro.toml: [base] image."
        return Check("base image", "fail", f"none in the engine, and {error.what}", fix)
    return Check("base image", "ok", f"{found.name} can be had from its registry")


def _kept_base(project: Path) -> str | None:
    """The base of the project's lock, when the cache has it for every platform of the lock."""
    path = nearest_lock(project)
    try:
        lock = None if path is None else load_lock(path)[0]
    except ReproError:  # whoever needs the lock is told what is wrong with it
        return None
    if lock is None or not all(is_base_kept(lock.base, target, artifact_cache()) for target in lock.targets):
        return None
    return lock.base.reference


def _labelled_images() -> tuple[list[ImageInfo], str]:
    try:
        engine: Engine = find_engine()
        images = engine.images_with_label(LABEL_PYTHON)
        return [image for image in images if layout.LABEL_LOCK not in image.labels], engine.info().platform
    except InfrastructureError:
        return [], "linux/amd64"


def _index(project: Path) -> Check:
    settings = load_settings(directory=project)
    with tempfile.TemporaryDirectory(prefix="repro-doctor-") as pages:
        files = IndexClient(settings, pages=Path(pages)).files(*_PROBED)
    if not files and settings.indexes:
        fix = "If it is a private index without public packages, all is well; else check its URL."
        return Check("index", "warn", f"{settings} answers, but doesn't know {_PROBED[0]} {_PROBED[1]}", fix)
    return Check("index", "ok", f"{settings} answers")


def _certificates() -> Check:
    return Check("certificates", "ok", f"those of {session().trust}")


def _proxies() -> Check:
    proxies = {name: redact(url) for name, url in sorted(getproxies().items())}
    shown = ", ".join(f"{name}={url}" for name, url in proxies.items())
    return Check("proxies", "ok", shown or "none")


def _disk(project: Path) -> Check:
    places = {"project": project, "cache": _existing(cache_directory()), "temporary files": Path(tempfile.gettempdir())}
    free = {name: shutil.disk_usage(path).free for name, path in places.items()}
    message = ", ".join(f"{human_size(size)} free for {name}" for name, size in free.items())
    least = min(free.values())
    if least < _NEEDED_BYTES:
        return Check("disk", "fail", message, "Free some space.")
    if least < _COMFORT_BYTES:
        return Check("disk", "warn", message, "Large environments need more: several GB for each image.")
    return Check("disk", "ok", message)


def _cache() -> Check:
    path = usable_cache()
    if not os.access(_existing(path), os.W_OK):
        return Check("cache", "fail", f"{path} can't be written", "Name another place with REPRO_CACHE_DIR.")
    return Check("cache", "ok", str(path))


def _existing(path: Path) -> Path:
    """The path itself or the nearest parent that is there."""
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _kernels(project: Path) -> Check:
    entries = list_kernels(project, project, os.environ)
    usable = [entry for entry in entries if entry.problem is None and entry.language.lower() == "python"]
    environments = candidate_environments(project, project, os.environ)
    faults = {id(entry): _unready(entry, environments, project) for entry in usable}
    listed = tuple(_line(entry, faults.get(id(entry))) for entry in entries)
    ready = [entry for entry in usable if faults[id(entry)] is None]
    refused = [
        fault for entry in usable if (fault := faults[id(entry)]) and (not ready or _is_own(entry, environments))
    ]
    if refused:
        return Check("kernels", "warn", refused[0].what, refused[0].fix, listed)
    if not usable:
        fix = "Install ipykernel in the environment of your notebook, or name it when you capture: --python PATH."
        return Check("kernels", "warn", "no Python kernel or environment was found from here", fix, listed)
    return Check("kernels", "ok", f"{count(len(ready), 'way')} to run Python from here", details=listed)


def _unready(entry: KernelEntry, environments: list[EnvironmentCandidate], project: Path) -> ReproError | None:
    """Why capture would refuse to run a notebook there, or None."""
    python = entry.python
    if python is None:
        return None  # the python on PATH: which one it is depends on the moment
    try:
        state = readiness(python, cwd=project, env=os.environ)
    except (InfrastructureError, UsageError) as error:
        return error
    if state.kernel_fault is None:
        return None
    tools = [one.tool for one in environments if one.problem is None and identity(one.python) == identity(python)]
    return no_kernel_error(python, entry.display_name, state, tools[0] if tools else None, str(entry.where))


def _is_own(entry: KernelEntry, environments: list[EnvironmentCandidate]) -> bool:
    """Whether it is an environment of this project, which capture prefers to any other."""
    own = [identity(one.python) for one in environments if one.rank is Rank.PROJECT and one.problem is None]
    return entry.name is None and entry.python is not None and identity(entry.python) in own


def _line(entry: KernelEntry, fault: ReproError | None) -> str:
    return f"{entry}: {fault.what}" if fault else str(entry)
