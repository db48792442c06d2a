"""What a lock says, as frozen values. Reading, writing and every decision about them live elsewhere.

The file format is described in docs/formats/lock.md.
"""

from dataclasses import dataclass, field
from typing import Literal, get_args

from repro.digest import Digest
from repro.lock.compared import ComparedOutput
from repro.lock.conda import CondaPackage
from repro.lock.evidence import Evidence
from repro.lock.metric import Metric

SCHEMA_VERSION = "1.4"

Role = Literal["code", "notebook", "data", "model", "config"]
Origin = Literal["index", "local", "editable", "vcs", "url", "built"]
Encoding = Literal["splice", "gzip", "zstd", "tar"]
Bytecode = Literal["used", "all", "none"]
PythonSupply = Literal["base", "packed", "conda"]
BaseSource = Literal["registry", "engine", "layout"]

ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)
BYTECODES: tuple[Bytecode, ...] = get_args(Bytecode)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is run to evaluate the model.

    Attributes:
        kind: A Jupyter notebook or a Python script.
        path: POSIX path relative to the project root; its directory is the working directory.
        kernel: Kernelspec name that the notebook asked for; None for a script.
        args: Arguments of a script; empty for a notebook.
        root: The project's absolute path on the laptop, where its code names that; the image has the run's files there,
            too.
        directories: Folders of the project, relative to its root, that the run lists or enters and that no locked file
            and no output is in.
    """

    kind: Literal["notebook", "script"]
    path: str
    kernel: str | None = None
    args: tuple[str, ...] = ()
    root: str | None = None
    directories: tuple[str, ...] = ()


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
        supply: Where the image's interpreter comes from: the base image, a packed copy of the laptop's, or the conda
            package `python`.
        packed: The packed copy; None when supply is another.
    """

    implementation: str
    version: str
    supply: PythonSupply
    packed: PackedPython | None = None


@dataclass(frozen=True, slots=True)
class Base:
    """The base image, pinned by content.

    Attributes:
        reference: Name for people and for pulling, without digest: `docker.io/library/python:3.11.7-slim-bookworm`.
        digest: Digest of a manifest or an index when `source` is "registry", of a manifest when it is "layout"; the
            image ID (config digest) when it is "engine".
        source: "registry" can be pulled anywhere; "engine" is an image that exists only in a local engine; "layout"
            came from an OCI layout or an archive, and has to be brought along unless `reference` says a registry.
        python: Version X.Y.Z of the interpreter that it contains, or None.
        python_path: Absolute path of that interpreter, or None.
        glibc: Version of its C library, such as `2.36`.
    """

    reference: str
    digest: Digest
    source: BaseSource
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
        requested: Whether somebody asked for it, rather than another package (the REQUESTED file, PEP 376).
        patched: Installed files, relative to the library directory, that differ from what was published; the wheel is
            made from what is installed then.
    """

    name: str
    version: str
    origin: Origin
    source: str
    files: tuple[PackageFile, ...]
    requested: bool = False
    patched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LockedFile:
    """One project file that the run read.

    Attributes:
        path: POSIX path relative to the project root.
        role: What it is to the evaluation.
        sha256: Digest of its content.
        size: Bytes.
        executable: Whether its owner may execute it.
        mount: Whether it stays out of the image: whoever runs it brings the file, which is hashed before use.
        source: Where it can be had again, as a URL without credentials (docs/formats/lock.md); None when only from
            the project.
    """

    path: str
    role: Role
    sha256: Digest
    size: int
    executable: bool = False
    mount: bool = False
    source: str | None = None


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
        metrics_exclude: Globs of metrics that the author leaves out: they are not missed and not extra.
    """

    timeout: float
    cell_timeout: float | None
    memory: int | None
    allow_patch_drift: bool
    metrics_files: tuple[str, ...]
    metrics_exclude: tuple[str, ...] = ()


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
class ImageOptions:
    """How the image is laid out.

    Attributes:
        encoding: How layers are compressed (docs/formats/image.md).
        bytecode: Which modules get compiled bytecode: those that the run imported, all, or none.
        compiled: Targets whose images get it, where some can't: only the image's own Python can compile. None for all.
    """

    encoding: Encoding = "splice"
    bytecode: Bytecode = "used"
    compiled: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class SystemPackage:
    """One Debian package that the base lacks.

    Attributes:
        name: Package name.
        version: Exact version.
        architecture: `amd64`, `arm64` or `all`.
        target: Platform whose image it enters.
        url: Where it is published, without credentials.
        sha256: Digest of the .deb file.
        size: Bytes.
        reason: Why it is here: `asked` (repro.toml), `needs:<soname>` or `depends:<package>`.
        skip_scripts: Whether its maintainer scripts are knowingly left out.
    """

    name: str
    version: str
    architecture: str
    target: str
    url: str
    sha256: Digest
    size: int
    reason: str
    skip_scripts: bool = False


@dataclass(frozen=True, slots=True)
class PredictedLayer:
    """One layer as the build must make it.

    Attributes:
        name: Its name in the plan.
        diff_id: Digest of the plain tar.
        blob: Digest of the encoded layer; None where the encoding depends on a compressor's version.
        size: Bytes of that blob, or None.
    """

    name: str
    diff_id: Digest
    blob: Digest | None
    size: int | None


@dataclass(frozen=True, slots=True)
class PredictedImage:
    """An image as the build must make it, stated by capture and proved by build.

    Attributes:
        target: Platform.
        format: Version of the assembler's output (`repro_oci.FORMAT`); another version can't be compared.
        config: Digest of the image configuration: the image ID in engines with graph drivers.
        manifest: Digest of the image manifest, which registries and containerd know; None where `blob`s are.
        layers: Every layer above the base, in order.
    """

    target: str
    format: int
    config: Digest
    manifest: Digest | None
    layers: tuple[PredictedLayer, ...]


@dataclass(frozen=True, slots=True)
class Lock:
    """Everything that decides an image and a verdict.

    `modules` names the imported modules of each package (dotted, sorted), for `ImageOptions.bytecode`; the key
    `python` stands for the standard library, `conda:NAME` for the conda package of that name. `compared` are those of
    `outputs` whose content a rerun is held to. `predicted` follows from all the rest: it is written after it in the
    file and is no part of what the lock digest covers (`repro.lock.lock_body`).
    """

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
    image: ImageOptions = field(default_factory=ImageOptions)
    system: tuple[SystemPackage, ...] = ()
    modules: dict[str, tuple[str, ...]] = field(default_factory=dict)
    evidence: Evidence = field(default_factory=Evidence)
    compared: tuple[ComparedOutput, ...] = ()
    conda: tuple[CondaPackage, ...] = ()
    predicted: tuple[PredictedImage, ...] = ()
