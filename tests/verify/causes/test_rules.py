"""Each rule, on values: what it needs to see, how sure it is then, and that it is silent without."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from repro.lock import Baseline, Evidence, Metric
from repro.outputs.compare import OutputDifference
from repro.runner.observed import GeneratorFact, Happened, Listing, Observed, Place, VariableRead
from repro.verify.causes import Side, Situation, explain
from repro.verify.causes.rules import RULES
from repro.verify.model import Finding, Outcome
from tests.conftest import ROOT
from tests.verify.causes.situations import SETTINGS, failing, first, here, moved, named, planned, situation
from tests.verify.samples import good_record, sample_lock

LOCK = sample_lock()
OPENBLAS = "libscipy_openblas64_-1a2b3c4d.so"
DATA = "data/test set ü.csv"
ROUNDED = sample_lock(metrics=(Metric("auc", 0.76, "metrics.json"),))
ALL_ROUNDED = sample_lock(metrics=(*ROUNDED.metrics, Metric("loss", 0.13, "metrics.json")))
CELL = Place(3, "", 2, "cell")
CODE = {"cell 1": "import os\nfrom datetime import date", "cell 2": "today = date.today()\nn = os.cpu_count()"}


def set_otherwise(**changes: str) -> Situation:
    """A run under other settings; `_` stands for `$`, for blanks nothing is needed."""
    return situation(record=here(LOCK, settings={**SETTINGS, **{n.replace("_", " "): v for n, v in changes.items()}}))


def variable(name: str, value: str) -> Situation:
    return situation(record=here(LOCK, settings={**SETTINGS, f"${name}": value}))


def machine(**changes: str) -> Situation:
    record = here(LOCK)
    return situation(record=replace(record, machine={**record.machine, **changes}))


def openblas(loss: float = 0.25, **changes: object) -> Situation:
    """The laptop's OpenBLAS otherwise here."""
    record = here(LOCK)
    libraries = (record.libraries[0], {**record.libraries[1], **changes})
    return situation(record=replace(record, libraries=libraries), comparisons=moved(LOCK, loss=loss))


def refused(kind: str, message: str, *evidence: str, **changes: Any) -> Situation:
    """An image that was not run."""
    finding = Finding(kind, "error", message, evidence)
    base = situation(findings=[finding], outcome=Outcome.TAMPERED, comparisons=())
    return replace(base, here=Side(), **changes)


def packages(version: str) -> Situation:
    laptop = good_record(LOCK, settings=SETTINGS)
    return situation(laptop=replace(laptop, packages={**laptop.packages, "numpy": version}))


def listed(*names: str) -> Observed:
    return Observed(listings=(Listing("data", names, 2),))


def read(name: str, *, present: bool, owner: str = "cell") -> Observed:
    return Observed(variables=(VariableRead(name, present, replace(CELL, owner=owner)),))


def drawn(generator: str = "numpy.random", *, fixed: bool = False, cell: int = 3) -> Observed:
    return Observed(draws=(GeneratorFact(generator, fixed, Place(cell)),))


def stored(counts: tuple[int | None, ...], **changes: Any) -> Situation:
    """A baseline of stored outputs."""
    cells = [{"cell_type": "code", "source": "x = 1", "execution_count": count, "outputs": []} for count in counts]
    lock = sample_lock(baseline=Baseline(rerun=False))
    return situation(lock=lock, stored={"cells": cells}, **changes)


