"""What an image is made of, independent of who builds it. Values only."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from repro.digest import Digest
from repro.lock import Base, CondaPackage, Encoding, PackageFile, SystemPackage


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that are not in the plan itself but named by it.

    Attributes:
        sha256: Digest of the bytes.
        size: Their number.
        label: What to call them in messages: a project path, a wheel's or an object's file name.
    """

    sha256: Digest
    size: int
    label: str


@dataclass(frozen=True, slots=True)
class Wheel:
    """Install one wheel.

    Attributes:
        package: Normalised project name.
        version: Its version.
        file: The locked file.
        prefix: `ENVIRONMENT`, whose schemes are a virtual environment's, or `RUNNER_PACKAGES`, a plain directory
            on the runner's path that takes only purelib and platlib files.
        requested: Whether somebody asked for this package, rather than another package (pip's REQUESTED).
    """

    package: str
    version: str
    file: PackageFile
    prefix: PurePosixPath
    requested: bool = False


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """A locked file of the project at `destination`, mode 0644 or 0755."""

    content: Content
    destination: PurePosixPath
    mode: int


@dataclass(frozen=True, slots=True)
class InlineFile:
    """A small file whose bytes the plan carries."""

    data: bytes
    destination: PurePosixPath
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory with its mode; parents appear by themselves with mode 0755."""

    destination: PurePosixPath
    mode: int = 0o755


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link with its target's text."""

    destination: PurePosixPath
    target: str


@dataclass(frozen=True, slots=True)
class Unpack:
    """A plain tar from the object store, unpacked at `/`."""

    content: Content


@dataclass(frozen=True, slots=True)
class Deb:
    """A Debian package, unpacked at `/` as dpkg would leave it (`repro.debian`)."""

    package: SystemPackage


@dataclass(frozen=True, slots=True)
class CondaLink:
    """A conda package, linked into `ENVIRONMENT` as conda would (`repro.conda.link`).

    Attributes:
        package: Which one.
        site_packages: Where Python packages are, relative to the prefix: `lib/python3.11/site-packages`; None where
            the environment's Python is no conda package.
    """

    package: CondaPackage
    site_packages: str | None


@dataclass(frozen=True, slots=True)
class CondaScripts:
    """What post-link scripts of conda packages add to `ENVIRONMENT` and change there.

    Attributes:
        links: The packages whose scripts are run, each after those that it depends on.
    """

    links: tuple[CondaLink, ...]


@dataclass(frozen=True, slots=True)
class Compile:
    """Bytecode of modules that a package, or the packed interpreter, brings; unchecked hash-based (PEP 552).

    Attributes:
        source: What brings the modules.
        modules: Dotted names of those that are compiled, sorted; None for all.
    """

    source: Wheel | Unpack | CondaLink
    modules: tuple[str, ...] | None


Item = Wheel | ProjectFile | InlineFile | Directory | Link | Unpack | Deb | CondaLink | CondaScripts | Compile


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer; everything in it belongs to root, group 0.

    Attributes:
        name: Unique in the plan, `[a-z0-9-]+`, such as `wheel-numpy` or `wheels-03`.
        comment: One line for people and for the image history.
        items: What it holds, in canonical order.
    """

    name: str
    comment: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """The runtime part of an OCI image configuration (image-spec, config.md)."""

    user: str
    workdir: str
    entrypoint: tuple[str, ...]
    env: dict[str, str]
    labels: dict[str, str]


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """Everything a builder needs, and nothing that depends on the machine that builds.

    Attributes:
        target: Platform, such as `linux/amd64`.
        base: The base image, by digest.
        python: Absolute path of the interpreter inside the image.
        python_version: Its expected X.Y.Z.
        layers: Most stable first.
        config: What the container runs and as whom.
        lock_digest: Digest of the lock it was made from.
        installer: The pinned wheel of pypa/installer, a tool for builders; no layer holds it.
        encoding: How layers are compressed, for builders that decide it.
    """

    target: str
    base: Base
    python: PurePosixPath
    python_version: str
    layers: tuple[Layer, ...]
    config: ImageConfig
    lock_digest: Digest
    installer: PackageFile
    encoding: Encoding = "splice"
