"""Every outcome of a verification, in an engine that holds its images in memory."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from repro.digest import Digest
from repro.engines.model import RunOutcome
from repro.errors import ExitCode, InfrastructureError, IntegrityError, UsageError
from repro.lock import Base, Baseline, BaseSource, Lock, Metric, Policy, Tolerance, render_body, render_lock
from repro.oci.documents import IndexEntry, canonical, index_json, manifest_json
from repro.oci.image import CONFIG, LAYER, MANIFEST, Descriptor
from repro.plan import layout
from repro.progress import Progress, Silent, Task
from repro.runner.documents import Failure, MeasuredMetric
from repro.store import ObjectStore, artifact_cache
from repro.verify.document import parse_verdict, render_verdict
from repro.verify.model import Outcome, Verdict
from repro.verify.stage import unfinished, verify
from tests.verify.samples import (
    INFO,
    NAME,
    SOURCES,
    MemoryEngine,
    baked_files,
    engine_of,
    good_record,
    image_of,
    sample_lock,
)


def judged(
    engine: MemoryEngine,
    *,
    baked: bool = False,
    project: Path | None = None,
    timeout: float | None = None,
    memory: int | None = None,
    progress: Progress | None = None,
) -> Verdict:
    lock = None if baked else (engine.lock, render_body(engine.lock))
    try:
        verdict = verify(
            NAME,
            lock=lock,
            engine=engine,
            timeout=timeout,
            memory=memory,
            project=project,
            progress=progress or Silent(),
        )
    finally:
        left = [folder for folder in engine.handed_out if folder.exists()]
        engine.close()
    assert not left
    assert parse_verdict(render_verdict(verdict)) == verdict or _has_nan(verdict)
    return verdict


def _has_nan(verdict: Verdict) -> bool:
    return any(isinstance(item.measured, float) and math.isnan(item.measured) for item in verdict.metrics)


def measured(lock: Lock, **values: object) -> MemoryEngine:
    """An engine in which a run measures these values; None leaves a metric out."""
    known = {metric.name: metric.value for metric in lock.metrics} | values
    metrics = tuple(MeasuredMetric(name, value, "metrics.json") for name, value in known.items() if value is not None)  # type: ignore[arg-type]
    return engine_of(lock, good_record(lock, metrics=metrics))


def kinds(verdict: Verdict) -> dict[str, str]:
    return {finding.kind: finding.severity for finding in verdict.findings}


def test_a_run_with_the_same_values_is_verified() -> None:
    engine = engine_of(sample_lock())
    verdict = judged(engine)
    assert verdict.outcome is Outcome.VERIFIED
    assert [(item.name, item.status) for item in verdict.metrics] == [("auc", "same"), ("loss", "same"), ("n", "same")]
    assert verdict.findings == ()
    assert verdict.lock is not None
    assert verdict.lock.digest == str(Digest.of(render_body(engine.lock)))
    assert verdict.image is not None
    assert verdict.image.id == engine.image_info.id


def test_the_run_is_sealed_as_the_policy_says() -> None:
    engine = engine_of(sample_lock())
    judged(engine)
    (spec,) = engine.runs
    assert spec.image == engine.image_info.id
    assert spec.writable == (layout.WORK, layout.OUT)
    assert spec.collect == layout.OUT
    assert spec.timeout is not None
    assert spec.timeout > engine.lock.policy.timeout
    assert spec.memory == engine.lock.policy.memory


def test_limits_of_the_caller_come_first() -> None:
    engine = engine_of(sample_lock())
    judged(engine, timeout=7.0, memory=99)
    assert (engine.runs[0].timeout, engine.runs[0].memory) == (7.0, 99)


@pytest.mark.parametrize(
    ("values", "outcome", "status"),
    [
        ({"auc": 0.755}, Outcome.VERIFIED, "within"),
        ({"auc": 0.7}, Outcome.MISMATCH, "moved"),
        ({"auc": 0.8}, Outcome.MISMATCH, "improved"),
        ({"auc": math.nan}, Outcome.MISMATCH, "moved"),
        ({"auc": math.inf}, Outcome.MISMATCH, "moved"),
        ({"auc": None}, Outcome.NOT_COMPARABLE, "missing"),
        ({"auc": 1}, Outcome.NOT_COMPARABLE, "type"),
        ({"auc": "0.75"}, Outcome.NOT_COMPARABLE, "type"),
        ({"auc": True}, Outcome.NOT_COMPARABLE, "type"),
    ],
)
def test_each_way_a_metric_can_differ(values: dict[str, object], outcome: Outcome, status: str) -> None:
    verdict = judged(measured(sample_lock(), **values))
    assert (verdict.outcome, verdict.metrics[0].status) == (outcome, status)
    assert (outcome is Outcome.VERIFIED) or "auc" in verdict.reason


def test_an_accepted_improvement_is_verified_with_a_warning() -> None:
    metric = Metric("auc", 0.75, "metrics.json", "higher", Tolerance(), accept_improvement=True)
    verdict = judged(measured(sample_lock(metrics=(metric,)), auc=0.9))
    assert verdict.outcome is Outcome.VERIFIED
    assert kinds(verdict) == {"improved": "warning"}


def test_nan_as_on_the_laptop_is_verified_and_said() -> None:
    verdict = judged(measured(sample_lock(metrics=(Metric("auc", math.nan, "metrics.json"),)), auc=math.nan))
    assert verdict.outcome is Outcome.VERIFIED
    assert kinds(verdict) == {"nan": "warning"}


def test_the_sign_of_zero_counts() -> None:
    verdict = judged(measured(sample_lock(metrics=(Metric("bias", 0.0, "metrics.json"),)), bias=-0.0))
    assert verdict.outcome is Outcome.MISMATCH


def test_an_extra_metric_is_said_and_harmless() -> None:
    verdict = judged(measured(sample_lock(), more=1.0))
    assert verdict.outcome is Outcome.VERIFIED
    assert verdict.metrics[-1].status == "extra"
    assert kinds(verdict) == {"extra": "warning"}


def test_a_missing_and_a_moved_metric_are_both_named() -> None:
    verdict = judged(measured(sample_lock(), auc=None, loss=0.6))
    assert verdict.outcome is not Outcome.VERIFIED
    assert "auc" in verdict.reason
    assert "loss" in verdict.reason


def test_a_lock_without_metrics_verifies_nothing() -> None:
    verdict = judged(engine_of(sample_lock(metrics=())))
    assert verdict.outcome is Outcome.NOT_COMPARABLE


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("cell", Outcome.EVALUATION_FAILED),
        ("died", Outcome.EVALUATION_FAILED),
        ("start", Outcome.EVALUATION_FAILED),
        ("metrics", Outcome.NOT_COMPARABLE),
        ("memory", Outcome.OUT_OF_MEMORY),
        ("timeout", Outcome.TIMED_OUT),
        ("tampered", Outcome.TAMPERED),
    ],
)
def test_each_failure_of_the_evaluation_is_an_outcome(kind: str, outcome: Outcome) -> None:
    lock = sample_lock()
    failure = Failure(
        kind, "it failed", cell=2, source="1 / 0", traceback="ZeroDivisionError", problems=("data/x.csv",)
    )
    verdict = judged(engine_of(lock, good_record(lock, failure=failure, metrics=())))
    assert verdict.outcome is outcome
    assert "it failed" in verdict.reason
    assert verdict.run is not None
    assert verdict.run.failure == failure


def test_a_failure_before_anything_ran_has_no_environment_to_compare() -> None:
    lock = sample_lock()
    failure = Failure("tampered", "a file is not what the lock says", problems=("data/x.csv: expected 1, found 2",))
    record = good_record(lock, failure=failure, metrics=(), packages={}, python_version="")
    verdict = judged(engine_of(lock, record))
    assert verdict.outcome is Outcome.TAMPERED
    assert [finding.evidence for finding in verdict.findings] == [failure.problems]


def ended(exit_code: int | None, *, oom: bool = False, timed_out: bool = False) -> RunOutcome:
    return RunOutcome(exit_code, oom_killed=oom, timed_out=timed_out, seconds=60.0, log="last words", collected=None)


@pytest.mark.parametrize(
    ("run", "outcome"),
    [
        (ended(137, oom=True), Outcome.OUT_OF_MEMORY),
        (ended(137), Outcome.EVALUATION_FAILED),
        (ended(1), Outcome.EVALUATION_FAILED),
        (ended(0), Outcome.EVALUATION_FAILED),
        (ended(None, timed_out=True), Outcome.TIMED_OUT),
    ],
)
@pytest.mark.parametrize("collects", [None, {}])
def test_a_run_without_a_record(run: RunOutcome, outcome: Outcome, collects: dict[str, bytes] | None) -> None:
    verdict = judged(engine_of(sample_lock(), outcome=run, collects=collects))
    assert verdict.outcome is outcome
    assert verdict.run is not None
    assert verdict.run.log == ("last words",)


def test_a_runner_that_can_not_work_is_no_verdict() -> None:
    engine = engine_of(sample_lock(), outcome=ended(ExitCode.INFRASTRUCTURE), collects={})
    with pytest.raises(InfrastructureError) as caught:
        judged(engine)
    assert caught.value.details == "last words"


def test_a_dead_worker_in_want_of_memory_is_out_of_memory() -> None:
    lock = sample_lock()
    record = good_record(lock, failure=Failure("cell", "a worker died", cell=1), metrics=())
    assert judged(engine_of(lock, record, outcome=ended(3, oom=True))).outcome is Outcome.OUT_OF_MEMORY


def test_values_count_although_something_was_killed_on_the_way() -> None:
    verdict = judged(engine_of(sample_lock(), outcome=ended(0, oom=True)))
    assert verdict.outcome is Outcome.VERIFIED
    assert kinds(verdict) == {"memory": "warning"}


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"schema": "repro.run/2"}',
        b'{"schema": "repro.run/1"}',
        b"[" * 100_000,
        good_record(sample_lock()).to_json().replace(b'"seconds":2.0', b'"seconds":NaN'),
        good_record(sample_lock()).to_json().replace(b'"seconds":2.0', b'"seconds":"2"'),
        good_record(sample_lock()).to_json().replace(b'"0.75"', b'"three quarters"'),
        good_record(sample_lock()).to_json().replace(b'"machine":{"cpus":"2"}', b'"machine":[1]'),
        good_record(sample_lock()).to_json().replace(b'"failure":null', b'"failure":{"kind":7}'),
    ],
)
def test_a_garbled_record_is_tampered(record: bytes) -> None:
    verdict = judged(engine_of(sample_lock(), collects={"record.json": record}))
    assert verdict.outcome is Outcome.TAMPERED
    assert "record" in verdict.reason


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"lock_digest": f"sha256:{'0' * 64}"}, "record"),
        ({"lock_digest": ""}, "record"),
        ({"experiment": {"environment": {}, "order": "", "listings": {}, "clock": None}}, "record"),
        ({"packages": {}}, "packages"),
        ({"packages": {"numpy": "2.4.1", "six": "1.0"}}, "packages"),
        ({"packages": {"numpy": "2.4.1", "six": "1.0", "mine": "0.1", "more": "1"}}, "packages"),
        ({"packages": {"numpy": "2.4.0", "six": "1.0", "mine": "0.1"}}, "packages"),
        ({"python_version": "3.11.2"}, "python"),
        ({"python_version": ""}, "python"),
    ],
)
def test_a_record_of_something_else_is_tampered_although_its_metrics_agree(
    change: dict[str, object], kind: str
) -> None:
    lock = sample_lock()
    verdict = judged(engine_of(lock, good_record(lock, **change)))
    assert verdict.outcome is Outcome.TAMPERED
    assert kinds(verdict) == {kind: "error"}


def test_versions_are_compared_as_versions() -> None:
    lock = sample_lock()
    record = good_record(lock, packages={"numpy": "2.4.1", "six": "1.0.0", "mine": "0.1"})
    assert judged(engine_of(lock, record)).outcome is Outcome.VERIFIED


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"conda": {}}, "conda:_libgcc_mutex: 0.1 conda_forge in the lock, not in the image"),
        ({"numpy": "1.26.4 py311_9"}, "conda:numpy: 1.26.4 py311h64a7726_0 in the lock, 1.26.4 py311_9 in the image"),
        ({"more": "1.0 h_0"}, "conda:more: not in the lock, 1.0 h_0 in the image"),
    ],
)
def test_conda_packages_have_to_be_the_locked_ones(change: dict[str, Any], line: str) -> None:
    lock = sample_lock()
    conda = change.get("conda", {**good_record(lock).conda, **change})
    verdict = judged(engine_of(lock, good_record(lock, conda=conda)))
    assert verdict.outcome is Outcome.TAMPERED
    (finding,) = (one for one in verdict.findings if one.kind == "packages")
    assert line in finding.evidence


def test_what_came_with_a_conda_package_needs_no_wheel_in_the_lock() -> None:
    lock = sample_lock()
    record = good_record(lock, brought={"pandas": "pandas", "numpy": "numpy"})
    brought = replace(record, packages={**record.packages, "pandas": "2.2.1"})
    assert judged(engine_of(lock, brought)).outcome is Outcome.VERIFIED
    stray = replace(brought, brought={"numpy": "numpy"})
    assert judged(engine_of(lock, stray)).outcome is Outcome.TAMPERED
    over = replace(brought, packages={**brought.packages, "numpy": "1.0"})
    assert judged(engine_of(lock, over)).outcome is Outcome.TAMPERED  # the wheel that was installed over conda's


def test_without_conda_in_the_lock_nothing_is_excused_by_it() -> None:
    lock = sample_lock(conda=(), modules={})
    record = good_record(lock, brought={"pandas": "pandas"})
    brought = replace(record, packages={**record.packages, "pandas": "2.2.1"})
    assert judged(engine_of(lock, brought)).outcome is Outcome.TAMPERED


def drifting() -> Lock:
    policy = Policy(3600.0, None, None, allow_patch_drift=True, metrics_files=("metrics.json",))
    return sample_lock(policy=policy)


def test_patch_drift_that_the_policy_allows_is_said() -> None:
    lock = drifting()
    verdict = judged(engine_of(lock, good_record(lock, python_version="3.11.2")))
    assert verdict.outcome is Outcome.VERIFIED
    assert kinds(verdict) == {"python-drift": "warning"}


def test_another_minor_version_is_never_allowed() -> None:
    lock = drifting()
    assert judged(engine_of(lock, good_record(lock, python_version="3.12.7"))).outcome is Outcome.TAMPERED


def test_an_unproven_baseline_is_said() -> None:
    verdict = judged(engine_of(sample_lock(baseline=Baseline(rerun=False))))
    assert verdict.outcome is Outcome.VERIFIED
    assert kinds(verdict) == {"baseline": "warning"}


def test_warnings_of_the_run_are_passed_on() -> None:
    lock = sample_lock()
    verdict = judged(engine_of(lock, good_record(lock, warnings=("metrics.json is old",))))
    assert [finding.message for finding in verdict.findings] == ["metrics.json is old"]


# The image against the lock, without running it.


def refused(engine: MemoryEngine, *, kind: str) -> Verdict:
    verdict = judged(engine)
    assert verdict.outcome is Outcome.TAMPERED
    assert kind in kinds(verdict)
    assert engine.runs == []
    return verdict


def test_another_lock_is_told_with_both_digests() -> None:
    built, other = sample_lock(), sample_lock(outputs=())
    engine = engine_of(other)
    engine.image_info, engine.files = image_of(built), baked_files(built)
    verdict = refused(engine, kind="lock")
    evidence = "\n".join(verdict.findings[0].evidence)
    assert str(Digest.of(render_body(built))) in evidence
    assert str(Digest.of(render_body(other))) in evidence
    assert verdict.fix is not None
    assert "--lock" in verdict.fix


def test_a_lock_exchanged_inside_the_image_is_refused() -> None:
    engine = engine_of(sample_lock())
    engine.files = {**baked_files(engine.lock), "repro.lock": render_body(sample_lock(outputs=()))}
    refused(engine, kind="lock")


def test_predictions_inside_the_image_are_refused_even_by_its_own_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that the digest doesn't cover may come in with the lock."""
    monkeypatch.setattr("repro.verify.stage.runner_sources", lambda: SOURCES)
    engine = engine_of(sample_lock())
    assert judged(engine, baked=True).outcome is Outcome.VERIFIED
    engine = engine_of(sample_lock())
    engine.files = {**baked_files(engine.lock), "repro.lock": render_lock(engine.lock)}
    assert judged(engine, baked=True).outcome is Outcome.TAMPERED
    assert engine.runs == []