SEEN: Mapping[str, tuple[Situation, str, str, str]] = {
    "a changed row": (
        refused(
            "layers",
            "other layers",
            "changed or missing: data",
            "data/test set ü.csv: expected sha256:0, found sha256:1",
        ),
        "data-changed",
        DATA,
        "certain",
    ),
    "mounted data": (
        refused(
            "mounted",
            "not what the lock says",
            "data/test set ü.csv: expected 3 bytes, sha256:0, found 4 bytes, sha256:1",
        ),
        "data-changed",
        DATA,
        "certain",
    ),
    "a changed model": (
        refused("layers", "other layers", "models/m.ubj: expected sha256:0, found none"),
        "model-changed",
        "models/m.ubj",
        "certain",
    ),
    "changed code": (
        refused("files", "not the lock's", "src/features.py: expected sha256 0, found sha256 1 (3 bytes instead of 2)"),
        "code-changed",
        "src/features.py",
        "certain",
    ),
    "a layer on top": (
        refused("layers", "the image has layers besides those that the lock predicts, or has them in another order"),
        "image-changed",
        "layers",
        "certain",
    ),
    "a changed layer of a package": (
        refused("layers", "other layers", "changed or missing: wheel-numpy"),
        "package-modified",
        "numpy",
        "certain",
    ),
    "a changed file of a package": (
        situation(modified=("six: six.py",)),
        "package-modified",
        "six",
        "certain",
    ),
    "another environment": (
        situation(
            findings=[
                Finding("packages", "error", "not the locked one", ("numpy: 2.4.1 in the lock, 2.4.2 in the image",))
            ],
            outcome=Outcome.TAMPERED,
        ),
        "package-changed",
        "numpy",
        "certain",
    ),
    "another version on the laptop": (packages("1.26.4"), "package-changed", "numpy", "likely"),
    "a package less": (
        situation(record=here(LOCK, packages={"numpy": "2.4.1", "six": "1.0"})),
        "package-removed",
        "mine",
        "possible",
    ),
    "a package more": (
        situation(record=here(LOCK, packages={**good_record(LOCK).packages, "faster": "1.0"})),
        "package-added",
        "faster",
        "possible",
    ),
    "another Python": (situation(record=here(LOCK, python_version="3.11.2")), "python-version", "Python", "likely"),
    "another build of Python": (set_otherwise(build="(main) [Clang 19]"), "python-build", "Python", "possible"),
    "another base": (refused("base", "not made on the base", "the base: x"), "base-changed", "base image", "certain"),
    "another interpreter": (
        refused("layers", "other layers", "changed or missing: interpreter"),
        "base-changed",
        "interpreter",
        "certain",
    ),
    "another program": (refused("entrypoint", "does not start the runner"), "image-changed", "entrypoint", "certain"),
    "another empty environment": (
        refused("layers", "other layers", "changed or missing: environment"),
        "image-changed",
        "environment",
        "certain",
    ),
    "an import that fails": (
        failing("ModuleNotFoundError: No module named 'sklearn.svm'", cell=2),
        "package-missing",
        "cell 2",
        "certain",
    ),
    "a library that is missing": (
        failing("OSError: libgomp.so.1: cannot open shared object file: No such file or directory", cell=1),
        "system-library",
        "cell 1",
        "certain",
    ),
    "a C library that is too old": (
        failing("ImportError: /lib/libc.so.6: version `GLIBC_2.38' not found"),
        "system-library",
        "GLIBC_2.38",
        "certain",
    ),
    "no shared memory": (
        failing("the kernel was killed by SIGBUS (Bus error)", cell=4),
        "shared-memory",
        "cell 4",
        "likely",
    ),
    "memory that ran out": (
        situation(outcome=Outcome.OUT_OF_MEMORY, comparisons=(), memory=64 << 20),
        "memory-limit",
        "memory",
        "certain",
    ),
    "memory that was refused": (
        failing("numpy.exceptions.MemoryError: Unable to allocate 3 TiB", cell=2),
        "memory-limit",
        "cell 2",
        "likely",
    ),
    "a variable that the laptop had": (
        situation(seen=read("MODE", present=False), laptop_saw=read("MODE", present=True)),
        "variable-missing",
        "cell 3, line 2",
        "likely",
    ),
    "a variable of which nothing more is known": (
        situation(seen=read("MODE", present=False)),
        "variable-missing",
        "cell 3, line 2",
        "possible",
    ),
    "a variable without which it fails": (
        failing("KeyError: 'MODE'", seen=read("MODE", present=False)),
        "variable-missing",
        "cell 3, line 2",
        "certain",
    ),
    "a host": (
        situation(seen=Observed(network=(Happened("data.example.org:443", 2),))),
        "network",
        "cell 2",
        "likely",
    ),
    "a host without which it fails": (
        failing("URLError: <urlopen error [Errno -3] Temporary failure in name resolution>", cell=5),
        "network",
        "cell 5",
        "certain",
    ),
    "a file that isn't there": (
        failing("FileNotFoundError: [Errno 2] No such file or directory: '/data/x.csv'", cell=1),
        "file-missing",
        "cell 1",
        "certain",
    ),
    "another locale": (set_otherwise(locale="C"), "locale", "locale", "likely"),
    "another time zone": (set_otherwise(time_zone="UTC +0000, UTC +0000"), "time-zone", "TZ", "likely"),
    "fewer digits": (
        situation(lock=ROUNDED, comparisons=moved(ROUNDED, auc=0.7612345)),
        "fewer-digits",
        "auc, metrics.json",
        "likely",
    ),
    "fewer digits of several metrics": (
        situation(lock=ALL_ROUNDED, comparisons=moved(ALL_ROUNDED, auc=0.7612345, loss=0.1298765)),
        "fewer-digits",
        "auc, metrics.json",
        "certain",
    ),
    "cells in another order": (stored((1, 3, 2)), "hidden-state", LOCK.subject.path, "likely"),
    "a cell that never ran": (stored((1, None, 2)), "hidden-state", LOCK.subject.path, "likely"),
    "draws": (situation(seen=drawn()), "unseeded", "cell 3", "likely"),
    "draws on the laptop": (situation(laptop_saw=drawn("torch")), "unseeded", "cell 3", "likely"),
    "another hash seed": (set_otherwise(hash_seed="7"), "hash-seed", "PYTHONHASHSEED", "likely"),
    "another order": (
        situation(seen=listed("b", "a", "new"), laptop_saw=listed("a", "b")),
        "directory-order",
        "data",
        "likely",
    ),
    "another BLAS": (openblas(version="0.3.20"), "blas", OPENBLAS, "possible"),
    "another BLAS, and rounding": (
        openblas(0.5 + 1e-9, version="0.3.20"),
        "blas",
        OPENBLAS,
        "likely",
    ),
    "another kernel, and rounding": (
        openblas(0.5 + 1e-9, kernel="SkylakeX"),
        "blas-kernel",
        OPENBLAS,
        "likely",
    ),
    "MKL's dispatch": (variable("MKL_CBWR", "AVX2"), "cpu-dispatch", "MKL_CBWR", "likely"),
    "NumPy's dispatch": (
        variable("NPY_DISABLE_CPU_FEATURES", "X86_V4"),
        "cpu-dispatch",
        "NPY_DISABLE_CPU_FEATURES",
        "likely",
    ),
    "oneDNN's dispatch": (variable("ONEDNN_MAX_CPU_ISA", "AVX2"), "cpu-dispatch", "ONEDNN_MAX_CPU_ISA", "likely"),
    "PyTorch's dispatch": (variable("ATEN_CPU_CAPABILITY", "default"), "cpu-dispatch", "ATEN_CPU_CAPABILITY", "likely"),
    "a thread pool": (openblas(threads=8), "threads", "thread pools", "likely"),
    "more CPUs": (machine(cpus="64"), "threads", "CPUs", "possible"),
    "more CPUs that are counted": (
        replace(machine(cpus="64"), sources={"cell 1": "from os import cpu_count\nn = cpu_count()"}),
        "threads",
        "cell 1, line 2",
        "likely",
    ),
    "all CPUs for scikit-learn": (
        replace(machine(cpus="64"), sources={"fit.py": "model = Forest(n_jobs=-1)"}),
        "threads",
        "fit.py, line 1",
        "likely",
    ),
    "no GPU": (machine(gpus="", driver="", cuda=""), "gpu", "GPU", "possible"),
    "another GPU": (machine(gpus="NVIDIA A100"), "gpu", "GPU", "possible"),
    "TF32": (variable("NVIDIA_TF32_OVERRIDE", "1"), "gpu", "GPU", "likely"),
    "no assertions": (set_otherwise(optimize="1"), "variable-changed", "optimize", "likely"),
    "the day": (situation(sources=CODE), "clock", "cell 2, line 1", "likely"),
    "another build of a conda package": (
        situation(record=here(LOCK, conda={**good_record(LOCK).conda, "numpy": "1.26.4 py311h64a7726_9"})),
        "conda-build",
        "numpy",
        "possible",
    ),
    "AVX-512": (machine(features="sse4_2 avx2 fma avx512f"), "cpu-features", "CPU", "possible"),
    "an illegal instruction": (failing("the kernel was killed by SIGILL", cell=2), "cpu-features", "cell 2", "certain"),
    "another C library": (machine(glibc="2.41"), "libc", "base image", "possible"),
}


