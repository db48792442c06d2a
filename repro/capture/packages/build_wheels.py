"""Source trees of editable installs, and source distributions → wheels, built by their own backends (PEP 517).

The kernel's interpreter runs the build. A tree is copied first, so that nothing is left in it, and the result is
normalised, so that the same source gives the same bytes.
"""

import importlib.metadata
import os
import re
import shutil
import sys
import tarfile
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from pathlib import Path
from subprocess import CalledProcessError
from tempfile import TemporaryDirectory

from build import BuildBackendException, BuildException, ProjectBuilder
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from repro.capture.model import Distribution, Interpreter
from repro.capture.packages.source_copy import copy_tree
from repro.capture.packages.wheel_writer import (
    INSTALL_TRACES,
    Member,
    copy_member,
    wheel_file_name,
    wheel_metadata,
    write_wheel,
)
from repro.errors import CaptureError, InfrastructureError
from repro.process import Completed, failure, run

_EPOCH = "315532800"  # 1980-01-01T00:00:00Z, the first moment a zip can say
_TAIL = 40
_PIP_PYTHON = Version("22.3")  # the first whose `--python` installs into another environment


def build_wheel(
    source_tree: Path, distribution: Distribution, interpreter: Interpreter, destination: Path, scratch: Path
) -> Path:
    """Build a wheel of the tree behind an editable install. The same tree gives the same bytes.

    Args:
        source_tree: Directory with pyproject.toml or setup.py; it is only read.
        distribution: What is installed from it.
        interpreter: The environment that it is installed in; its interpreter runs the build.
        destination: Directory for the wheel.
        scratch: Directory for the copy and the build environment; both are removed.

    Returns:
        Path of the wheel in `destination`.

    Raises:
        CaptureError: The tree is gone, doesn't build, or builds another project or version than is installed.
        InfrastructureError: The build environment can't be made.
    """
    if not any((source_tree / name).is_file() for name in ("pyproject.toml", "setup.py")):
        raise CaptureError(
            f"{distribution.name} is installed from a directory that is no Python project any more",
            where=str(source_tree),
            fix=f"Install {distribution.name} again from where its source is now.",
        )
    scratch.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="build-", dir=scratch) as name:
        room = Path(name)
        tree = copy_tree(source_tree, room / "source")
        built = _build(tree, _BuildEnvironment.create(interpreter, room), distribution, source_tree)
        with zipfile.ZipFile(built) as archive:
            return _normalise(archive, distribution, source_tree, destination)


def build_sdist(
    sdist: Path, distribution: Distribution, interpreter: Interpreter, destination: Path, scratch: Path
) -> tuple[Path, tuple[str, ...]]:
    """Build a wheel of a source distribution, as installers do. The same requirements give the same bytes.

    Args:
        sdist: A `.tar.gz` or `.zip` with one directory in it.
        distribution: What is installed from it.
        interpreter: The environment that it is installed in; its interpreter runs the build.
        destination: Directory for the wheel.
        scratch: Directory for the source and the build environment; both are removed.

    Returns:
        Path of the wheel in `destination`, and what it was built with, as sorted `name==version`.

    Raises:
        CaptureError: It can't be unpacked, doesn't build, or builds another version than its name says.
        InfrastructureError: The build environment can't be made.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="build-", dir=scratch) as name:
        room = Path(name)
        tree = _unpacked(sdist, room / "source", distribution)
        environment = _BuildEnvironment.create(interpreter, room)
        built = _build(tree, environment, distribution, Path(sdist.name))
        with zipfile.ZipFile(built) as archive:
            return _normalise(archive, distribution, Path(sdist.name), destination), environment.installed()


def _unpacked(sdist: Path, folder: Path, distribution: Distribution) -> Path:
    """The directory that the archive holds. Members that would leave it are refused (PEP 706)."""
    try:
        if zipfile.is_zipfile(sdist):
            with zipfile.ZipFile(sdist) as archive:
                archive.extractall(folder)  # noqa: S202 - zipfile drops `..` and leading slashes
        else:
            with tarfile.open(sdist) as tar:
                tar.extractall(folder, filter="data")
        (tree,) = (path for path in folder.iterdir() if path.is_dir())
    except (OSError, ValueError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise CaptureError(
            f"the source of {distribution.name} {distribution.version} can't be unpacked: {error}", where=sdist.name
        ) from error
    return tree


def _build(tree: Path, environment: "_BuildEnvironment", distribution: Distribution, source_tree: Path) -> Path:
    runner = _Runner()
    out = environment.folder.with_name("wheel")
    out.mkdir()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # backends' advice to the package's author
            builder = ProjectBuilder.from_isolated_env(environment, tree, runner)
            environment.install(builder.build_system_requires, distribution, source_tree)
            environment.install(builder.get_requires_for_build("wheel"), distribution, source_tree)
            return Path(builder.build("wheel", out))
    except (BuildException, BuildBackendException) as error:
        raise CaptureError(
            f"the source of {distribution.name} does not build into a wheel",
            where=str(source_tree),
            details="\n".join([*runner.tail(), str(error)]),
            fix="Make `python -m build --wheel` succeed there, then capture again.",
        ) from error


@dataclass
class _Runner:
    """Runs a backend's hooks and keeps what they print."""

    log: list[str] = field(default_factory=list)

    def __call__(
        self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
    ) -> None:
        done = run(cmd, cwd=Path(cwd) if cwd else None, env={**os.environ, **(extra_environ or {})}, check=False)
        self.log += [*done.stdout.splitlines(), *done.stderr.splitlines()]
        if done.returncode:
            raise CalledProcessError(done.returncode, list(cmd))

    def tail(self) -> list[str]:
        return self.log[-_TAIL:]