@pytest.mark.parametrize(
    ("path", "data", "kind"),
    [
        ("evaluation.json", b"{}", "evaluation"),
        ("evaluation.json", None, "evaluation"),
        ("repro.lock", None, "lock"),
        ("repro_runner/__main__.py", b"print('VERIFIED')\n", "runner"),
        ("repro_runner/hook/trace.py", None, "runner"),
        ("repro_runner/extra.py", b"", "runner"),
    ],
)
def test_a_changed_file_is_refused(path: str, data: bytes | None, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("repro.verify.stage.runner_sources", lambda: SOURCES)
    engine = engine_of(sample_lock())
    files = {**baked_files(engine.lock), path: data}
    engine.files = {name: content for name, content in files.items() if content is not None}
    refused(engine, kind=kind)


def test_the_evaluation_of_another_repro_is_not_called_changed() -> None:
    engine = engine_of(sample_lock())
    engine.files = {**baked_files(engine.lock), "evaluation.json": b"{}"}
    verdict = refused(engine, kind="version")
    assert "0.1.0" in verdict.reason
    assert verdict.fix is not None
    assert "version of repro" in verdict.fix


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"user": ""}, "user"),
        ({"user": "0:0"}, "user"),
        ({"user": "root"}, "user"),
        ({"entrypoint": ("/bin/true",)}, "entrypoint"),
        ({"cmd": ("--root", "/evil")}, "command"),
        ({"platform": "linux/arm64"}, "platform"),
    ],
)
def test_a_changed_configuration_is_refused(change: dict[str, object], kind: str) -> None:
    engine = engine_of(sample_lock())
    engine.image_info = replace(engine.image_info, **change)  # type: ignore[arg-type]
    refused(engine, kind=kind)


