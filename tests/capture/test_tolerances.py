"""Which tolerance a metric gets in the lock, and which policies can't be followed."""

import math
from pathlib import Path

import pytest

from repro.capture.baseline import baseline_warnings, make_baseline
from repro.capture.config import Config, load_config
from repro.capture.runs.model import Repeats, spreads
from repro.capture.tolerances import DEFAULT, check_runs
from repro.errors import CaptureError, UsageError
from repro.lock import Gates, Metric, MetricValue, Tolerance
from repro.runner.documents import MeasuredMetric


def config(folder: Path, text: str) -> Config:
    (folder / "repro.toml").write_text(text, encoding="utf-8")
    return load_config(folder)


def locked(
    value: MetricValue, settings: Config, *runs: MetricValue, name: str = "m", digits: int | None = None
) -> Metric:
    measured = [MeasuredMetric(name, value, "metrics.json", digits)]
    repeats = None
    if runs:
        repeats = Repeats(
            1 + len(runs), spreads([measured, *([MeasuredMetric(name, run, "metrics.json")] for run in runs)])
        )
    (metric,) = make_baseline(measured, settings, "work.ipynb", repeats=repeats)
    return metric


@pytest.mark.parametrize(
    ("value", "digits", "tolerance"),
    [
        (0.9, None, DEFAULT),
        (-0.0, None, DEFAULT),
        (math.nan, None, Tolerance()),
        (math.inf, None, Tolerance()),
        (5, None, Tolerance()),
        (True, None, Tolerance()),
        ("cat", None, Tolerance()),
        (0.9, 2, Tolerance(digits=2)),
    ],
)
def test_what_a_metric_gets_without_a_policy(value: MetricValue, digits: int | None, tolerance: Tolerance) -> None:
    assert locked(value, Config(), digits=digits).tolerance == tolerance


@pytest.mark.parametrize(
    ("policy", "tolerance"),
    [
        ("exact = true", Tolerance()),
        ("exact = false", DEFAULT),
        ('direction = "higher"', DEFAULT),
        ("min = 0.5", DEFAULT),
        ("absolute = 0.01", Tolerance(absolute=0.01)),
        ("relative = 1e-4", Tolerance(relative=1e-4)),
        ("ulp = 4", Tolerance(ulp=4)),
        ("ulp = 4\nabsolute = 1e-12", Tolerance(absolute=1e-12, ulp=4)),
        ("samples = 4", Tolerance(samples=4)),
        ("samples = 4\nflips = 1", Tolerance(samples=4, flips=1)),
    ],
)
def test_what_the_author_says_counts(tmp_path: Path, policy: str, tolerance: Tolerance) -> None:
    assert locked(0.75, config(tmp_path, f"[metrics.policy.m]\n{policy}")).tolerance == tolerance


def test_what_runs_show_widens_nothing() -> None:
    metric = locked(0.75, Config(), 0.5, 0.25)
    assert (metric.tolerance, metric.runs) == (DEFAULT, (0.5, 0.25))


def test_a_band_keeps_the_values_that_it_follows_from(tmp_path: Path) -> None:
    metric = locked(0.75, config(tmp_path, "[metrics.policy.m]\nband = true"), 0.5, 0.25)
    assert (metric.tolerance, metric.runs, metric.band) == (Tolerance(band=True), (0.5, 0.25), (0.75, 0.5, 0.25))


def test_runs_that_agree_make_no_band_and_that_is_told(tmp_path: Path) -> None:
    settings = config(tmp_path, "[metrics.policy.m]\nband = true")
    metric = locked(0.75, settings, 0.75, 0.75)
    assert metric.tolerance == DEFAULT
    (warning,) = baseline_warnings([metric], config=settings)
    assert warning == "every run came to the same bits, which makes no band: m; judged as without `band`"


@pytest.mark.parametrize(("runs", "asked"), [(0, "none are"), (1, "1 is"), (2, "2 are")])
def test_a_band_takes_three_runs_which_is_told_before_any(tmp_path: Path, runs: int, asked: str) -> None:
    settings = config(tmp_path, "[metrics.policy.m]\nband = true")
    check_runs(settings, 3)
    check_runs(Config(), runs)
    with pytest.raises(UsageError) as caught:
        check_runs(settings, runs)
    assert caught.value.what == f"a band follows from at least 3 runs, and {asked} asked for"
    assert caught.value.problems == ("m: band = true",)
    assert "--runs 5" in (caught.value.fix or "")


