"""Small locked projects over real wheels and the real base image, for tests of builders and of the build stage."""

import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from repro.digest import Digest
from repro.engines import DockerEngine, ImageInfo
from repro.lock import (
    Base,
    Baseline,
    Environment,
    Lock,
    LockedFile,
    Metric,
    Package,
    PackageFile,
    Policy,
    Python,
    Role,
    Runner,
    Subject,
    render_body,
)
from repro.oci.image import Image
from repro.plan import Artifacts, BuildPlan, make_plan, runner_digest, runner_sources
from repro.progress import Silent
from repro.registry import Registry
from repro.store import artifact_cache
from repro.transfer.base import find_base

TARGET = "linux/amd64"
PINNED = {
    "docutils": "0.20.1",  # files below .data/scripts
    "greenlet": "3.1.1",  # headers, and a compiled module
    "installer": "1.0.1",
    "ipykernel": "6.29.5",  # files below .data/data
    "numpy": "2.2.1",  # entry points, and large enough for a layer of its own
    "pip": "25.0.1",
    "six": "1.17.0",
}
SOURCES = runner_sources()
NO_IMAGE = ImageInfo(
    id=f"sha256:{'b' * 64}",
    tags=("repro-base:bookworm",),
    repo_digests=(),
    platform=TARGET,
    labels={
        "dev.repro.base.python": "3.11.2",
        "dev.repro.base.python-path": "/usr/bin/python3.11",
        "dev.repro.base.glibc": "2.36",
    },
    env={},
    user="",
    entrypoint=(),
    diff_ids=(),
    size=0,
)
"""A base that no engine has, for what never reaches one."""


def download(directory: Path) -> dict[str, Path]:
    """The pinned wheels for the base image's Python, by project name."""
    requirements = [f"{name}=={version}" for name, version in PINNED.items()]
    platforms = ["--platform", "manylinux_2_17_x86_64", "--platform", "manylinux_2_28_x86_64"]
    choice = ["--python-version", "3.11", "--implementation", "cp", *platforms, "--only-binary", ":all:"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *choice, "-d", str(directory)]
    subprocess.run([*command, *requirements], check=True)
    return {path.name.partition("-")[0]: path for path in directory.glob("*.whl")}


def package(path: Path, *, local: bool = False) -> Package:
    name, version, *_ = path.name.split("-")
    url = None if local else path.as_uri()
    file = PackageFile(path.name, Digest.of_file(path), path.stat().st_size, url, (TARGET,))
    return Package(name.replace("_", "-").lower(), version, "local" if local else "index", "wheels", (file,))


def locked(path: str, data: bytes, role: Role = "code", *, executable: bool = False) -> LockedFile:
    return LockedFile(path, role, Digest.of(data), len(data), executable)


def write_files(root: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


def make_lock(
    base: ImageInfo,
    installer: Package,
    *,
    files: Iterable[LockedFile] = (),
    packages: Iterable[Package] = (),
    runner: Iterable[Package] = (),
    variables: Mapping[str, str] | None = None,
) -> Lock:
    """A lock on an engine's base image, whose labels say which Python it has."""
    python = base.labels["dev.repro.base.python"]
    return Lock(
        subject=Subject("script", "evaluate.py"),
        baseline=Baseline(rerun=True),
        targets=(TARGET,),
        python=Python("cpython", python, "base"),
        base=Base(
            reference=base.tags[0],
            digest=Digest.parse(base.id),
            source="engine",
            python=python,
            python_path=base.labels["dev.repro.base.python-path"],
            glibc=base.labels["dev.repro.base.glibc"],
        ),
        environment=Environment("UTC", "C.UTF-8", 1, {"PYTHONHASHSEED": "0", **(variables or {})}),
        policy=Policy(60.0, None, None, allow_patch_drift=False, metrics_files=("metrics.json",)),
        metrics=(Metric("auc", 0.5, "metrics.json"),),
        files=tuple(files),
        outputs=(),
        packages=tuple(packages),
        runner=Runner("0.1.0", runner_digest(SOURCES), (installer, *runner)),
    )


def plan_of(lock: Lock) -> BuildPlan:
    """The lock's plan, with the environment's Python in place of the runner as what the image runs."""
    plan = make_plan(lock, render_body(lock), SOURCES)
    return replace(plan, config=replace(plan.config, entrypoint=("/opt/env/bin/python",)))


def artifacts(wheels: Iterable[Path] = (), root: Path | None = None, lock: Lock | None = None) -> Artifacts:
    """Every wheel and every project file by digest, unchecked."""
    found = {Digest.of_file(path): path for path in wheels}
    if root is not None and lock is not None:
        found.update({file.sha256: root / file.path for file in lock.files})
    return found


def base_of(plan: BuildPlan, engine: DockerEngine) -> Image:
    """The plan's base, out of an engine."""
    return find_base(
        plan.base,
        plan.target,
        given=None,
        cache=artifact_cache(),
        engine=lambda: engine,
        registry=Registry(),
        progress=Silent(),
    )