@pytest.mark.parametrize("value", [None, "7"])
def test_a_changed_variable_is_refused(value: str | None) -> None:
    engine = engine_of(sample_lock())
    env = {**engine.image_info.env, "OMP_NUM_THREADS": value}
    engine.image_info = replace(engine.image_info, env={name: text for name, text in env.items() if text is not None})
    refused(engine, kind="environment")


STEERING = (
    "LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHON_JIT", "OMP_PLACES", "MKL_CBWR", "OPENBLAS_CORETYPE",
    "BLIS_ARCH", "KMP_AFFINITY", "GOMP_SPINCOUNT", "NPY_DISABLE_CPU_FEATURES", "GLIBC_TUNABLES", "MALLOC_PERTURB_",
    "REPRO_ROOT", "JUPYTER_PATH", "IPYTHONDIR", "PYTEST_ADDOPTS",
)  # fmt: skip


@pytest.mark.parametrize("name", STEERING)
def test_a_variable_that_nobody_planned_and_that_steers_the_run_is_refused(name: str) -> None:
    engine = with_layers((), base=False)
    engine.image_info = replace(engine.image_info, env={**engine.image_info.env, name: "1"})
    assert name in refused(engine, kind="environment").reason


def test_variables_of_the_official_images_are_harmless() -> None:
    engine = engine_of(sample_lock())
    names = ("VERSION", "SHA256", "PIP_VERSION", "SETUPTOOLS_VERSION", "GET_PIP_URL", "GET_PIP_SHA256")
    extra = {f"PYTHON_{name}": "1" for name in names}
    engine.image_info = replace(engine.image_info, env={**engine.image_info.env, **extra, "LANG": "C.UTF-8"})
    assert judged(engine).outcome is Outcome.VERIFIED


