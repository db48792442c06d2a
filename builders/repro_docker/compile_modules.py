"""Runs inside the image's own Python while it is built, after the wheels were laid out: compiles their modules.

Standard library only, but for modules of repro that are laid beside it. Bytecode goes to a directory a layer, too.
"""

from __future__ import annotations

import csv
import json
import os
import posixpath
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from repro.plan.compile_client import Workers

PARTS = "parts"
"""Directory beside this file with the modules of repro that it uses."""


def main(manifest: Path) -> int:
    """Do what the manifest says; returns the exit code."""
    os.umask(0o022)
    parts = manifest.parent / PARTS
    sys.path.insert(0, str(parts))
    from repro.cpus import usable_cpus  # noqa: PLC0415 - laid out beside this
    from repro.plan.compile_client import WorkerError, Workers  # noqa: PLC0415
    from repro.plan.compile_worker import NO_MEMORY, REFUSED  # noqa: PLC0415
    from repro_docker.install_wheels import MARK, TAMPERED  # noqa: PLC0415

    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    script = str(parts / "repro" / "plan" / "compile_worker.py")
    try:
        with Workers([sys.executable], variables, script, usable_cpus()) as workers:
            for layer in json.loads(manifest.read_bytes())["layers"]:
                compile_layer(layer, manifest.parent.parent, workers)
    except WorkerError as error:
        code = {REFUSED: TAMPERED, NO_MEMORY: NO_MEMORY}.get(error.code, 1)
        said = f"{error.path}: {error.output or error.how}"
        print(f"{MARK if code > 1 else ''}{said}", flush=True)  # noqa: T201 - this is a program
        return code
    return 0


def compile_layer(layer: dict[str, Any], context: Path, workers: Workers) -> None:
    """Write the bytecode of one layer below its directory."""
    from repro.plan.module_files import bytecode_path  # noqa: PLC0415
    from repro_docker.install_wheels import INSTALLING, LAYERS, settle_times  # noqa: PLC0415

    root = LAYERS / layer["name"]
    root.mkdir(parents=True)
    _, tag = workers.who()
    for item in layer["items"]:
        print(f"{INSTALLING}bytecode of {item['label']}", flush=True)  # noqa: T201 - this is a program
        folder = item["folder"]
        sources = ((path, Path(f"{folder}{path}").read_bytes()) for path in sources_of(item, context))
        for path, data in workers.compile(sources):
            if data is not None:
                target = root / bytecode_path(path, tag).lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
    settle_times(root)


def sources_of(item: dict[str, Any], context: Path) -> list[str]:
    """Absolute paths, in the image, of what is compiled."""
    from repro.plan.compile_worker import MOST_SOURCE  # noqa: PLC0415
    from repro.plan.module_files import chosen_sources  # noqa: PLC0415

    chosen = chosen_sources(files_of(item, context), item["roots"], item["modules"])
    return [path for path in chosen if Path(f"{item['folder']}{path}").stat().st_size <= MOST_SOURCE]


def files_of(item: dict[str, Any], context: Path) -> Iterator[str]:
    """Absolute paths, in the image, of the files that a wheel, a conda package or the interpreter's tar brought."""
    if item["record"] is not None:
        names = json.loads(Path(item["record"]).read_bytes())["files"]
        paths = (f"{item['prefix']}/{name}" for name in names)
        yield from (path for path in paths if Path(path).is_file() and not Path(path).is_symlink())
        return
    if item["wheel"] is None:
        for root in item["roots"]:
            for folder, _, names in os.walk(root):
                yield from (f"{folder}/{name}" for name in names if not Path(folder, name).is_symlink())
        return
    (library,) = item["roots"]
    with zipfile.ZipFile(context / item["wheel"]) as archive:
        names = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith(".dist-info/RECORD")]
    for name in names:
        with Path(f"{item['folder']}{library}/{name}").open(encoding="utf-8", newline="") as stream:
            for row in csv.reader(stream):
                yield posixpath.normpath(posixpath.join(library, row[0]))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
