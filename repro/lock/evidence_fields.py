"""Tables → evidence (docs/formats/lock.md). Faults gather in the tables."""

from typing import get_args

from repro.lock.evidence import Column, ColumnType, Evidence, Machine, NativeLibrary, Profile, Revision
from repro.lock.table import Table

_QUANTILES = 5


def read_evidence(root: Table) -> Evidence:
    """What a lock of format 1.2 tells."""
    machine, revision = root.optional_table("machine"), root.optional_table("revision")
    return Evidence(
        machine=None if machine is None else _machine(machine),
        revision=None if revision is None else _revision(revision),
        profiles=tuple(_profile(table) for table in root.tables("profiles")),
    )


def _machine(table: Table) -> Machine:
    return Machine(
        system=table.text("system"),
        kernel=table.text("kernel"),
        architecture=table.text("architecture"),
        libc=table.optional_text("libc"),
        processor=table.text("processor"),
        features=table.texts("features"),
        cpus=table.size("cpus"),
        gpus=table.texts("gpus", required=False),
        driver=table.optional_text("driver"),
        cuda=table.optional_text("cuda"),
        libraries=tuple(_library(item) for item in table.tables("libraries")),
    )


def _library(table: Table) -> NativeLibrary:
    return NativeLibrary(
        name=table.text("name"),
        file=table.file_name("file"),
        version=table.optional_text("version"),
        kernel=table.optional_text("kernel"),
        threads=table.size("threads"),
    )


def _revision(table: Table) -> Revision:
    submodules = table.optional_table("submodules")
    return Revision(
        commit=table.text("commit"),
        branch=table.optional_text("branch"),
        remote=table.optional_text("remote"),
        changed=table.paths("changed") if table.has("changed") else (),
        submodules={} if submodules is None else submodules.all_texts(),
    )


def _profile(table: Table) -> Profile:
    return Profile(
        path=table.path("path"),
        rows=table.size("rows"),
        columns=tuple(_column(item) for item in table.tables("columns")),
    )


def _column(table: Table) -> Column:
    quantiles = table.numbers("quantiles") if table.has("quantiles") else ()
    if len(quantiles) not in {0, _QUANTILES}:
        table.fault("quantiles", f"must be {_QUANTILES} numbers")
    return Column(
        name=table.any_text("name"),
        type=table.choice("type", get_args(ColumnType)),
        nulls=table.size("nulls"),
        distinct=table.optional_size("distinct"),
        quantiles=quantiles,
    )