LAYERS = (f"sha256:{'a' * 64}", f"sha256:{'b' * 64}")


def on_base(diff_ids: tuple[str, ...], *, env: dict[str, str] | None = None) -> MemoryEngine:
    """An image with these layers in an engine that has its base, made of `LAYERS`, too."""
    engine = engine_of(sample_lock())
    base = engine.lock.base
    engine.bases = {f"{base.reference}@{base.digest}": replace(engine.image_info, diff_ids=LAYERS, env=env or {})}
    variables = {**engine.image_info.env, **(env or {})}
    engine.image_info = replace(engine.image_info, diff_ids=diff_ids, env=variables)
    return engine


def test_an_image_begins_with_the_layers_of_its_base() -> None:
    assert judged(on_base((*LAYERS, "sha256:c"))).outcome is Outcome.VERIFIED


@pytest.mark.parametrize("diff_ids", [(), LAYERS[:1], (LAYERS[1], LAYERS[0]), ("sha256:c", *LAYERS)])
def test_another_base_than_the_locked_one_is_refused(diff_ids: tuple[str, ...]) -> None:
    refused(on_base(diff_ids), kind="base")


def test_a_variable_of_the_locked_base_itself_is_no_surprise() -> None:
    assert judged(on_base(LAYERS, env={"LD_LIBRARY_PATH": "/usr/local/cuda/lib64"})).outcome is Outcome.VERIFIED


