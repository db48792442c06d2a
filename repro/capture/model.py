"""What capture learns about the laptop before and while it reruns the work. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from repro.conda.environment import CondaPrefix


@dataclass(frozen=True, slots=True)
class Kernel:
    """The interpreter that the subject runs under, and how it was found.

    Attributes:
        name: Kernelspec name, None for scripts and explicit interpreters.
        python: Absolute path of the interpreter, links not resolved (a venv's `bin/python` stays itself).
        env: Variables that the kernelspec sets.
        source: How it was found, for people: "kernelspec NAME", "VIRTUAL_ENV", ".venv of the project", "--python", …
        activation: Those of `env` that activating its conda environment sets.
    """

    name: str | None
    python: Path
    env: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    activation: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Distribution:
    """One installed distribution as its own metadata describes it (core metadata, PyPA recording-installed-packages).

    Attributes:
        name: Normalised project name (PEP 503).
        version: As written in its METADATA.
        location: Absolute path of the sys.path entry that holds it.
        metadata: Absolute path of its `.dist-info` (or `.egg-info`, or `.egg-link`-found) directory or file.
        tags: The WHEEL file's Tag lines, such as `cp311-cp311-manylinux_2_28_x86_64`; empty without a WHEEL file.
        purelib: The WHEEL file's Root-Is-Purelib.
        installer: INSTALLER's content, or "".
        direct_url: Parsed direct_url.json (PEP 610), or None.
        editable: Whether only a pointer to a source tree is installed (PEP 660, develop installs).
        source_tree: Absolute path of that tree, or None.
        record: Whether it has a RECORD.
        requested: Whether it has a REQUESTED: somebody asked for it, rather than another distribution (PEP 376).
        build: The WHEEL file's Build, such as `1`, or "".
        requires: Requires-Dist of its METADATA, each as written.
        conda: Name of the conda package that brought it, None for what another installer did.
    """

    name: str
    version: str
    location: Path
    metadata: Path
    tags: tuple[str, ...] = ()
    purelib: bool = True
    installer: str = ""
    direct_url: Mapping[str, Any] | None = None
    editable: bool = False
    source_tree: Path | None = None
    record: bool = True
    requested: bool = False
    build: str = ""
    requires: tuple[str, ...] = ()
    conda: str | None = None


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python interpreter and everything installed for it, as a probe inside it saw them.

    Attributes:
        executable: `sys.executable`.
        base_executable: The interpreter behind a virtual environment.
        prefix: `sys.prefix`. base_prefix: `sys.base_prefix`.
        implementation: `sys.implementation.name`.
        version: Exact version, such as `3.11.7` or `3.14.0rc1`.
        system: `platform.system()`: Linux, Darwin or Windows.
        machine: `platform.machine()`: x86_64, arm64, …
        platform: `sysconfig.get_platform()`, such as `linux-x86_64`.
        soabi: `SOABI`, such as `cpython-311-x86_64-linux-gnu`, or "".
        glibc: Version of its C library when that is glibc, else None.
        paths: `sysconfig.get_paths()`: stdlib, platstdlib, purelib, platlib, scripts, data, include.
        sys_path: `sys.path` as it starts.
        distributions: What is installed, sorted by name; one for each name.
        shadowed: Further copies of a name that come later on sys.path and are never imported.
        conda: The environment as conda recorded it, where it is conda's and so is the interpreter; else None.
    """

    executable: Path
    base_executable: Path
    prefix: Path
    base_prefix: Path
    implementation: str
    version: str
    system: str
    machine: str
    platform: str
    soabi: str
    glibc: str | None
    paths: Mapping[str, str]
    sys_path: tuple[str, ...]
    distributions: tuple[Distribution, ...]
    shadowed: tuple[Distribution, ...] = ()
    conda: CondaPrefix | None = None
