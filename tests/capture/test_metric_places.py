"""Where metrics are looked for, what of it the lock names, and what becomes the baseline."""

from pathlib import Path

import pytest

from repro.capture.baseline import baseline_warnings, make_baseline
from repro.capture.config import Config, load_config
from repro.capture.metric_places import (
    choose_metrics,
    lasting_folders,
    lasting_modules,
    lasting_outputs,
    locked_places,
    metric_places,
    tracker_files,
    unread_places,
)
from repro.capture.snapshot import FileState, Snapshot
from repro.errors import CaptureError, UsageError
from repro.lock import Tolerance
from repro.runner.documents import MeasuredMetric


def config(tmp_path: Path, text: str) -> Config:
    (tmp_path / "repro.toml").write_text(text)
    return load_config(tmp_path)


def measured(**sources: str) -> list[MeasuredMetric]:
    return [MeasuredMetric(name, 0.5, source) for name, source in sources.items()]


def locked(config: Config, metrics: list[MeasuredMetric]) -> tuple[str, ...]:
    return locked_places(config, metric_places(config, "nested/work.ipynb"), choose_metrics(metrics, config))


def test_the_usual_places_are_those_beside_the_subject_and_in_the_root():
    places = metric_places(Config(), "nested/work.ipynb")
    assert places[:2] == ("nested/metrics.json", "nested/metrics.yaml")
    assert {"metrics.toml", "nested/dvclive/metrics.json", "dvc.yaml", "mlruns", "nested/mlflow.db", "runs"} <= set(
        places
    )
    assert len(set(metric_places(Config(), "work.ipynb"))) == len(places) / 2


def test_the_lock_names_the_usual_places_that_had_metrics():
    metrics = measured(a="metrics.json", b="nested/metrics.yaml", c="cell:3", d="reports/eval.json")
    assert locked(Config(), metrics) == ("reports/eval.json", "nested/metrics.yaml", "metrics.json")


def test_the_lock_names_both_stores_of_mlflow():
    """MLflow 3 writes to files only where there are some already; the image starts with none."""
    assert locked(Config(), measured(a="mlflow:nested/mlruns")) == ("nested/mlruns", "nested/mlflow.db")
    assert locked(Config(), measured(a="tensorboard:logs")) == ("logs",)


def test_named_places_are_locked_as_they_are_but_for_dvc(tmp_path):
    named = config(tmp_path, '[metrics]\nfiles = ["mlruns", "out.json", "dvc.yaml"]')
    metrics = measured(a="out.json", b="mlflow:mlruns", c="eval.yaml")
    assert locked(named, metrics) == ("eval.yaml", "mlruns", "out.json")
    assert choose_metrics(metrics, named) == tuple(metrics)


def test_what_is_printed_is_looked_at_only_when_asked_for(tmp_path):
    asked = config(tmp_path, "[metrics]\nreports = true\n[metrics.patterns]\nauc = 'AUC: (\\S+)/1'")
    assert locked(asked, measured(a="cell:1")) == (r"printed:auc=AUC: (\S+)%2F1", "printed:reports")


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [("(", "is no regular expression"), ("auc", "needs a group around the value, such as `AUC: ([0-9.]+)`")],
)
def test_patterns_are_checked_before_anything_runs(tmp_path, pattern, fault):
    with pytest.raises(UsageError) as raised:
        config(tmp_path, f"[metrics.patterns]\nauc = '{pattern}'")
    assert raised.value.problems[0].startswith(f"metrics.patterns.auc: {fault}")


def test_trackers_count_only_where_nothing_is_declared():
    metrics = measured(auc="cell:1", loss="mlflow:mlruns", lr="tensorboard:runs", n="mlflow:mlruns", share="printed:2")
    chosen = choose_metrics(metrics, Config())
    assert [metric.name for metric in chosen] == ["auc", "share"]
    assert choose_metrics(metrics[1:4], Config()) == tuple(metrics[1:4])
    lines = list(baseline_warnings(make_baseline(chosen, Config(), "work.ipynb"), metrics))
    assert lines[0].startswith("compared by the digits that were printed, because that is all there is: share; one ")
    assert lines[1].startswith("MLflow has metrics in mlruns (2), which were not taken because there are declared ones")
    assert lines[2].startswith("TensorBoard has metrics in runs (1)")