def config_of(*, env: str = "LD_LIBRARY_PATH=/usr/local/cuda/lib64") -> bytes:
    """The configuration of a base made of `LAYERS`."""
    platform = {"architecture": "amd64", "os": "linux"}
    return canonical({**platform, "config": {"Env": [env]}, "rootfs": {"type": "layers", "diff_ids": list(LAYERS)}})


def kept_base(source: BaseSource, cache: ObjectStore) -> Base:
    """A base of which the cache has the documents, not the layers, pinned as one of this source is."""
    config = cache.add_bytes(config_of())
    layers = [Descriptor(LAYER, Digest.parse(layer), 1) for layer in LAYERS]
    manifest = manifest_json(Descriptor(CONFIG, config, len(config_of())), layers)
    digest = cache.add_bytes(manifest)
    index = cache.add_bytes(index_json([IndexEntry(Descriptor(MANIFEST, digest, len(manifest)), "linux/amd64")]))
    pinned = {"engine": config, "layout": digest, "registry": index}[source]
    return replace(sample_lock().base, digest=pinned, source=source)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    monkeypatch.setenv("REPRO_CACHE_DIR", str(tmp_path / "cache"))
    return artifact_cache()


@pytest.mark.parametrize("source", ["engine", "layout", "registry"])
def test_a_base_that_the_engine_lacks_is_compared_by_what_the_cache_knows_of_it(
    source: BaseSource, cache: ObjectStore
) -> None:
    lock = sample_lock(base=kept_base(source, cache))
    engine = engine_of(lock)
    env = {**engine.image_info.env, "LD_LIBRARY_PATH": "/usr/local/cuda/lib64"}
    engine.image_info = replace(engine.image_info, diff_ids=(*LAYERS, "sha256:c"), env=env)
    assert judged(engine).outcome is Outcome.VERIFIED
    engine.runs.clear()
    engine.image_info = replace(engine.image_info, diff_ids=(LAYERS[0], "sha256:c"))
    refused(engine, kind="base")


