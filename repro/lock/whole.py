"""What no single table of a lock can tell: names that come twice, and what refers to something that isn't there."""

from collections.abc import Iterable, Iterator

from repro.lock.compared import cell_number
from repro.lock.model import Lock, PredictedImage, SystemPackage
from repro.lock.table import Table

_SUBDIRS = {"linux/amd64": "linux-64", "linux/arm64": "linux-aarch64"}


def check_whole(root: Table, lock: Lock) -> None:
    """Record every such fault in `root`."""
    _check_distinct(root, "files", "path", (file.path for file in lock.files))
    _check_distinct(root, "metrics", "name", (metric.name for metric in lock.metrics))
    _check_compared(root, lock)
    _check_packages(root, lock)
    _check_system(root, lock)
    _check_conda(root, lock)
    _check_modules(root, lock)
    _check_profiles(root, lock)
    _check_target(root, "image.compiled", lock.image.compiled or (), lock)
    _check_distinct(root, "predicted", "target", (image.target for image in lock.predicted))
    for number, image in enumerate(lock.predicted):
        _check_target(root, f"predicted[{number}].target", [image.target], lock)
        _check_predicted(root, f"predicted[{number}]", image)


def _check_compared(root: Table, lock: Lock) -> None:
    _check_distinct(root, "compared-outputs", "path", (output.path for output in lock.compared))
    for number, output in enumerate(lock.compared):
        if output.path not in lock.outputs and cell_number(output.path) is None:
            root.fault(f"compared-outputs[{number}].path", f"is not among the outputs: {output.path!r}")


def _check_packages(root: Table, lock: Lock) -> None:
    for key, packages in (("packages", lock.packages), ("runner.packages", lock.runner.packages)):
        _check_distinct(root, key, "name", (package.name for package in packages))
        for number, package in enumerate(packages):
            for index, file in enumerate(package.files):
                place = f"{key}[{number}].files[{index}].targets"
                _check_target(root, place, file.targets, lock)
                earlier = {target for other in package.files[:index] for target in other.targets}
                for target in sorted(earlier.intersection(file.targets)):
                    root.fault(place, f"another file of {package.name} is for {target} already")


def _check_system(root: Table, lock: Lock) -> None:
    for target in lock.targets:
        _check_distinct(root, "system", "name", (one.name if one.target == target else "" for one in lock.system))
    for number, package in enumerate(lock.system):
        _check_target(root, f"system[{number}].target", [package.target], lock)
        _check_architecture(root, f"system[{number}].architecture", package)


def _check_architecture(root: Table, place: str, package: SystemPackage) -> None:
    if f"linux/{package.architecture}" != package.target and package.architecture != "all":
        root.fault(place, f"{package.architecture} is not for {package.target}")


def _check_conda(root: Table, lock: Lock) -> None:
    for target in lock.targets:
        _check_distinct(root, "conda", "name", (one.name if one.target == target else "" for one in lock.conda))
        if lock.python.supply == "conda" and not any(one == ("python", target) for one in _conda_names(lock)):
            root.fault("python.supply", f"there is no conda package python for {target}")
    for number, package in enumerate(lock.conda):
        _check_target(root, f"conda[{number}].target", [package.target], lock)
        if package.subdir not in {"noarch", _SUBDIRS.get(package.target)}:
            root.fault(f"conda[{number}].subdir", f"{package.subdir} is not for {package.target}")
        _check_distinct(root, f"conda[{number}].patched", "path", (one.path for one in package.patched))


def _conda_names(lock: Lock) -> Iterator[tuple[str, str]]:
    return ((package.name, package.target) for package in lock.conda)


def _check_modules(root: Table, lock: Lock) -> None:
    conda = {f"conda:{package.name}" for package in lock.conda}
    known = {"python", *conda, *(package.name for package in lock.packages)}
    for name in lock.modules:
        if name not in known:
            root.fault(f"modules.{name}", "the lock has no such package")


def _check_profiles(root: Table, lock: Lock) -> None:
    profiles = lock.evidence.profiles
    _check_distinct(root, "profiles", "path", (profile.path for profile in profiles))
    known = {file.path for file in lock.files}
    for number, profile in enumerate(profiles):
        if profile.path not in known:
            root.fault(f"profiles[{number}].path", f"the lock has no such file: {profile.path!r}")


def _check_predicted(root: Table, place: str, image: PredictedImage) -> None:
    _check_distinct(root, f"{place}.layers", "name", (layer.name for layer in image.layers))
    for number, layer in enumerate(image.layers):
        if (layer.blob is None) != (layer.size is None):
            root.fault(f"{place}.layers[{number}]", "must have both blob and size, or neither")
    if (image.manifest is None) != any(layer.blob is None for layer in image.layers):
        root.fault(f"{place}.manifest", "must be there exactly when every layer has a blob")


def _check_target(root: Table, place: str, targets: Iterable[str], lock: Lock) -> None:
    others = sorted(set(targets) - {*lock.targets, ""})
    if others:
        root.fault(place, f"the lock is not for {', '.join(others)}")


def _check_distinct(root: Table, key: str, field: str, values: Iterable[str]) -> None:
    seen: set[str] = set()
    for index, value in enumerate(values):
        if value in seen and value:
            root.fault(f"{key}[{index}].{field}", f"comes twice: {value!r}")
        seen.add(value)
