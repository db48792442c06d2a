"""Tiny wheels made on the fly: each is a module that says a number, some require others."""

from collections.abc import Sequence
from pathlib import Path

from tests.repro_oci.forge import Forge


def make_wheel(
    folder: Path, name: str, version: str, value: float = 0.0, requires: Sequence[str] = (), *, module: str = ""
) -> Path:
    """A wheel of a module, called as the package unless told otherwise, with `VALUE = value`."""
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    metadata = "\n".join([*lines, *(f"Requires-Dist: {one}" for one in requires), ""])
    info = f"{name}-{version}.dist-info"
    files = {f"{module or name}.py": f"VALUE = {value!r}\n".encode(), f"{info}/METADATA": metadata.encode()}
    return Forge(files, info=info).write(folder, f"{name}-{version}-py3-none-any.whl")