@pytest.mark.parametrize("known", ["sha256:{digest}", "registry.example/base:1@sha256:{digest}"])
def test_an_engine_may_know_a_base_from_a_layout_by_its_manifest(known: str) -> None:
    base = replace(sample_lock().base, source="layout", reference="registry.example/base:1")
    engine = engine_of(sample_lock(base=base))
    engine.bases = {known.format(digest=base.digest.hex): replace(engine.image_info, diff_ids=LAYERS)}
    refused(engine, kind="base")


def test_a_base_that_is_nowhere_is_said_unless_the_image_is_the_predicted_one(cache: ObjectStore) -> None:
    """The predicted configuration names every layer, those of the base too."""
    assert not cache.directory.exists()
    verdict = judged(with_layers((*LAYERS, "sha256:x"), base=False))
    assert verdict.outcome is Outcome.VERIFIED
    assert kinds(verdict)["base"] == "warning"
    assert "base" not in kinds(judged(with_layers((), str(sample_lock().predicted[0].config), base=False)))


def test_variables_of_the_predicted_image_itself_are_no_surprise() -> None:
    engine = with_layers((), str(sample_lock().predicted[0].config), base=False)
    env = {**engine.image_info.env, "LD_LIBRARY_PATH": "/usr/local/cuda/lib64"}
    engine.image_info = replace(engine.image_info, env=env)
    assert judged(engine).outcome is Outcome.VERIFIED


def predicted_ids() -> tuple[str, ...]:
    return tuple(str(layer.diff_id) for layer in sample_lock().predicted[0].layers)


def with_layers(diff_ids: tuple[str, ...], identity: str = f"sha256:{'1' * 64}", *, base: bool = True) -> MemoryEngine:
    engine = on_base(diff_ids) if base else engine_of(sample_lock())
    engine.image_info = replace(engine.image_info, diff_ids=diff_ids, id=identity)
    return engine


def test_layers_that_the_lock_predicts_prove_the_contents() -> None:
    verdict = judged(with_layers((*LAYERS, *predicted_ids())))
    assert verdict.outcome is Outcome.VERIFIED
    assert "unproved" not in kinds(verdict)


def test_a_layer_between_the_base_and_the_predicted_ones_is_refused() -> None:
    refused(with_layers((*LAYERS, "sha256:evil", *predicted_ids())), kind="layers")


def test_without_the_base_only_the_predicted_image_itself_is_proved() -> None:
    verdict = judged(with_layers(("sha256:evil", *predicted_ids()), base=False))
    assert kinds(verdict)["unproved"] == "warning"
    (unproved,) = (one for one in verdict.findings if one.kind == "unproved")
    assert unproved.evidence == ("with the locked base in the engine or the cache they can be compared",)


