"""Names of things in the build context, shared by the Dockerfile and what is streamed beside it."""

import json

from repro.plan import BuildPlan, Compile, InlineFile, Layer, Unpack, Wheel, layout
from repro.plan.model import Content

DOCKERFILE = "Dockerfile"
INSTALL = "install"
SCRIPT = f"{INSTALL}/install_wheels.py"
MANIFEST = f"{INSTALL}/plan.json"
WHEELS = "wheels"
FILES = "layers"
UNPACK = "unpack"
STAGE = "install"
INTERPRETER = "interpreter"
"""Name of the layer with an interpreter that isn't the base's."""
LAID_OUT = "/layers"
"""Where the install stage lays out what it makes, a directory a layer."""


def wheels_of(layer: Layer) -> list[Wheel]:
    """The layer's wheels."""
    return [item for item in layer.items if isinstance(item, Wheel)]


def has_files(layer: Layer) -> bool:
    """Whether the layer holds anything that comes as it is, from the context's `layers/<name>/`."""
    return any(not isinstance(item, Wheel | Unpack | Compile) for item in layer.items)


def archives_of(layer: Layer) -> list[Content]:
    """The tars that the layer unpacks."""
    return [item.content for item in layer.items if isinstance(item, Unpack)]


def archive_path(content: Content) -> str:
    """Where a tar lies in the context: by content, since its label is meant for people."""
    return f"{UNPACK}/{content.sha256.hex}.tar"


def wheel_path(layer: Layer, wheel: Wheel) -> str:
    """Where a wheel lies in the context."""
    return f"{WHEELS}/{layer.name}/{wheel.file.name}"


def expected_python(plan: BuildPlan) -> str:
    """The version that the image's interpreter must report: the base's own where another patch version was allowed."""
    packed = any(archives_of(layer) for layer in plan.layers if layer.name == INTERPRETER)
    return plan.python_version if packed or plan.base.python is None else plan.base.python


def manifest(plan: BuildPlan) -> bytes:
    """What `install_wheels.py` is told."""
    layers = [
        {
            "name": layer.name,
            "wheels": [_wheel(wheel) for wheel in wheels_of(layer)],
        }
        for layer in plan.layers
        if wheels_of(layer)
    ]
    document = {
        "python": expected_python(plan),
        "environment": str(layout.ENVIRONMENT),
        "installer": {"file": plan.installer.name, "sha256": plan.installer.sha256.hex},
        "layers": layers,
    }
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


def _wheel(wheel: Wheel) -> dict[str, str | bool]:
    file = wheel.file
    return {
        "file": file.name,
        "sha256": file.sha256.hex,
        "prefix": str(wheel.prefix),
        "requested": wheel.requested,
    }


def environment_layers(plan: BuildPlan) -> list[Layer]:
    """What must be in place before wheels can be installed: the interpreter, then the empty environment."""
    wanted = layout.ENVIRONMENT / "pyvenv.cfg"
    return [
        layer
        for layer in plan.layers
        if archives_of(layer)
        or any(isinstance(item, InlineFile) and item.destination == wanted for item in layer.items)
    ]