@pytest.mark.parametrize(("found", "rule", "where", "confidence"), SEEN.values(), ids=SEEN.keys())
def test_a_rule_names_what_it_sees_where_and_how_sure_it_is(
    found: Situation, rule: str, where: str, confidence: str
) -> None:
    cause = first(found)
    assert (cause.rule, cause.where, cause.confidence) == (rule, where, confidence), explain(found)
    assert cause.message
    assert cause.fix


def test_every_rule_is_seen_here() -> None:
    assert {rule for _, rule, _, _ in SEEN.values()} == {name for names in RULES.values() for name in names}


def test_the_manual_has_every_rule_in_its_order() -> None:
    """Beside each other where one line has two."""
    page = (ROOT / "docs" / "how-to" / "causes.md").read_text(encoding="utf-8")
    table = page.partition("## The rules")[2].partition("\n## ")[0]
    rows = re.findall(r"(?m)^\| (`.+?`) \|", table)
    documented = [name for row in rows for name in re.findall(r"`([a-z-]+)`", row)]
    assert documented == list(dict.fromkeys(name for names in RULES.values() for name in names))


SILENT: Mapping[str, Situation] = {
    "twins": situation(),
    "a laptop of which nothing is known": situation(
        laptop=good_record(LOCK, settings={}), record=here(LOCK, settings=planned(LOCK))
    ),
    "a seeded generator": situation(seen=drawn(fixed=True)),
    "a library's variable": situation(seen=read("CI", present=False, owner="library")),
    "a variable that neither has": situation(seen=read("CI", present=False), laptop_saw=read("CI", present=False)),
    "a variable that no machine has alike": situation(seen=read("HOME", present=False)),
    "this machine's own addresses": situation(seen=Observed(network=(Happened("127.0.0.1:8080", 1),))),
    "the same order, and a new file": situation(seen=listed("a", "new", "b"), laptop_saw=listed("a", "b")),
    "a given time": situation(sources={"cell 1": "import time\nprint(time.strftime('%d', time.gmtime(0)))"}),
    "a stopwatch": situation(sources={"cell 1": "import time\nbegun = time.perf_counter()"}),
    "stored outputs in order": stored((1, 2, 3)),
    "cells in another order that were rerun": situation(
        stored={"cells": [{"cell_type": "code", "source": "x", "execution_count": 9, "outputs": []}]}
    ),
    "a warning about the user": situation(findings=[Finding("user", "warning", "another user")]),
    "a variable for libraries that nobody loaded": replace(
        variable("OPENBLAS_CORETYPE", "Nehalem"),
        lock=replace(LOCK, evidence=Evidence()),
        here=Side(good_record(LOCK, settings={**SETTINGS, "$OPENBLAS_CORETYPE": "Nehalem"})),
    ),
    "a source that doesn't parse": situation(sources={"cell 1": "def (:"}),
}