def test_a_lock_without_predictions_proves_no_contents() -> None:
    lock = sample_lock(predicted=())
    (unproved,) = (one for one in judged(engine_of(lock)).findings if one.kind == "unproved")
    assert unproved.severity == "warning"
    assert "--lock" in unproved.evidence[0]


@pytest.mark.parametrize("identity", ["config", "manifest"])
def test_the_predicted_image_itself_needs_no_further_proof(identity: str) -> None:
    image = getattr(sample_lock().predicted[0], identity)
    assert "unproved" not in kinds(judged(with_layers((), str(image))))


@pytest.mark.parametrize(
    "change",
    [
        lambda ids: (ids[0], "sha256:x", *ids[2:]),
        lambda ids: (*ids, "sha256:x"),
        lambda ids: ids[:-1],
        lambda ids: (ids[1], ids[0], *ids[2:]),
    ],
    ids=["changed", "added", "removed", "moved"],
)
def test_an_assembled_image_with_another_layer_is_refused(
    change: Callable[[tuple[str, ...]], tuple[str, ...]],
) -> None:
    refused(with_layers((*LAYERS, *change(predicted_ids()))), kind="layers")


def test_an_image_of_another_builder_is_judged_with_a_warning() -> None:
    verdict = judged(with_layers((*LAYERS, "sha256:x")))
    assert verdict.outcome is Outcome.VERIFIED
    assert kinds(verdict)["unproved"] == "warning"


def test_there_is_always_a_limit_of_memory() -> None:
    policy = replace(sample_lock().policy, memory=None)
    engine = engine_of(sample_lock(policy=policy))
    verdict = judged(engine)
    assert engine.runs[0].memory == INFO.memory * 9 // 10
    assert verdict.run is not None
    assert verdict.run.memory == engine.runs[0].memory


def test_a_changed_digest_label_is_refused() -> None:
    engine = engine_of(sample_lock())
    labels = {**engine.image_info.labels, layout.LABEL_DATA: "sha256:0"}
    engine.image_info = replace(engine.image_info, labels=labels)
    refused(engine, kind="label")


def test_another_user_that_is_not_root_is_only_a_warning() -> None:
    engine = engine_of(sample_lock())
    engine.image_info = replace(engine.image_info, user="1234:0")
    verdict = judged(engine)
    assert verdict.outcome is Outcome.VERIFIED
    assert kinds(verdict) == {"user": "warning"}


# The lock baked into the image, images that are none, and evidence.


def test_without_a_lock_the_baked_one_judges_and_that_is_said() -> None:
    verdict = judged(engine_of(sample_lock()), baked=True)
    assert verdict.outcome is Outcome.VERIFIED
    assert verdict.lock is not None
    assert verdict.lock.source == "image"


@pytest.mark.parametrize("files", [None, {}, {"repro.lock": b"version = '9.0'\n"}])
def test_a_baked_lock_that_is_missing_or_unreadable_is_an_error(files: dict[str, bytes] | None) -> None:
    with pytest.raises(IntegrityError):
        judged(engine_of(sample_lock(), files=files), baked=True)


def test_an_image_of_somebody_else_is_a_usage_error() -> None:
    engine = engine_of(sample_lock(), files=None)
    engine.image_info = replace(engine.image_info, labels={})
    with pytest.raises(UsageError, match="not made by"):
        judged(engine)


@pytest.mark.parametrize("name", ["nope:1", "n\udcf6pe:1", ""])
def test_a_missing_image_is_a_usage_error_that_names_ours(name: str) -> None:
    engine = engine_of(sample_lock())
    with pytest.raises(UsageError) as caught:
        verify(name, lock=None, engine=engine, timeout=None, memory=None, project=None, progress=Silent())
    assert caught.value.fix is not None
    assert NAME in caught.value.fix


@pytest.mark.parametrize("name", ["oci:out", "oci-archive:house.tar:house:1"])
def test_an_image_that_an_engine_has_not_loaded_is_run_from_where_it_is_by_another(name: str) -> None:
    engine = engine_of(sample_lock())
    with pytest.raises(UsageError, match="runs no images from files") as caught:
        verify(name, lock=None, engine=engine, timeout=None, memory=None, project=None, progress=Silent())
    assert "--engine bubblewrap" in str(caught.value.fix)
    assert "docker pull" not in str(caught.value.fix)


def missing(name: str) -> str:
    with pytest.raises(UsageError, match="no such image") as caught:
        verify(
            name, lock=None, engine=engine_of(sample_lock()), timeout=None, memory=None, project=None, progress=Silent()
        )
    return str(caught.value.fix)


