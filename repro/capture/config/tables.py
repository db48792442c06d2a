"""The tables of repro.toml → `Config`. Faults are gathered in the table, with their paths."""

import re

from repro.capture.config.model import (
    DEFAULT_TIMEOUT,
    CondaConfig,
    Config,
    FileRules,
    IndexConfig,
    SystemConfig,
)
from repro.capture.config.outputs import read_outputs
from repro.capture.config.policies import read_policies
from repro.capture.findings import NAMES as RULE_NAMES
from repro.lock import BYTECODES, ENCODINGS, ImageOptions, Role
from repro.lock.table import DEBIAN_NAME, DEBIAN_VERSION, Table
from repro.profiles import ProfileLimits
from repro.sources import read_entries

CONDA_NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]*")
_SIZE = re.compile(r"(?P<number>[0-9]{1,15}(\.[0-9]{1,15})?)(?P<unit>[kKmMgGtT]?)")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def read_config(table: Table) -> Config:
    """All settings; what is wrong with them is left in the table's `problems`."""
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
        metric_policies=dict(read_policies(_section(metrics, "policy"))),
        metric_patterns=_patterns(_section(metrics, "patterns")),
        metric_reports=metrics.flag("reports", default=False),
        metric_excludes=metrics.texts("exclude", required=False),
        outputs=dict(read_outputs(_section(table, "outputs"))),
        profiles=_profiles(files),
        index=_index(_section(table, "index")),
        base=base.optional_text("image"),
        supply=python.optional_choice("supply", ("auto", "base", "pack")) or "auto",
        allow_patch_drift=python.flag("allow-patch-drift", default=False),
        memory=_size(limits, "memory"),
        image=_image(_section(table, "image")),
        system=_system(_section(table, "system")),
        conda=_conda(_section(table, "conda")),
        sources=read_entries(_section(table, "sources")),
        allow_patched=packages.texts("allow-patched", required=False),
        allow_loose=packages.texts("allow-loose", required=False),
        dirty_source=packages.optional_choice("dirty-source", ("bake", "refuse")) or "bake",
        variants=packages.texts("variants", required=False),
        allowed_findings=_allowed(_section(table, "findings")),
    )


def parse_memory(text: str) -> int:
    """Bytes from `512m`, `4g` or a plain number, as Docker writes them. Raises ValueError for anything else."""
    match = _SIZE.fullmatch(text)
    size = int(float(match["number"]) * _UNITS[match["unit"].lower()]) if match else 0
    if size <= 0:
        raise ValueError(text)
    return size


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


def _conda(table: Table) -> CondaConfig:
    skip, run = _conda_names(table, "skip-scripts"), _conda_names(table, "run-scripts")
    for number, name in enumerate(run):
        if name in skip:
            table.fault(f"run-scripts[{number}]", f"{name} is in skip-scripts, too")
    return CondaConfig(skip, run, _conda_names(table, "may-differ"))


def _conda_names(table: Table, key: str) -> tuple[str, ...]:
    names = table.texts(key, required=False)
    for number, name in enumerate(names):
        if not CONDA_NAME.fullmatch(name):
            table.fault(f"{key}[{number}]", f"must be the name of a conda package, not {name!r}")
    return names


def _size(table: Table, key: str) -> int | None:
    text = table.optional_text(key)
    if not text:  # told already, where it is no text
        return None
    try:
        return parse_memory(text)
    except ValueError:
        table.fault(key, f"must be a size such as 512m or 4g, not {text!r}")
        return None
