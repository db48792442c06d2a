"""What a lock tells about the laptop and the data, for whoever has to explain a difference. Values only.

None of it decides an image or a verdict on metrics; `repro verify` compares it and reports what differs.
"""

from dataclasses import dataclass, field
from typing import Literal

ColumnType = Literal["integer", "number", "boolean", "text", "time", "other"]


@dataclass(frozen=True, slots=True)
class NativeLibrary:
    """A library with a thread pool that the run had loaded (as threadpoolctl sees it).

    Attributes:
        name: `openblas`, `mkl`, `blis`, `flexiblas`, `libgomp`, `libomp`, `libiomp`, `vcomp`.
        file: Its file's name.
        version: Its version, where it tells.
        kernel: Which of its code paths it chose for this CPU, such as `Haswell`, where it tells.
        threads: Size of its pool.
    """

    name: str
    file: str
    version: str | None
    kernel: str | None
    threads: int


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine that the baseline was measured on.

    Attributes:
        system: Operating system and its version, such as `Debian GNU/Linux 12 (bookworm)` or `macOS 14.5`.
        kernel: Version of its kernel.
        architecture: `x86_64`, `arm64`.
        libc: C library and version, such as `glibc 2.36`; None where that has no meaning.
        processor: The CPU's name.
        features: Names of its instruction sets that numeric libraries choose code by, such as `avx2`, sorted.
        cpus: How many the run could use.
        gpus: Name of each GPU.
        driver: Version of the GPUs' driver.
        cuda: Version of CUDA that the driver supports.
        libraries: Libraries with thread pools, by name and file.
    """

    system: str
    kernel: str
    architecture: str
    libc: str | None
    processor: str
    features: tuple[str, ...]
    cpus: int
    gpus: tuple[str, ...] = ()
    driver: str | None = None
    cuda: str | None = None
    libraries: tuple[NativeLibrary, ...] = ()


@dataclass(frozen=True, slots=True)
class Revision:
    """Where the project was in version control.

    Attributes:
        commit: Full name of the commit.
        branch: Name of the branch; None for a detached head.
        remote: URL of the branch's remote, without credentials; None where there is none.
        changed: Locked files that differ from the commit, or aren't in it.
        submodules: Commit of each submodule that locked files are in, by path.
    """

    commit: str
    branch: str | None = None
    remote: str | None = None
    changed: tuple[str, ...] = ()
    submodules: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, as a profile has it.

    Attributes:
        name: Its name.
        type: What its values are.
        nulls: Rows without a value; NaN counts as none.
        distinct: Distinct values, where there are few (at most 50); None for more.
        quantiles: Minimum, quartiles and maximum of numbers, five of them; empty for anything else.
    """

    name: str
    type: ColumnType
    nulls: int
    distinct: int | None = None
    quantiles: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """What a table of data looked like.

    Attributes:
        path: The locked file.
        rows: Number of rows.
        columns: Its columns, in the file's order.
    """

    path: str
    rows: int
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of it; what is not known is None or empty."""

    machine: Machine | None = None
    revision: Revision | None = None
    profiles: tuple[Profile, ...] = ()
