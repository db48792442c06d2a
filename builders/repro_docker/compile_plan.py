"""What the build context holds for layers of bytecode: the step's manifest and the modules that it uses. Pure."""

import json
from collections.abc import Iterator
from importlib import resources
from typing import Any

from repro.conda.meta import record_name
from repro.plan import BuildPlan, Compile, CondaLink, Layer, Wheel, layout
from repro.plan.bytecode import module_roots
from repro.plan.versions import minor_version
from repro_docker.compile_modules import PARTS
from repro_docker.layout import INSTALL, LAID_OUT, wheel_path

STEP = f"{INSTALL}/compile_modules.py"
STEP_MANIFEST = f"{INSTALL}/bytecode.json"

_MODULES = {
    "repro": ("cpus.py",),
    "repro.plan": ("compile_client.py", "compile_worker.py", "module_files.py"),
    "repro_docker": ("install_wheels.py",),
}


def compiles(layer: Layer) -> bool:
    """Whether the layer holds bytecode."""
    return any(isinstance(item, Compile) for item in layer.items)


def compile_files(plan: BuildPlan) -> Iterator[tuple[str, bytes]]:
    """Path in the context, and content, of what the step needs; nothing where nothing is compiled."""
    if not any(compiles(layer) for layer in plan.layers):
        return
    yield STEP, _source("repro_docker", "compile_modules.py")
    yield STEP_MANIFEST, _manifest(plan)
    for package, names in _MODULES.items():
        folder = package.replace(".", "/")
        yield from ((f"{INSTALL}/{PARTS}/{folder}/{name}", _source(package, name)) for name in names)


def _source(package: str, name: str) -> bytes:
    return resources.files(package).joinpath(name).read_bytes().replace(b"\r\n", b"\n")


def _manifest(plan: BuildPlan) -> bytes:
    layers = [
        {"name": layer.name, "items": [_item(item, plan) for item in layer.items if isinstance(item, Compile)]}
        for layer in plan.layers
        if compiles(layer)
    ]
    return json.dumps({"layers": layers}, indent=1, sort_keys=True).encode() + b"\n"


def _item(item: Compile, plan: BuildPlan) -> dict[str, Any]:
    source = item.source
    wheel, record, folder, label = None, None, "", "the standard library"
    if isinstance(source, Wheel):
        layer = next(layer for layer in plan.layers if source in layer.items)
        wheel, folder, label = wheel_path(layer, source), f"{LAID_OUT}/{layer.name}", source.package
    if isinstance(source, CondaLink):
        record, label = f"{layout.ENVIRONMENT}/{record_name(source.package)}", source.package.name
    roots = module_roots(item, minor_version(plan.python_version))
    return {
        "label": label,
        "wheel": wheel,
        "record": record,
        "prefix": str(layout.ENVIRONMENT),
        "folder": folder,
        "roots": roots,
        "modules": item.modules,
    }