@pytest.mark.parametrize(
    ("value", "runs", "policy", "problem"),
    [
        (0.5, (0.25,), "band = true", "m: a band follows from at least 3 runs, and only 2 ended well"),
        (
            0.5,
            (math.nan, 1.0),
            "band = true",
            "m: a band follows from finite numbers, and the runs reported 0.5, nan",
        ),
        (0.5, ("a", 1.0), "band = true", "m: a band follows from finite numbers, and the runs reported 0.5, 'a', 1.0"),
        (0.5, (1e200, 1.0), "band = true", "m: a band follows from finite numbers"),
        (5, (), "ulp = 1", "m: ulp is for floats, and 5 is an integer: use absolute"),
        (0.92, (), "samples = 285", "m: 0.92 is neither a share of 285 samples nor a count of them"),
        (286, (), "samples = 285", "m: 286 is neither a share of 285 samples nor a count of them"),
        (
            "cat",
            (),
            "absolute = 1.0",
            "m: 'cat' is no number: it is compared exactly, and has no tolerance",
        ),
        (True, (), "min = 1", "m: True is no number"),
        ("cat", (), "direction = 'higher'", "m: 'cat' is no number"),
    ],
)
def test_a_policy_that_does_not_fit_the_values_stops_the_capture(
    tmp_path: Path, value: MetricValue, runs: tuple[MetricValue, ...], policy: str, problem: str
) -> None:
    with pytest.raises(CaptureError) as caught:
        locked(value, config(tmp_path, f"[metrics.policy.m]\n{policy}"), *runs)
    assert caught.value.problems[0].startswith(problem)


def test_a_run_that_does_not_report_a_metric_makes_no_band(tmp_path: Path) -> None:
    measured = [MeasuredMetric("m", 0.5, "x")]
    repeats = Repeats(3, spreads([measured, [MeasuredMetric("m", 0.25, "x")], []]))
    with pytest.raises(CaptureError) as caught:
        make_baseline(measured, config(tmp_path, "[metrics.policy.m]\nband = true"), "a.py", repeats=repeats)
    assert caught.value.problems == ("m: a band follows from finite numbers, and the runs reported 0.5, 0.25, nothing",)


REPORT = {"accuracy": 6 / 7, "macro avg.support": 7, "weighted avg.support": 7}


@pytest.mark.parametrize("prefix", ["", "report."])
@pytest.mark.parametrize("support", [7, 7.0])
def test_a_report_says_how_many_samples_an_accuracy_is_over(prefix: str, support: float) -> None:
    values = {**REPORT, "macro avg.support": support, "weighted avg.support": support}
    metrics = make_baseline([MeasuredMetric(prefix + name, one, "x") for name, one in values.items()], Config(), "a.py")
    assert metrics[0].tolerance == Tolerance(samples=7)


@pytest.mark.parametrize(
    "change",
    [
        {"accuracy": 0.86},
        {"accuracy": math.nextafter(6 / 7, 1.0)},
        {"macro avg.support": 8},
        {"macro avg.support": None},
        {"macro avg.support": "7", "weighted avg.support": "7"},
        {"macro avg.support": True, "weighted avg.support": True},
        {"macro avg.support": 0, "weighted avg.support": 0},
        {"macro avg.support": math.nan, "weighted avg.support": math.nan},
        {"macro avg.support": math.inf, "weighted avg.support": math.inf},
    ],
)
def test_where_that_is_not_certain_nothing_is_counted(change: dict[str, MetricValue | None]) -> None:
    values = {**REPORT, **change}
    measured = [MeasuredMetric(name, one, "x") for name, one in values.items() if one is not None]
    assert make_baseline(measured, Config(), "a.py")[0].tolerance == DEFAULT


def test_a_gate_that_the_laptop_fails_is_a_warning(tmp_path: Path) -> None:
    metric = locked(0.88, config(tmp_path, "[metrics.policy.m]\nmin = 0.9\nmax = 1"))
    assert metric.gates == Gates(0.9, 1.0)
    (warning,) = baseline_warnings([metric])
    assert warning == "m 0.88 is under its gate ≥ 0.9, here already: every verification will fail for it"


def test_a_value_that_the_default_tolerance_swallows_is_told() -> None:
    warnings = baseline_warnings([locked(value, Config(), name=name) for name, value in [("p", 1e-12), ("q", 0.0)]])
    assert [warning.partition(";")[0] for warning in warnings] == [
        "so small that the default tolerance of ±1e-09 is a good part of them: p"
    ]