def test_metrics_can_be_left_out(tmp_path):
    some = config(tmp_path, '[metrics]\nexclude = ["*_runtime", "epoch?.*"]')
    metrics = measured(auc="a.json", train_runtime="a.json", **{"epoch1.loss": "a.json", "epoch10.loss": "a.json"})
    assert [metric.name for metric in choose_metrics(metrics, some)] == ["auc", "epoch10.loss"]


def test_durations_are_warned_about_unless_they_have_a_tolerance(tmp_path):
    text = "[metrics.policy.fit_time]\nrelative = 0.5"
    names = ["auc", "fit_time", "train/train_runtime", "eval.samples_per_second", "lifetime_value", "time_series_rmse"]
    metrics = make_baseline([MeasuredMetric(name, 0.5, "cell:1") for name in names], config(tmp_path, text), "a.py")
    assert metrics[1].tolerance == Tolerance(relative=0.5)
    (warning,) = baseline_warnings(metrics)
    assert warning.startswith(
        "these look like durations, which no rerun repeats: eval.samples_per_second, train/train_"
    )


def test_a_metric_that_is_a_moment_is_warned_about():
    values = {"made": "2026-11-22T04:49:36.063597", "at": "2026-11-22 04:49", "best": "2026-model", "day": "2026-11-22"}
    metrics = make_baseline(
        [MeasuredMetric(name, one, "metrics.json") for name, one in values.items()], Config(), "a.py"
    )
    (warning,) = baseline_warnings(metrics)
    assert warning.startswith("if these are the time of the run, no rerun repeats them: at, made; ")


def test_files_that_may_hold_metrics_are_named_unless_the_author_named_some(tmp_path):
    outputs = ("out/metrics.json", "out/params.json", "out/plot.png", "reports/Evaluation.yaml")
    (told,) = unread_places(Config(), outputs)
    assert told.endswith('[metrics] files = ["out/metrics.json", "reports/Evaluation.yaml"] in repro.toml')
    assert list(unread_places(config(tmp_path, "[metrics]\nfiles = ['m.json']"), outputs)) == []
    assert list(unread_places(Config(), ("plot.png",))) == []
    (moving,) = unread_places(Config(), ("outputs/2026-11-22/05-02-50/metrics.json",))
    assert "[metrics] files" not in moving
    assert "whose path is another with every run" in moving


def test_no_metric_at_all_tells_every_way(tmp_path):
    with pytest.raises(CaptureError) as raised:
        make_baseline([], Config(), "work.ipynb", ["a reason"])
    assert raised.value.problems == ("a reason",)
    assert raised.value.fix is not None
    assert "MLflow (mlruns, mlflow.db)" in raised.value.fix


def test_what_trackers_keep_for_themselves_is_no_input_and_no_lasting_output():
    old, new = FileState(1, 1, 1, 1), FileState(2, 2, 2, 1)
    kept = {"mlruns/0/meta.yaml": old, "data/mlflow.db": old, "data.csv": old}
    before = Snapshot({**kept, "mlflow.db": old, "dvc.yaml": old})
    after = Snapshot({**kept, "mlflow.db": new, "dvc.yaml": new, "mlruns/0/abc/metrics/auc": new})
    assert sorted(glob for glob in tracker_files(before, after) if not glob.startswith("**/")) == [
        *("dvc.yaml", "dvc.yaml-*", "mlflow.db", "mlflow.db-*", "mlruns/0/meta.yaml")
    ]
    written = ("mlruns/0/abc/artifacts/model.pkl", "runs/Nov21/events.out.tfevents.1.host.2.0", "out/plot.png")
    assert lasting_outputs(written) == ("out/plot.png",)


def test_what_mlflow_imports_only_to_make_its_database_is_no_module_of_the_run():
    modules = {"mlflow": ("mlflow", "mlflow.store.db.utils"), "numpy": ("numpy",)}
    first = {**modules, "mlflow": (*modules["mlflow"], "mlflow.store.db_migrations.env")}
    assert lasting_modules(first) == lasting_modules(modules) == modules


def test_folders_that_trackers_name_at_random_are_not_needed():
    assert lasting_folders(["data", "mlruns", "sub/mlruns/0/5f3a", "runs"]) == ("data", "runs")
