"""Two locks compared: everything that differs is told, in its group, and by whether it can move a metric."""

import dataclasses
from dataclasses import fields, replace
from typing import Any

import pytest

from repro.differ import Change, Group, difference
from repro.digest import Digest
from repro.lock import ComparedOutput, Lock, LockedFile, Metric, PackageFile, Subject, Tolerance
from tests.differ.samples import side
from tests.lock.samples import full_lock, package, system_package

OUTPUT = ComparedOutput("metrics.json", "bytes", Digest.of(b"m"), 3)
LOCK = replace(full_lock(), compared=(OUTPUT,))


def changes(before: Lock, after: Lock, **files: Any) -> dict[Group, list[Change]]:
    found = difference(side(before, "a", files.get("old")), side(after, "b", files.get("new")))
    return {section.group: list(section.changes) for section in found.sections}


def only(before: Lock, after: Lock, group: Group, **files: Any) -> Change:
    found = changes(before, after, **files)
    assert list(found) == [group]
    assert len(found[group]) == 1
    return found[group][0]


def with_file(name: str, **changed: object) -> Lock:
    return replace(LOCK, files=tuple(replace(f, **changed) if f.path == name else f for f in LOCK.files))  # type: ignore[arg-type]


def with_package(package_name: str, **changed: object) -> Lock:
    new = tuple(replace(p, **changed) if p.name == package_name else p for p in LOCK.packages)  # type: ignore[arg-type]
    return replace(LOCK, packages=new)


def test_the_same_lock_is_the_same_whatever_it_is_called() -> None:
    same = replace(side(LOCK, "a").side, name="other")
    assert difference(side(LOCK, "a"), replace(side(LOCK, "a"), side=same)).same


