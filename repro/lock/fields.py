"""Tables → values, one function for each table of the format (docs/formats/lock.md). Faults gather in the tables."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, get_args

from repro.lock.body import SEPARATOR
from repro.lock.compared import read_compared
from repro.lock.conda import read_conda
from repro.lock.evidence_fields import read_evidence
from repro.lock.metric import Metric
from repro.lock.metric_fields import read_metric, read_metric_1_3
from repro.lock.model import (
    BYTECODES,
    ENCODINGS,
    Base,
    Baseline,
    BaseSource,
    Environment,
    ImageOptions,
    Lock,
    LockedFile,
    Package,
    PackageFile,
    PackedPython,
    Policy,
    PredictedImage,
    PredictedLayer,
    Python,
    PythonSupply,
    Runner,
    Subject,
    SystemPackage,
)
from repro.lock.table import Table


class _Readers(NamedTuple):
    """What reads the tables that later formats added fields to."""

    subject: Callable[[Table], Subject]
    policy: Callable[[Table], Policy]
    metric: Callable[[Table], Metric]
    package: Callable[[Table], Package]
    file: Callable[[Table], LockedFile]
    supplies: tuple[PythonSupply, ...] = ("base", "packed")


def read_1_0(root: Table) -> Lock:
    """What format 1.0 knows; everything later has its default."""
    return _common(root, _Readers(_subject, _policy, read_metric, _package, _file))


def read_1_2(root: Table, predictions: Table) -> Lock:
    """What format 1.2 knows: as 1.1, with evidence."""
    readers = _Readers(_subject_1_2, _policy, read_metric, _package_1_2, _file_1_2)
    return replace(_later(root, predictions, readers), evidence=read_evidence(root))


def read_1_3(root: Table, predictions: Table) -> Lock:
    """What format 1.3 knows: as 1.2, with more to say of metrics, and outputs that are compared."""
    return _read_1_3(root, predictions, ("base", "packed"))


def read_1_4(root: Table, predictions: Table) -> Lock:
    """What format 1.4 knows: as 1.3, with conda's packages."""
    lock = _read_1_3(root, predictions, get_args(PythonSupply))
    return replace(lock, conda=tuple(read_conda(table) for table in root.tables("conda")))


def _read_1_3(root: Table, predictions: Table, supplies: tuple[PythonSupply, ...]) -> Lock:
    readers = _Readers(_subject_1_3, _policy_1_3, read_metric_1_3, _package_1_2, _file_1_2, supplies)
    compared = tuple(read_compared(table) for table in root.tables("compared-outputs"))
    return replace(_later(root, predictions, readers), evidence=read_evidence(root), compared=compared)


def _common(root: Table, readers: _Readers) -> Lock:
    root.text("version")
    return Lock(
        subject=readers.subject(root.table("subject")),
        baseline=Baseline(rerun=root.table("baseline").flag("rerun")),
        targets=root.targets("targets"),
        python=_python(root.table("python"), readers.supplies),
        base=_base(root.table("base")),
        environment=_environment(root.table("environment")),
        policy=readers.policy(root.table("policy")),
        metrics=tuple(readers.metric(table) for table in root.tables("metrics")),
        files=tuple(readers.file(table) for table in root.tables("files")),
        outputs=tuple(root.paths("outputs")),
        packages=tuple(readers.package(table) for table in root.tables("packages")),
        runner=_runner(root.table("runner")),
    )


def read_1_1(root: Table, predictions: Table) -> Lock:
    """What format 1.1 knows: the body, and what follows the separator (an empty table where nothing does)."""
    return _later(root, predictions, _Readers(_subject, _policy, read_metric, _package_1_1, _file))


def _later(root: Table, predictions: Table, readers: _Readers) -> Lock:
    if root.tables("predicted"):
        root.fault("predicted", f"must come after the line {SEPARATOR!r}, which isn't there (are line ends Unix ones?)")
    return replace(
        _common(root, readers),
        image=_image(root.table("image")),
        system=tuple(_system(table) for table in root.tables("system")),
        modules=_modules(root.optional_table("modules")),
        predicted=tuple(_predicted(table) for table in predictions.tables("predicted")),
    )


def _subject(table: Table) -> Subject:
    return Subject(
        kind=table.choice("kind", ("notebook", "script")),
        path=table.path("path"),
        kernel=table.optional_text("kernel"),
        args=table.texts("args", required=False),
    )


def _subject_1_2(table: Table) -> Subject:
    return replace(_subject(table), root=table.absolute_path("root") if table.has("root") else None)


def _subject_1_3(table: Table) -> Subject:
    return replace(_subject_1_2(table), directories=table.paths("directories") if table.has("directories") else ())


def _python(table: Table, supplies: tuple[PythonSupply, ...]) -> Python:
    packed = table.optional_table("packed")
    supply = table.choice("supply", supplies)
    if (packed is not None) != (supply == "packed"):
        table.fault("supply", 'must be "packed" exactly when [python.packed] is there')
    return Python(
        implementation=table.text("implementation"),
        version=table.text("version"),
        supply=supply,
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
    return Base(
        reference=table.text("reference"),
        digest=table.digest("digest"),
        source=table.choice("source", get_args(BaseSource)),
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


def _policy_1_3(table: Table) -> Policy:
    return replace(_policy(table), metrics_exclude=table.texts("metrics-exclude", required=False))


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


def _package_1_1(table: Table) -> Package:
    return replace(_package(table), requested=table.flag("requested", default=False))


def _package_1_2(table: Table) -> Package:
    return replace(_package_1_1(table), patched=table.paths("patched") if table.has("patched") else ())


def _file_1_2(table: Table) -> LockedFile:
    return replace(_file(table), mount=table.flag("mount", default=False), source=table.optional_text("source"))


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


def _image(table: Table) -> ImageOptions:
    return ImageOptions(
        encoding=table.choice("encoding", ENCODINGS),
        bytecode=table.choice("bytecode", BYTECODES),
        compiled=table.targets("compiled") if table.has("compiled") else None,
    )


def _system(table: Table) -> SystemPackage:
    return SystemPackage(
        name=table.debian_name("name"),
        version=table.debian_version("version"),
        architecture=table.choice("architecture", ("amd64", "arm64", "all")),
        target=table.target("target"),
        url=table.text("url"),
        sha256=table.sha256("sha256"),
        size=table.size("size"),
        reason=table.text("reason"),
        skip_scripts=table.flag("skip-scripts", default=False),
    )


def _modules(table: Table | None) -> dict[str, tuple[str, ...]]:
    if table is None:
        return {}
    packages = table.keys()
    return {package: table.module_names(package) for package in packages}


def _predicted(table: Table) -> PredictedImage:
    return PredictedImage(
        target=table.target("target"),
        format=table.size("format"),
        config=table.digest("config"),
        manifest=table.optional_digest("manifest"),
        layers=tuple(_predicted_layer(item) for item in table.tables("layers")),
    )


def _predicted_layer(table: Table) -> PredictedLayer:
    return PredictedLayer(
        name=table.text("name"),
        diff_id=table.digest("diff-id"),
        blob=table.optional_digest("blob"),
        size=table.optional_size("size"),
    )
