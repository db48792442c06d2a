"""Small projects with a lock that is true of them, made without a capture."""

import functools
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from repro.capture.interpreter import platform_of
from repro.capture.model import Interpreter
from repro.capture.probe import probe
from repro.digest import Digest
from repro.lock import (
    Environment,
    Lock,
    LockedFile,
    Metric,
    Package,
    PackageFile,
    Policy,
    Role,
    Runner,
    Subject,
    render_lock,
)
from repro.plan import runner_digest, runner_sources
from tests.lock.samples import plain_lock

SCRIPT = 'import json\nimport helpers\n\njson.dump({"auc": helpers.auc("data/x.csv")}, open("metrics.json", "w"))\n'
FILES: dict[str, bytes] = {
    "evaluate.py": SCRIPT.encode(),
    "helpers.py": b"def auc(path):\n    return len(open(path).read()) / 100\n",
    "data/x.csv": b"a,b\n1,2\n3,4\n",
    "conf.yaml": b"a: 1\n",
}
ROLES: dict[str, Role] = {
    "evaluate.py": "code",
    "helpers.py": "code",
    "data/x.csv": "data",
    "conf.yaml": "config",
    "n.ipynb": "notebook",
}


@functools.cache
def interpreter() -> Interpreter:
    """The one that runs the tests."""
    return probe(Path(sys.executable), cwd=Path("/"), env={"PATH": "/usr/bin:/bin"})


def packages() -> tuple[Package, ...]:
    """What is installed for it, as a lock would have it, but for wheels."""
    return tuple(
        Package(
            one.name, one.version, "editable" if one.editable else "index", "https://pypi.org/simple", (), one.requested
        )
        for one in interpreter().distributions
    )


def wheel(name: str, version: str, tag: str = "py3-none-any") -> PackageFile:
    data = f"{name} {version} {tag}".encode()
    return PackageFile(
        f"{name}-{version}-{tag}.whl", Digest.of(data), 1, None, (f"linux/{platform_of(interpreter()).split('/')[1]}",)
    )


def locked(path: str, data: bytes, role: Role) -> LockedFile:
    return LockedFile(path, role, Digest.of(data), len(data))


def lock(files: Mapping[str, bytes] | None = None, **changes: object) -> Lock:
    contents = FILES if files is None else files
    base = plain_lock()
    return replace(
        base,
        subject=Subject("script", "evaluate.py"),
        python=replace(base.python, version=interpreter().version, supply="base", packed=None),
        environment=Environment("UTC", "C.UTF-8", 2, {"PYTHONHASHSEED": "0"}),
        policy=Policy(3600.0, None, None, allow_patch_drift=False, metrics_files=("metrics.json",)),
        metrics=(Metric("auc", 0.1, "metrics.json"),),
        files=tuple(locked(path, data, ROLES.get(path, "data")) for path, data in sorted(contents.items())),
        outputs=("metrics.json",),
        packages=(),
        runner=Runner("0.1.0", runner_digest(runner_sources()), ()),
        **changes,  # type: ignore[arg-type]
    )


def write(root: Path, locked_state: Lock | None = None, files: Mapping[str, bytes] | None = None) -> Path:
    """A project with its lock; returns the lock's path."""
    for path, data in (FILES if files is None else files).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    (root / "repro.toml").write_text("", encoding="utf-8")
    path = root / "repro.lock"
    path.write_bytes(render_lock(locked_state or lock(files)))
    return path


def notebook(*cells: str) -> bytes:
    listed = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "source": cell,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }
        for number, cell in enumerate(cells)
    ]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": listed}).encode()
