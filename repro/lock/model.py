"""What a lock says, as frozen values. Reading, writing and every decision about them live elsewhere.

The file format is described in docs/formats/lock.md.
"""

from dataclasses import dataclass, field
from typing import Literal

from repro.digest import Digest

SCHEMA_VERSION = "1.0"

MetricValue = float | int | bool | str
Role = Literal["code", "notebook", "data", "model", "config"]
Origin = Literal["index", "local", "editable", "vcs", "url", "built"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is run to evaluate the model.

    Attributes:
        kind: A Jupyter notebook or a Python script.
        path: POSIX path relative to the project root; its directory is the working directory.
        kernel: Kernelspec name that the notebook asked for; None for a script.
        args: Arguments of a script; empty for a notebook.
    """

    kind: Literal["notebook", "script"]
    path: str
    kernel: str | None = None
    args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Baseline:
    """Where the metrics' values come from: `rerun` is False when stored outputs were taken unproven."""

    rerun: bool


@dataclass(frozen=True, slots=True)
class PackedPython:
    """The laptop's own interpreter as a tar in the object store, rooted at `/` with `opt/python/` inside.

    Attributes:
        name: File name for people, such as `cpython-3.11.7-linux-amd64.tar`.
        sha256: Digest of the plain tar.
        size: Bytes.
        glibc: Lowest glibc that its binaries run on, such as `2.34`.
        target: Platform it runs on, `linux/amd64`.
    """

    name: str
    sha256: Digest
    size: int
    glibc: str
    target: str


@dataclass(frozen=True, slots=True)
class Python:
    """The interpreter of the captured environment.

    Attributes:
        implementation: `sys.implementation.name`.
        version: Exact X.Y.Z (with pre-release suffix if any) that ran on the laptop.
        supply: Where the image's interpreter comes from: the base image, or a packed copy of the laptop's.
        packed: The packed copy; None when supply is "base".
    """

    implementation: str
    version: str
    supply: Literal["base", "packed"]
    packed: PackedPython | None = None


@dataclass(frozen=True, slots=True)
class Base:
    """The base image, pinned by content.

    Attributes:
        reference: Name for people and for pulling, without digest: `docker.io/library/python:3.11.7-slim-bookworm`.
        digest: Manifest digest when `source` is "registry"; image ID (config digest) when it is "engine".
        source: "registry" can be pulled anywhere; "engine" is an image that exists only in a local engine.
        python: Version X.Y.Z of the interpreter that it contains, or None.
        python_path: Absolute path of that interpreter, or None.
        glibc: Version of its C library, such as `2.36`.
    """

    reference: str
    digest: Digest
    source: Literal["registry", "engine"]
    python: str | None
    python_path: str | None
    glibc: str


@dataclass(frozen=True, slots=True)
class PackageFile:
    """One wheel that is installed on the named targets.

    Attributes:
        name: Wheel file name (binary distribution format, PyPA).
        sha256: Digest of the file.
        size: Bytes.
        url: Where it is published, without credentials; None when it only exists in the object store.
        targets: Platforms it is installed on, such as `linux/amd64`.
    """

    name: str
    sha256: Digest
    size: int
    url: str | None
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Package:
    """One installed distribution at exactly the installed version.

    Attributes:
        name: Normalised project name (PEP 503).
        version: Installed version, local part included (PEP 440).
        origin: "index" for published files; the others were made into a wheel at capture.
        source: The index URL, or where the code came from (a project-relative path, `git+URL@commit`, a URL);
            never credentials.
        files: Wheels to install, one for each target.
    """

    name: str
    version: str
    origin: Origin
    source: str
    files: tuple[PackageFile, ...]


@dataclass(frozen=True, slots=True)
class LockedFile:
    """One project file that the run read.

    Attributes:
        path: POSIX path relative to the project root.
        role: What it is to the evaluation.
        sha256: Digest of its content.
        size: Bytes.
        executable: Whether its owner may execute it.
    """

    path: str
    role: Role
    sha256: Digest
    size: int
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a metric may be from its baseline, both ways; exact when neither is set.

    Attributes:
        absolute: Largest |measured - baseline|, in the metric's unit.
        relative: Largest |measured - baseline| / |baseline|.
    """

    absolute: float | None = None
    relative: float | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """One number (or flag, or label) that the author saw.

    Attributes:
        name: Name, nested keys joined by dots.
        value: Exact value; floats keep every bit, NaN, infinities and the sign of zero included.
        source: Where the run reported it: a file path, `cell:<n>`, `scrapbook:<n>` or `display:<n>`.
        direction: Which way is better, when known.
        tolerance: Allowed difference.
        accept_improvement: Whether a move in the better direction beyond the tolerance still passes.
    """

    name: str
    value: MetricValue
    source: str
    direction: Literal["higher", "lower"] | None = None
    tolerance: Tolerance = field(default_factory=Tolerance)
    accept_improvement: bool = False


@dataclass(frozen=True, slots=True)
class Environment:
    """What surrounded the run and is set again in the image.

    Attributes:
        timezone: IANA zone name.
        locale: Value of LC_ALL in the image.
        threads: Size of OpenMP and BLAS thread pools.
        variables: Every other variable that is set, by name.
    """

    timezone: str
    locale: str
    threads: int
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits and permissions of the evaluation in the image.

    Attributes:
        timeout: Seconds for the whole evaluation.
        cell_timeout: Seconds for one cell, or None.
        memory: Bytes, or None for the engine's limit.
        allow_patch_drift: Whether a base whose Python differs in the patch version may stand in.
        metrics_files: Project-relative files the run writes its metrics to.
    """

    timeout: float
    cell_timeout: float | None
    memory: int | None
    allow_patch_drift: bool
    metrics_files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Runner:
    """What executes the evaluation inside the image, apart from the user's environment.

    Attributes:
        version: Version of `repro` that carries it.
        sha256: Digest over its source files (`repro.plan.runner_sources`).
        packages: Its own dependencies, pinned like any other.
    """

    version: str
    sha256: Digest
    packages: tuple[Package, ...]


@dataclass(frozen=True, slots=True)
class Lock:
    """Everything that decides an image and a verdict."""

    subject: Subject
    baseline: Baseline
    targets: tuple[str, ...]
    python: Python
    base: Base
    environment: Environment
    policy: Policy
    metrics: tuple[Metric, ...]
    files: tuple[LockedFile, ...]
    outputs: tuple[str, ...]
    packages: tuple[Package, ...]
    runner: Runner