@pytest.mark.parametrize(
    ("group", "lock", "what", "aspect", "moves"),
    [
        ("code", replace(LOCK, subject=replace(LOCK.subject, kernel="ir")), "kernel", "kernel", True),
        (
            "code",
            replace(LOCK, subject=Subject("script", "e.py", args=("-x",), root="/home/ada/churn")),
            "subject",
            "path",
            True,
        ),
        ("code", with_file("src/features.py", sha256=Digest.of(b"x")), "src/features.py", "content", True),
        ("code", with_file("src/features.py", executable=False), "src/features.py", "executable", True),
        ("data", with_file("models/m.ubj", sha256=Digest.of(b"x")), "models/m.ubj", "content", True),
        ("data", with_file("models/m.ubj", mount=False), "models/m.ubj", "mount", False),
        ("data", with_file("models/m.ubj", source="s3://b/m"), "models/m.ubj", "source", False),
        ("packages", with_package("numpy", version="2.4.2"), "numpy", "version", True),
        ("packages", with_package("six", patched=()), "six", "patched", True),
        ("packages", with_package("six", requested=True), "six", "requested", False),
        ("packages", with_package("mine", source="elsewhere"), "mine", "origin", False),
        ("python", replace(LOCK, python=replace(LOCK.python, version="3.11.8")), "Python", "version", True),
        ("python", replace(LOCK, base=replace(LOCK.base, digest=Digest.of(b"x"))), "base image", "digest", True),
        ("python", replace(LOCK, base=replace(LOCK.base, glibc="2.41")), "C library", "version", True),
        ("python", replace(LOCK, base=replace(LOCK.base, reference="other")), "base image", "reference", False),
        ("environment", replace(LOCK, environment=replace(LOCK.environment, threads=1)), "threads", "setting", True),
        (
            "environment",
            replace(LOCK, environment=replace(LOCK.environment, timezone="UTC")),
            "time zone",
            "setting",
            True,
        ),
        ("metrics", replace(LOCK, policy=replace(LOCK.policy, timeout=9.0)), "timeout", "policy", False),
        ("evidence", replace(LOCK, outputs=("metrics.json",)), "outputs", "evidence", False),
        ("evidence", replace(LOCK, image=replace(LOCK.image, encoding="gzip")), "layers", "evidence", False),
        ("evidence", replace(LOCK, runner=replace(LOCK.runner, version="9")), "runner", "evidence", False),
    ],
)
def test_each_change_has_its_group(group: Group, lock: Lock, what: str, aspect: str, moves: bool) -> None:
    found = changes(LOCK, lock)
    assert list(found) == [group]
    assert (what, aspect, moves) in [(one.what, one.aspect, one.moves) for one in found[group]]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all fields of a lock, those of the first item of tuples."""
    if dataclasses.is_dataclass(value) and not isinstance(value, Digest):
        return [leaf for one in fields(value) for leaf in leaves(getattr(value, one.name), (*path, one.name))]
    if isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
        return leaves(value[0], (*path, 0))
    return [path]


def altered(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return not value if isinstance(value, bool) else value + 1
    if isinstance(value, dict):
        return {**value, "more": ("x",) if isinstance(next(iter(value.values()), ""), tuple) else "x"}
    if isinstance(value, tuple):
        return (*value, "more")
    return Digest.of(value.hex.encode()) if isinstance(value, Digest) else f"{value or ''}x"


SUPPLY = ("python", "supply")
UNNAMED = {
    *("python.packed.name", "python.packed.size", "python.packed.glibc", "python.packed.target"),
    "compared.0.size",
    *("base.source", "base.python", "base.python_path", "files.0.size"),
    *(f"packages.0.files.0.{name}" for name in ("name", "size", "url", "targets")),
    *(f"runner.packages.0.files.0.{name}" for name in ("name", "sha256", "size", "url", "targets")),
    *(f"runner.packages.0.{name}" for name in ("origin", "source", "requested", "patched")),
    *(f"system.0.{name}" for name in ("architecture", "url", "size", "reason")),
    *(f"conda.0.{name}" for name in ("subdir", "file", "url", "size", "md5", "depends")),
    *(f"evidence.profiles.0.{name}" for name in ("path", "rows")),
    *(f"evidence.profiles.0.columns.0.{name}" for name in ("name", "type", "nulls", "distinct", "quantiles")),
}
"""What has no name of its own: it follows from what has, or says where the same bytes are."""


def with_leaf(value: Any, path: tuple[Any, ...]) -> Any:
    if not path:
        return altered(value)
    if path[0] == 0:
        return (with_leaf(value[0], path[1:]), *value[1:])
    return replace(value, **{path[0]: with_leaf(getattr(value, path[0]), path[1:])})


PREDICTED = [path for path in leaves(LOCK) if path[0] != "predicted"]


@pytest.mark.parametrize("path", PREDICTED, ids=lambda path: ".".join(map(str, path)))
def test_no_field_of_a_lock_can_change_without_a_word(path: tuple[Any, ...]) -> None:
    other = replace(LOCK, python=replace(LOCK.python, supply="base")) if path == SUPPLY else with_leaf(LOCK, path)
    found = difference(side(LOCK, "a"), side(other, "b"))
    aspects = {change.aspect for section in found.sections for change in section.changes}
    assert aspects
    assert ("other" in aspects) == (".".join(map(str, path)) in UNNAMED), aspects


def test_a_package_of_the_same_version_but_another_build() -> None:
    numpy = next(one for one in LOCK.packages if one.name == "numpy")
    file = PackageFile(
        "numpy-2.4.1-1-cp311-cp311-manylinux_2_28_x86_64.whl", Digest.of(b"x"), 1, None, ("linux/amd64",)
    )
    change = only(LOCK, with_package("numpy", files=(file,)), "packages")
    assert (change.aspect, change.before, change.moves) == ("build", "2.4.1", True)
    assert change.details == (
        f"linux/amd64: {numpy.files[0].name} {numpy.files[0].sha256.short} → {file.name} {file.sha256.short}",
    )


def test_packages_that_somebody_asked_for_come_first() -> None:
    other = replace(LOCK, packages=(package("zeta"), replace(package("yak"), requested=True)))
    found = changes(LOCK, other)["packages"]
    assert [(one.what, one.kind, one.note) for one in found] == [
        ("mine", "removed", "direct"),
        ("yak", "added", "direct"),
        ("numpy", "removed", "transitive"),
        ("six", "removed", "transitive"),
        ("zeta", "added", "transitive"),
    ]


def test_a_renamed_file_is_no_new_one() -> None:
    change = only(LOCK, with_file("models/m.ubj", path="models/best.ubj"), "data")
    assert (change.what, change.aspect, change.before, change.after) == (
        "models/best.ubj",
        "path",
        "models/m.ubj",
        "models/best.ubj",
    )


def code(data: bytes) -> LockedFile:
    return LockedFile("src/features.py", "code", Digest.of(data), len(data), executable=True)


def test_only_comments_cannot_move_a_metric() -> None:
    old, new = b"a = 1\n", b"a = 1  # one\n"
    before, after = (replace(LOCK, files=(*LOCK.files[:3], code(data))) for data in (old, new))
    change = only(before, after, "code", old={"src/features.py": old}, new={"src/features.py": new})
    assert (change.aspect, change.moves, change.details) == ("comments", False, ())
    unseen = only(before, after, "code", new={"src/features.py": new})
    assert (unseen.aspect, unseen.moves) == ("content", True)
    assert "not at hand" in unseen.details[0]


def test_changed_tables_are_told_by_column() -> None:
    profile = replace(LOCK.evidence.profiles[0], rows=1001)
    changed = with_file("data/test set ü.csv", sha256=Digest.of(b"x"))
    other = replace(changed, evidence=replace(LOCK.evidence, profiles=(profile,)))
    assert only(LOCK, other, "data").details[0] == "1,001 rows, was 1,000"


def test_metrics_and_how_they_are_judged() -> None:
    metrics = (Metric("auc", 0.25, "metrics.json", "higher", Tolerance(1e-9, 0.5)), Metric("new", 1, "cell:1"))
    before = replace(LOCK, metrics=(Metric("auc", 0.5, "metrics.json", "higher", Tolerance(1e-9, 1e-6)),))
    found = changes(before, replace(LOCK, metrics=metrics))["metrics"]
    assert [(one.what, one.aspect, one.before, one.after, one.moves) for one in found] == [
        ("auc", "value", "0.5", "0.25", True),
        ("new", "metric", "", "1", True),
        ("auc relative", "rule", "1e-06", "0.5", False),
    ]
    assert found[0].details == ("difference -0.25, 0.5 of it",)


def test_system_packages_by_name_and_platform() -> None:
    first, second = LOCK.system
    other = replace(LOCK, system=(replace(first, version="2"), system_package("libpq5")))
    found = changes(LOCK, other)["system"]
    assert [(one.what, one.kind, one.aspect, one.note) for one in found] == [
        (second.name, "removed", "version", "linux/amd64"),
        ("libpq5", "added", "version", "linux/amd64"),
        (first.name, "changed", "version", "linux/amd64"),
    ]


def test_the_machine_by_its_parts() -> None:
    machine = LOCK.evidence.machine
    assert machine is not None
    blas = replace(machine.libraries[0], file="libscipy_openblas64_-ffffffff.so", kernel="SkylakeX", threads=1)
    other = replace(machine, processor="Xeon", features=("avx2", "avx512f"), libraries=(blas, *machine.libraries[1:]))
    found = changes(LOCK, replace(LOCK, evidence=replace(LOCK.evidence, machine=other)))["machine"]
    assert [(one.what, one.before, one.after) for one in found] == [
        ("processor", "AMD EPYC 7B13", "Xeon"),
        ("instruction sets", "sse4_2 fma", "avx512f"),
        ("libscipy_openblas64_.so", "0.3.29, Haswell, 4 threads", "0.3.29, SkylakeX, 1 thread"),
    ]


def test_locks_that_differ_in_nothing_with_a_name_still_differ() -> None:
    found = difference(side(LOCK, "a"), side(LOCK, "b"))
    assert not found.same
    assert not found.moves
