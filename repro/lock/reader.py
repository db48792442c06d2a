"""Bytes → Lock. Every fault is reported with its path in the document, all of them at once.

An unknown major version is refused, an unknown minor is read with a warning; a file that doesn't parse
is never repaired or regenerated.
"""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from repro.digest import Digest
from repro.errors import IntegrityError, UsageError
from repro.lock.model import (
    SCHEMA_VERSION,
    Base,
    Baseline,
    Environment,
    Lock,
    LockedFile,
    Metric,
    Package,
    PackageFile,
    PackedPython,
    Policy,
    Python,
    Runner,
    Subject,
    Tolerance,
)
from repro.lock.table import Table
from repro.progress import Progress, Silent

_AGAIN = "Restore the file from version control, or delete it and write a new one with `repro capture`."
_FORMAT = re.compile(r"\d{1,9}\.\d{1,9}", re.ASCII)


def load_lock(path: Path, progress: Progress | None = None) -> tuple[Lock, bytes]:
    """Read a lock file; returns the lock and the exact bytes whose sha256 is the lock digest.

    Raises:
        UsageError: There is no such file.
        IntegrityError: It is not a lock this version can read (see `parse_lock`).
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError("there is no lock here", where=str(path), fix="Write one with `repro capture`.") from error
    except OSError as error:
        raise UsageError(f"can't read the lock: {error.strerror}", where=str(path)) from error
    return parse_lock(data, where=str(path), progress=progress), data


def parse_lock(data: bytes, *, where: str = "repro.lock", progress: Progress | None = None) -> Lock:
    """Read a lock from its bytes.

    Raises:
        IntegrityError: Not TOML, an unknown major version, or fields missing, unknown or of the wrong shape;
            `problems` lists each with its path, such as `packages[3].files[0].sha256`.
    """
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # also of integers with thousands of digits, and of deep nesting
        raise IntegrityError(f"the lock is not valid TOML: {error}", where=where, fix=_AGAIN) from error
    newer = _check_version(document, where, progress or Silent())
    root = Table(document)
    lock = _lock(root)
    _check_whole(root, lock)
    problems = root.problems if newer else [*root.problems, *root.unknown()]
    if problems:
        raise IntegrityError("the lock is damaged", where=where, problems=problems, fix=_AGAIN)
    return lock


def _check_version(document: dict[str, Any], where: str, progress: Progress) -> bool:
    version = document.get("version")
    ours = tuple(int(part) for part in SCHEMA_VERSION.split("."))
    if not isinstance(version, str) or not _FORMAT.fullmatch(version):
        raise IntegrityError("the lock does not say its format version", where=f"{where}: version", fix=_AGAIN)
    theirs = tuple(int(part) for part in version.split("."))
    if theirs[0] != ours[0]:
        raise IntegrityError(
            f"the lock has format {version}; this repro reads {ours[0]}.x",
            where=f"{where}: version",
            fix="Use the version of repro that wrote it, or capture again.",
        )
    newer = theirs > ours
    if newer:
        progress.warn(f"{where} has format {version}, newer than {SCHEMA_VERSION}: fields unknown here are ignored")
    return newer


def _lock(root: Table) -> Lock:
    root.text("version")
    return Lock(
        subject=_subject(root.table("subject")),
        baseline=Baseline(rerun=root.table("baseline").flag("rerun")),
        targets=root.targets("targets"),
        python=_python(root.table("python")),
        base=_base(root.table("base")),
        environment=_environment(root.table("environment")),
        policy=_policy(root.table("policy")),
        metrics=tuple(_metric(table) for table in root.tables("metrics")),
        files=tuple(_file(table) for table in root.tables("files")),
        outputs=tuple(root.paths("outputs")),
        packages=tuple(_package(table) for table in root.tables("packages")),
        runner=_runner(root.table("runner")),
    )


def _check_whole(root: Table, lock: Lock) -> None:
    """What no single table can tell: names that come twice, and targets that the lock isn't for."""
    _check_distinct(root, "files", "path", (file.path for file in lock.files))
    _check_distinct(root, "metrics", "name", (metric.name for metric in lock.metrics))
    for key, packages in (("packages", lock.packages), ("runner.packages", lock.runner.packages)):
        _check_distinct(root, key, "name", (package.name for package in packages))
        for number, package in enumerate(packages):
            for index, file in enumerate(package.files):
                others = sorted(set(file.targets) - set(lock.targets))
                if others:
                    place = f"{key}[{number}].files[{index}].targets"
                    root.fault(place, f"the lock is not for {', '.join(others)}")