@pytest.mark.parametrize("found", SILENT.values(), ids=SILENT.keys())
def test_a_rule_is_silent_without_evidence(found: Situation) -> None:
    assert explain(found) == ()


@pytest.mark.parametrize("outcome", [Outcome.VERIFIED, Outcome.INFRASTRUCTURE_FAILED])
def test_where_nothing_moved_there_is_nothing_to_explain(outcome: Outcome) -> None:
    assert explain(replace(situation(seen=drawn()), outcome=outcome)) == ()


def test_the_surer_comes_first_and_then_the_more_specific() -> None:
    found = situation(seen=drawn(), record=here(LOCK, settings={**SETTINGS, "hash seed": "7"}, python_version="3.11.2"))
    assert named(replace(found, sources=CODE)) == ["python-version", "unseeded", "hash-seed", "clock"]
    assert named(replace(found, modified=("six: six.py",)))[0] == "package-modified"


def test_a_difference_that_is_rounding_comes_from_what_computes() -> None:
    """Whoever draws other numbers gets other results, not the same ones up to the ninth digit."""
    record = here(LOCK)
    other = replace(record, libraries=({**record.libraries[1], "kernel": "SkylakeX"},))
    found = situation(record=other, seen=drawn(), comparisons=moved(LOCK, loss=0.5 + 1e-9))
    assert named(found) == ["blas-kernel", "unseeded"]
    assert named(replace(found, comparisons=moved(LOCK, auc=0.25, loss=0.5 + 1e-9))) == ["unseeded", "blas-kernel"]


