"""Evidence → TOML."""

from collections.abc import Iterator
from dataclasses import replace

from repro.lock.evidence import Column, Evidence, Machine, NativeLibrary, Profile, Revision
from repro.lock.toml import inline, table


def in_order(evidence: Evidence) -> Evidence:
    """The same with every collection in its canonical order."""
    machine, revision = evidence.machine, evidence.revision
    if machine is not None:
        libraries = tuple(sorted(machine.libraries, key=lambda one: (one.name, one.file)))
        features = tuple(sorted(set(machine.features)))
        machine = replace(machine, features=features, libraries=libraries)
    if revision is not None:
        submodules = dict(sorted(revision.submodules.items()))
        revision = replace(revision, changed=tuple(sorted(revision.changed)), submodules=submodules)
    profiles = tuple(sorted(evidence.profiles, key=lambda profile: profile.path))
    return Evidence(machine, revision, profiles)


def render_evidence(evidence: Evidence) -> Iterator[str]:
    """The tables of what is known."""
    if evidence.machine is not None:
        yield _machine(evidence.machine)
    if evidence.revision is not None:
        yield from _revision(evidence.revision)
    yield from (_profile(profile) for profile in evidence.profiles)


def _machine(machine: Machine) -> str:
    head = table(
        "machine",
        {
            "system": machine.system,
            "kernel": machine.kernel,
            "architecture": machine.architecture,
            "libc": machine.libc,
            "processor": machine.processor,
            "features": machine.features,
            "cpus": machine.cpus,
            "gpus": machine.gpus or None,
            "driver": machine.driver,
            "cuda": machine.cuda,
        },
    )
    lines = "".join(f"  {_library(one)},\n" for one in machine.libraries)
    return f"{head}libraries = [\n{lines}]\n" if lines else head


def _library(one: NativeLibrary) -> str:
    return inline(
        {"name": one.name, "file": one.file, "version": one.version, "kernel": one.kernel, "threads": one.threads}
    )


def _revision(revision: Revision) -> Iterator[str]:
    yield table(
        "revision",
        {
            "commit": revision.commit,
            "branch": revision.branch,
            "remote": revision.remote,
            "changed": revision.changed or None,
        },
    )
    if revision.submodules:
        yield table("revision.submodules", dict(revision.submodules))


def _profile(profile: Profile) -> str:
    lines = "".join(f"  {_column(column)},\n" for column in profile.columns)
    return f"{table('[profiles]', {'path': profile.path, 'rows': profile.rows})}columns = [\n{lines}]\n"


def _column(column: Column) -> str:
    return inline(
        {
            "name": column.name,
            "type": column.type,
            "nulls": column.nulls,
            "distinct": column.distinct,
            "quantiles": column.quantiles or None,
        }
    )
