"""What repro.toml may say, as values. Where it is read from is `load`'s, how it is read is `tables`'."""

from dataclasses import dataclass, field
from typing import Literal

from repro.lock import Direction, Gates, ImageOptions, OutputKind, Role, Tolerance
from repro.profiles import ProfileLimits

DEFAULT_TIMEOUT = 3600.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class MetricPolicy:
    """What the author says of one metric.

    Attributes:
        direction: Which way is better.
        tolerance: How far it may move, `Tolerance()` for not at all; None for what its kind suggests.
        accept_improvement: Whether it may move farther for the better.
        gates: What it has to reach, wherever it moves.
    """

    direction: Direction | None = None
    tolerance: Tolerance | None = None
    accept_improvement: bool = False
    gates: Gates = field(default_factory=Gates)


@dataclass(frozen=True, slots=True)
class OutputPolicy:
    """What the author says of a file that the run writes, or of several that a glob names.

    Attributes:
        kind: As what it is compared.
        absolute: See `repro.lock.ComparedOutput`, as the following.
        relative: Likewise.
        key: Likewise.
        sanitize: Likewise.
        gate: Likewise.
    """

    kind: OutputKind
    absolute: float | None = None
    relative: float | None = None
    key: tuple[str, ...] = ()
    sanitize: bool = False
    gate: bool = True


@dataclass(frozen=True, slots=True)
class FileRules:
    """Which project files belong to the evaluation beyond what was seen, and as what. Globs relative to the root.

    Attributes:
        include: Always locked, read or not.
        exclude: Never locked; may also name files outside the project (absolute, or with `~`).
        roles: Globs that override the role guessed from a file's name.
        mount: Data and models that stay out of the image; whoever runs it brings them.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    roles: dict[Role, tuple[str, ...]] = field(default_factory=dict)
    mount: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IndexConfig:
    """Package indexes named by the project; empty means what pip and uv are configured to use."""

    url: str | None = None
    extra: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SystemConfig:
    """Debian packages that the project asks for.

    Attributes:
        apt: Each `name` or `name=version`, beside what the extension modules turn out to need.
        skip_scripts: Packages whose maintainer scripts may be left out.
    """

    apt: tuple[str, ...] = ()
    skip_scripts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CondaConfig:
    """What the project says of its conda packages.

    Attributes:
        skip_scripts: Packages whose pre-link and post-link scripts may be left out.
        run_scripts: Packages whose post-link scripts run while an image is made.
        may_differ: Packages whose version may be another on another platform than the laptop's.
    """

    skip_scripts: tuple[str, ...] = ()
    run_scripts: tuple[str, ...] = ()
    may_differ: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """A project's settings. Attributes follow the tables of repro.toml.

    `metrics_files` is None when the author names none: the usual names are looked for then.
    """

    kernel: str | None = None
    timeout: float = DEFAULT_TIMEOUT
    cell_timeout: float | None = None
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    threads: int | None = None
    files: FileRules = field(default_factory=FileRules)
    metrics_files: tuple[str, ...] | None = None
    metric_policies: dict[str, MetricPolicy] = field(default_factory=dict)
    metric_patterns: dict[str, str] = field(default_factory=dict)
    metric_reports: bool = False
    metric_excludes: tuple[str, ...] = ()
    outputs: dict[str, OutputPolicy] = field(default_factory=dict)
    profiles: ProfileLimits = field(default_factory=ProfileLimits)
    index: IndexConfig = field(default_factory=IndexConfig)
    base: str | None = None
    supply: Literal["auto", "base", "pack"] = "auto"
    allow_patch_drift: bool = False
    memory: int | None = None
    image: ImageOptions = field(default_factory=ImageOptions)
    system: SystemConfig = field(default_factory=SystemConfig)
    conda: CondaConfig = field(default_factory=CondaConfig)
    sources: dict[str, str] = field(default_factory=dict)
    allow_patched: tuple[str, ...] = ()
    allow_loose: tuple[str, ...] = ()
    dirty_source: Literal["bake", "refuse"] = "bake"
    variants: tuple[str, ...] = ()
    allowed_findings: tuple[str, ...] = ()