def test_what_is_drawn_after_the_first_difference_is_less_likely() -> None:
    difference = OutputDifference(2, "fit()", "stdout", 1, "1", "2")
    draws = Observed(draws=(*drawn(cell=3).draws, *drawn(cell=2).draws))
    found = explain(situation(seen=draws, first=difference))
    assert [(cause.where, cause.confidence) for cause in found] == [("cell 2", "likely"), ("cell 3", "possible")]


@pytest.mark.parametrize("seen", [drawn(), listed("a")])
def test_what_merely_moves_numbers_makes_nothing_fail(seen: Observed) -> None:
    found = failing("ValueError: no", seen=seen, sources=CODE)
    assert explain(found) == ()


def test_a_zone_that_came_to_nothing_is_told_without_the_laptops_run() -> None:
    """A base without a time zone database has only UTC."""
    lock = sample_lock(environment=replace(LOCK.environment, timezone="Asia/Tokyo"))
    record = here(lock, settings={**SETTINGS, "$TZ": "Asia/Tokyo", "time zone": "UTC +0000, UTC +0000"})
    found = replace(situation(lock=lock, record=record), laptop=Side())
    assert first(found).rule == "time-zone"
    assert first(found).laptop == "JST +0900, JST +0900"


def test_a_zone_that_nobody_knows_here_is_left_alone() -> None:
    lock = sample_lock(environment=replace(LOCK.environment, timezone="Nowhere/Atall"))
    record = here(lock, settings={**planned(lock), "time zone": "UTC +0000, UTC +0000"})
    found = replace(situation(lock=lock, record=record), laptop=Side())
    assert "time-zone" not in {cause.rule for cause in explain(found)}


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("TZ", "time-zone"),
        ("LC_ALL", "locale"),
        ("OMP_NUM_THREADS", "threads"),
        ("PYTHONHASHSEED", "hash-seed"),
        ("OPENBLAS_CORETYPE", "cpu-dispatch"),
        ("PYTHONOPTIMIZE", "variable-changed"),
        ("CUBLAS_WORKSPACE_CONFIG", "gpu"),
        ("LD_LIBRARY_PATH", "variable-changed"),
        ("PYTHONPATH", "variable-changed"),
    ],
)
def test_a_variable_for_which_an_image_is_refused_has_its_rule(name: str, rule: str) -> None:
    found = refused("environment", f"the image sets {name} to another value", variables={name: "other"})
    assert named(found) == [rule]
    assert first(found).here == "other"
    assert first(found).confidence == "certain"


def test_a_record_that_lies_about_numbers_breaks_nothing() -> None:
    record = here(
        LOCK, libraries=({}, {"file": 3, "threads": [], "name": None, "kernel": {}}), machine={"shm": "x", "cpus": ""}
    )
    found = situation(record=record, outcome=Outcome.OUT_OF_MEMORY)
    assert first(found).rule == "memory-limit"