def _check_distinct(root: Table, key: str, field: str, values: Iterable[str]) -> None:
    seen: set[str] = set()
    for index, value in enumerate(values):
        if value in seen and value:
            root.fault(f"{key}[{index}].{field}", f"comes twice: {value!r}")
        seen.add(value)


def _subject(table: Table) -> Subject:
    return Subject(
        kind=table.choice("kind", ("notebook", "script")),
        path=table.path("path"),
        kernel=table.optional_text("kernel"),
        args=table.texts("args", required=False),
    )


def _python(table: Table) -> Python:
    packed = table.optional_table("packed")
    named = table.choice("supply", ("base", "packed"))
    if (packed is None) != (named == "base"):
        table.fault("supply", 'must be "packed" exactly when [python.packed] is there')
    return Python(
        implementation=table.text("implementation"),
        version=table.text("version"),
        supply="base" if packed is None else "packed",
        packed=None if packed is None else _packed(packed),
    )


def _packed(table: Table) -> PackedPython:
    return PackedPython(
        name=table.text("name"),
        sha256=table.sha256("sha256"),
        size=table.size("size"),
        glibc=table.glibc("glibc"),
        target=table.target("target"),
    )


def _base(table: Table) -> Base:
    try:
        digest = Digest.parse(table.text("digest"))
    except ValueError as error:
        table.fault("digest", str(error))
        digest = Digest("0" * 64)
    return Base(
        reference=table.text("reference"),
        digest=digest,
        source=table.choice("source", ("registry", "engine")),
        python=table.optional_text("python"),
        python_path=table.optional_text("python-path"),
        glibc=table.glibc("glibc"),
    )


def _environment(table: Table) -> Environment:
    return Environment(
        timezone=table.text("timezone"),
        locale=table.text("locale"),
        threads=table.size("threads"),
        variables=table.table("variables").all_texts(),
    )


def _policy(table: Table) -> Policy:
    return Policy(
        timeout=table.positive("timeout"),
        cell_timeout=table.optional_positive("cell-timeout"),
        memory=table.optional_size("memory"),
        allow_patch_drift=table.flag("allow-patch-drift"),
        metrics_files=tuple(table.paths("metrics-files")),
    )


def _metric(table: Table) -> Metric:
    return Metric(
        name=table.text("name"),
        value=table.scalar("value"),
        source=table.text("source"),
        direction=table.optional_choice("direction", ("higher", "lower")),
        tolerance=Tolerance(table.optional_positive("absolute"), table.optional_positive("relative")),
        accept_improvement=table.flag("accept-improvement", default=False),
    )


def _file(table: Table) -> LockedFile:
    return LockedFile(
        path=table.path("path"),
        role=table.choice("role", ("code", "notebook", "data", "model", "config")),
        sha256=table.sha256("sha256"),
        size=table.size("size"),
        executable=table.flag("executable", default=False),
    )


def _package(table: Table) -> Package:
    return Package(
        name=table.text("name"),
        version=table.text("version"),
        origin=table.choice("origin", ("index", "local", "editable", "vcs", "url", "built")),
        source=table.text("source"),
        files=tuple(_package_file(item) for item in table.tables("files")),
    )


def _package_file(table: Table) -> PackageFile:
    return PackageFile(
        name=table.file_name("name"),
        sha256=table.sha256("sha256"),
        size=table.size("size"),
        url=table.optional_text("url"),
        targets=table.targets("targets"),
    )


def _runner(table: Table) -> Runner:
    return Runner(
        version=table.text("version"),
        sha256=table.sha256("sha256"),
        packages=tuple(_package(item) for item in table.tables("packages")),
    )