@dataclass(frozen=True)
class _BuildEnvironment:
    """A throw-away virtual environment of the kernel's interpreter for build requirements."""

    folder: Path
    installer: tuple[str, ...]
    variables: Mapping[str, str]

    @classmethod
    def create(cls, interpreter: Interpreter, room: Path) -> "_BuildEnvironment":
        folder = room / "environment"
        # Without pip: distributions such as Debian's split ensurepip off, and an installer is already there.
        run([interpreter.executable, "-m", "venv", "--without-pip", folder])
        return cls(folder, _installer(interpreter, _python(folder)), _variables(room, folder))

    @property
    def python_executable(self) -> str:
        return str(_python(self.folder))

    def make_extra_environ(self) -> Mapping[str, str]:
        return self.variables

    def install(self, requirements: set[str], distribution: Distribution, source_tree: Path) -> None:
        if requirements:
            done = run([*self.installer, *sorted(requirements)], check=False)
            if done.returncode:
                raise _requirements_error(done, sorted(requirements), distribution, source_tree)

    def installed(self) -> tuple[str, ...]:
        """What builds used, as sorted `name==version`."""
        (site,) = {path.resolve() for path in self.folder.glob("**/site-packages")}
        found = importlib.metadata.distributions(path=[str(site)])
        return tuple(sorted(f"{canonicalize_name(one.name)}=={one.version}" for one in found))


def _requirements_error(
    done: Completed, requirements: Sequence[str], distribution: Distribution, source_tree: Path
) -> InfrastructureError:
    return InfrastructureError(
        f"{', '.join(requirements)} can't be installed, which a wheel of {distribution.name} is built with",
        where=str(source_tree),
        details=failure(done).details,
        fix="Check the network, and that the package index that pip or uv is configured to use has these versions.",
    )


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _installer(interpreter: Interpreter, python: Path) -> tuple[str, ...]:
    """The command that installs into the build environment, with the user's own configuration of it."""
    arguments = ("install", "--quiet", "--disable-pip-version-check", "--no-warn-script-location")
    for one in interpreter.distributions:
        if one.name == "pip" and Version(one.version) >= _PIP_PYTHON:
            return (str(interpreter.executable), str(one.location / "pip"), "--python", str(python), *arguments)
    uv = shutil.which("uv")
    if uv:
        return (uv, "pip", "install", "--quiet", "--python", str(python))
    for entry in sys.path:
        if (Path(entry) / "pip" / "__main__.py").is_file():
            return (sys.executable, str(Path(entry) / "pip"), "--python", str(python), *arguments)
    raise InfrastructureError(
        "no pip 22.3 or later and no uv was found to install the requirements for building a wheel",
        fix="Install pip in the notebook's environment, or uv on the PATH.",
    )


def _variables(room: Path, folder: Path) -> Mapping[str, str]:
    """Surroundings of a build that leave no trace of this machine, this moment or this directory in its bytes."""
    # Debug information names the directory that was compiled in (GCC 8, Clang 10 and later know the option).
    mapped = f"-ffile-prefix-map={room}=/build"
    return {
        "PATH": os.pathsep.join([str(_python(folder).parent), os.environ.get("PATH", os.defpath)]),
        "SOURCE_DATE_EPOCH": _EPOCH,
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        **({} if os.name == "nt" else {name: f"{os.environ.get(name, '')} {mapped}".strip() for name in _FLAGS}),
    }


_FLAGS = ("CFLAGS", "CXXFLAGS")


def _normalise(archive: zipfile.ZipFile, distribution: Distribution, source_tree: Path, destination: Path) -> Path:
    infos = [info for info in archive.infolist() if not info.is_dir()]
    dist_info = next(info.filename.split("/")[0] for info in infos if info.filename.endswith(".dist-info/WHEEL"))
    metadata = BytesHeaderParser().parsebytes(archive.read(f"{dist_info}/METADATA"))
    _check_same(distribution, str(metadata["Version"]), source_tree)
    wheel = BytesHeaderParser().parsebytes(archive.read(f"{dist_info}/WHEEL"))
    tags = [str(tag) for tag in wheel.get_all("Tag", [])]
    purelib = str(wheel["Root-Is-Purelib"]).lower() == "true"
    dropped = {f"{dist_info}/{name}" for name in INSTALL_TRACES | {"WHEEL"}}
    members = [
        copy_member(archive, info, info.filename)
        for info in infos
        if info.filename not in dropped and "__pycache__" not in info.filename.split("/")
    ]
    members.append(Member.of_bytes(f"{dist_info}/WHEEL", wheel_metadata(tags, purelib=purelib)))
    target = destination / wheel_file_name(distribution.name, distribution.version, tags)
    write_wheel(target, dist_info, members)
    return target


def _check_same(distribution: Distribution, built: str, source_tree: Path) -> None:
    if _version(built) == _version(distribution.version):
        return
    scm = ", which it takes from version control" if re.search(r"\.dev|\+", built) else ""
    raise CaptureError(
        f"{distribution.name} {distribution.version} is installed, but its source is now version {built}{scm}",
        where=str(source_tree),
        fix=f"Commit what has changed if the version depends on it, then run `pip install -e {source_tree}` again.",
    )


def _version(text: str) -> Version | str:
    try:
        return Version(text)
    except InvalidVersion:
        return text
