"""repro.toml (or [tool.repro] in pyproject.toml): the author's intent. Every field has a default; none is needed.

The format is described in docs/formats/config.md.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from repro.capture.findings import NAMES as RULE_NAMES
from repro.errors import UsageError
from repro.lock import BYTECODES, ENCODINGS, ImageOptions, Role, Tolerance
from repro.lock.table import DEBIAN_NAME, DEBIAN_VERSION, Table
from repro.profiles import ProfileLimits
from repro.sources import read_entries

MARKERS = ("repro.toml", "pyproject.toml", ".git")
DEFAULT_TIMEOUT = 3600.0
_SIZE = re.compile(r"(?P<number>[0-9]{1,15}(\.[0-9]{1,15})?)(?P<unit>[kKmMgGtT]?)")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


@dataclass(frozen=True, slots=True)
class MetricPolicy:
    """What the author says of one metric: which way is better and how far it may move."""

    direction: Literal["higher", "lower"] | None = None
    tolerance: Tolerance = field(default_factory=Tolerance)
    accept_improvement: bool = False


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
    profiles: ProfileLimits = field(default_factory=ProfileLimits)
    index: IndexConfig = field(default_factory=IndexConfig)
    base: str | None = None
    supply: Literal["auto", "base", "pack"] = "auto"
    allow_patch_drift: bool = False
    memory: int | None = None
    image: ImageOptions = field(default_factory=ImageOptions)
    system: SystemConfig = field(default_factory=SystemConfig)
    sources: dict[str, str] = field(default_factory=dict)
    allow_patched: tuple[str, ...] = ()
    allow_loose: tuple[str, ...] = ()
    dirty_source: Literal["bake", "refuse"] = "bake"
    variants: tuple[str, ...] = ()
    allowed_findings: tuple[str, ...] = ()


def project_root(subject: Path) -> Path:
    """The nearest directory from the subject's upwards that has one of `MARKERS`; else the subject's own."""
    start = subject.resolve().parent
    for folder in (start, *start.parents):
        if any((folder / marker).exists() for marker in MARKERS):
            return folder
    return start


def load_config(root: Path, explicit: Path | None = None) -> Config:
    """Read the project's settings.

    Args:
        root: Project root, searched for repro.toml, then pyproject.toml's [tool.repro].
        explicit: A file to read instead.

    Raises:
        UsageError: The named file is missing, a file isn't TOML, or a field is unknown or of the wrong shape;
            all faults are listed with their paths.
    """
    path, document = _find(root, explicit)
    table = Table(document)
    config = _config(table)
    problems = [*table.problems, *table.unknown()]
    if problems:
        raise UsageError(
            "the settings can't be used", where=str(path), problems=problems, fix="See docs/formats/config.md."
        )
    return config


def parse_memory(text: str) -> int:
    """Bytes from `512m`, `4g` or a plain number, as Docker writes them. Raises ValueError for anything else."""
    match = _SIZE.fullmatch(text)
    size = int(float(match["number"]) * _UNITS[match["unit"].lower()]) if match else 0
    if size <= 0:
        raise ValueError(text)
    return size


def _find(root: Path, explicit: Path | None) -> tuple[Path, dict[str, Any]]:
    if explicit is not None:
        return explicit, _read(explicit)
    path = root / "repro.toml"
    if path.exists():
        return path, _read(path)
    pyproject = root / "pyproject.toml"
    if pyproject.exists():
        tool = _read(pyproject).get("tool")
        table = tool.get("repro", {}) if isinstance(tool, dict) else {}
        if not isinstance(table, dict):
            raise UsageError("must be a table", where=f"{pyproject}: tool.repro")
        return pyproject, table
    return path, {}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"can't read the settings: {error.strerror}", where=str(path)) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"the settings are not valid TOML: {error}", where=str(path)) from error


def _config(table: Table) -> Config:
    run = _section(table, "run")
    files = _section(table, "files")
    metrics = _section(table, "metrics")
    base = _section(table, "base")
    python = _section(table, "python")
    limits = _section(table, "limits")
    packages = _section(table, "packages")
    return Config(
        kernel=run.optional_text("kernel"),
        timeout=run.optional_positive("timeout") or DEFAULT_TIMEOUT,
        cell_timeout=run.optional_positive("cell-timeout"),
        args=run.texts("args", required=False),
        env=run.texts("env", required=False),
        threads=run.optional_size("threads") or None,
        files=_files(files),
        metrics_files=metrics.paths("files") if metrics.has("files") else None,
        metric_policies=dict(_policies(_section(metrics, "policy"))),
        metric_patterns=_patterns(_section(metrics, "patterns")),
        metric_reports=metrics.flag("reports", default=False),
        metric_excludes=metrics.texts("exclude", required=False),
        profiles=_profiles(files),
        index=_index(_section(table, "index")),
        base=base.optional_text("image"),
        supply=python.optional_choice("supply", ("auto", "base", "pack")) or "auto",
        allow_patch_drift=python.flag("allow-patch-drift", default=False),
        memory=_size(limits, "memory"),
        image=_image(_section(table, "image")),
        system=_system(_section(table, "system")),
        sources=read_entries(_section(table, "sources")),
        allow_patched=packages.texts("allow-patched", required=False),
        allow_loose=packages.texts("allow-loose", required=False),
        dirty_source=packages.optional_choice("dirty-source", ("bake", "refuse")) or "bake",
        variants=packages.texts("variants", required=False),
        allowed_findings=_allowed(_section(table, "findings")),
    )


def _section(table: Table, key: str) -> Table:
    return table.optional_table(key) or Table({}, key, table.problems)


def _allowed(table: Table) -> tuple[str, ...]:
    names = table.texts("allow", required=False)
    for number, name in enumerate(names):
        if name not in RULE_NAMES:
            table.fault(f"allow[{number}]", f"must be one of {', '.join(RULE_NAMES)}, not {name!r}")
    return names


def _files(table: Table) -> FileRules:
    roles: tuple[Role, ...] = ("data", "model", "config", "code")
    given: dict[Role, tuple[str, ...]] = {role: table.texts(role, required=False) for role in roles}
    return FileRules(
        include=table.texts("include", required=False),
        exclude=table.texts("exclude", required=False),
        roles={role: globs for role, globs in given.items() if globs},
        mount=table.texts("mount", required=False),
    )


def _policies(table: Table) -> Iterator[tuple[str, MetricPolicy]]:
    for name in table.keys():  # noqa: SIM118 - a Table is not a mapping
        one = table.table(name)
        yield (
            name,
            MetricPolicy(
                direction=one.optional_choice("direction", ("higher", "lower")),
                tolerance=Tolerance(one.optional_positive("absolute"), one.optional_positive("relative")),
                accept_improvement=one.flag("accept-improvement", default=False),
            ),
        )


def _patterns(table: Table) -> dict[str, str]:
    patterns = table.all_texts()
    for name, pattern in patterns.items():
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            table.fault(name, f"is no regular expression: {error}")
            continue
        if not groups:
            table.fault(name, "needs a group around the value, such as `AUC: ([0-9.]+)`")
    return patterns


def _profiles(table: Table) -> ProfileLimits:
    default = ProfileLimits()
    return ProfileLimits(
        enabled=table.flag("profile", default=default.enabled),
        size=_size(table, "profile-size") or default.size,
        seconds=table.optional_positive("profile-seconds") or default.seconds,
    )


def _index(table: Table) -> IndexConfig:
    return IndexConfig(
        url=table.optional_text("url"),
        extra=table.texts("extra", required=False),
        find_links=table.texts("find-links", required=False),
    )


def _image(table: Table) -> ImageOptions:
    default = ImageOptions()
    return ImageOptions(
        encoding=table.optional_choice("encoding", ENCODINGS) or default.encoding,
        bytecode=table.optional_choice("bytecode", BYTECODES) or default.bytecode,
    )


def _system(table: Table) -> SystemConfig:
    return SystemConfig(
        apt=_debian_packages(table, "apt", "a Debian package, `name` or `name=version`", versions=True),
        skip_scripts=_debian_packages(table, "skip-scripts", "the name of a Debian package", versions=False),
    )


def _debian_packages(table: Table, key: str, wanted: str, *, versions: bool) -> tuple[str, ...]:
    texts = table.texts(key, required=False)
    seen: set[str] = set()
    for number, text in enumerate(texts):
        name, equals, version = text.partition("=")
        if not DEBIAN_NAME.fullmatch(name) or (equals and not (versions and DEBIAN_VERSION.fullmatch(version))):
            table.fault(f"{key}[{number}]", f"must be {wanted}, not {text!r}")
        elif name in seen:
            table.fault(f"{key}[{number}]", f"comes twice: {name!r}")
        seen.add(name)
    return texts


def _size(table: Table, key: str) -> int | None:
    text = table.optional_text(key)
    if text is None:
        return None
    try:
        return parse_memory(text)
    except ValueError:
        table.fault(key, f"must be a size such as 512m or 4g, not {text!r}")
        return None