def test_a_file_that_is_there_is_not_to_be_pulled(tmp_path: Path) -> None:
    file = tmp_path / "image.tar"
    file.write_bytes(b"")
    assert f"oci-archive:{file}" in missing(str(file))
    assert "docker pull" not in missing(str(file))


def test_what_a_registry_has_is_pulled_under_its_own_name() -> None:
    assert "`docker pull localhost:5000/nope:1`" in missing("docker://localhost:5000/nope:1")


def test_bubblewrap_says_where_it_finds_images(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(sample_lock())
    monkeypatch.setattr("tests.verify.samples.INFO", replace(engine.info(), name="bubblewrap"))
    with pytest.raises(UsageError, match="no such image") as caught:
        verify("nope:1", lock=None, engine=engine, timeout=None, memory=None, project=None, progress=Silent())
    assert "-o oci:DIRECTORY" in str(caught.value.fix)
    assert "pull" not in str(caught.value.fix)


def test_the_evidence_is_kept_beside_the_lock(tmp_path: Path) -> None:
    engine = engine_of(sample_lock())
    verdict = judged(engine, project=tmp_path)
    (directory,) = (tmp_path / ".repro" / "runs").glob("*-verify-*")
    assert verdict.evidence == str(directory)
    assert directory.name.endswith(f"-verify-{Digest.of(render_body(engine.lock)).short}")
    assert (directory / "record.json").read_bytes() == good_record(engine.lock).to_json()
    assert (directory / "executed.ipynb").read_bytes() == b"{}"
    assert "VERIFIED: whatever" in (directory / "log.txt").read_text(encoding="utf-8")
    assert parse_verdict((directory / "verdict.json").read_bytes()) == verdict


def test_a_verdict_counts_also_where_its_evidence_can_not_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(root: Path, stage: str) -> Path:
        raise InfrastructureError("can't write: no space left on the disk", where=str(root))

    monkeypatch.setattr("repro.verify.evidence.run_directory", full)
    heard = Heard()
    verdict = judged(engine_of(sample_lock()), project=tmp_path, progress=heard)
    assert verdict.outcome is Outcome.VERIFIED
    assert verdict.evidence is None
    assert any("no space left" in line for line in heard.lines)


def test_an_engine_that_fails_midway_is_no_verdict(tmp_path: Path) -> None:
    engine = engine_of(sample_lock(), raises=InfrastructureError("the engine stopped answering"))
    with pytest.raises(InfrastructureError, match="stopped answering"):
        judged(engine, project=tmp_path)
    assert not (tmp_path / ".repro").exists()


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (InfrastructureError("no engine", problems=["a"], fix="Start it."), Outcome.INFRASTRUCTURE_FAILED),
        (IntegrityError("the lock is damaged", where="repro.lock"), Outcome.TAMPERED),
    ],
)
def test_an_error_has_a_verdict_document_too(error: InfrastructureError | IntegrityError, outcome: Outcome) -> None:
    verdict = unfinished(NAME, error)
    assert verdict.outcome is outcome
    assert json.loads(render_verdict(verdict))["exit_code"] == int(error.exit_code)
    assert parse_verdict(render_verdict(verdict)) == verdict


def test_every_outcome_has_its_exit_code() -> None:
    codes = {outcome.exit_code for outcome in Outcome}
    assert len(codes) == len(Outcome)
    assert codes == set(ExitCode) - {ExitCode.USAGE, ExitCode.INTERRUPTED}
    assert {Outcome.of(int(outcome.exit_code)) for outcome in Outcome} == set(Outcome)


class Heard(Silent):
    """Progress that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.totals: list[float | None] = []

    def note(self, text: str) -> None:
        self.lines.append(text)

    def warn(self, text: str) -> None:
        self.lines.append(text)

    def start(self, title: str, total: float | None = None, unit: str = "items") -> Task:
        self.totals.append(total)
        return super().start(title, total, unit)


def test_cells_are_progress_and_the_containers_own_verdict_is_not() -> None:
    heard = Heard()
    judged(engine_of(sample_lock()), progress=heard)
    assert [line for line in heard.lines if line.startswith("[")] == [
        "[1/2] import numpy… 0.5 s",
        "[2/2] evil = '\x1b[2J'… 1.5 s",
    ]
    assert not [line for line in heard.lines if "VERIFIED" in line]
    assert heard.totals == [None, 2]
