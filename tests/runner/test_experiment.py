"""Runs that set something otherwise than the lock: what is set is set, the record says so, and nothing is verified."""

import json
import time
from typing import Any

import pytest

from repro.runner.documents import Evaluation, RunRecord
from repro.runner.execute import execute
from repro.runner.experiment import Experiment

LISTS = """
import glob, json, os, pathlib
found = {
    "listdir": ",".join(os.listdir("data")),
    "scandir": ",".join(entry.name for entry in os.scandir("data")),
    "iterdir": ",".join(path.name for path in pathlib.Path("data").iterdir()),
    "glob": ",".join(map(os.path.basename, glob.glob("data/*"))),
    "walk": ",".join(next(os.walk("data"))[2]),
}
json.dump(found, open("metrics.json", "w"))
"""
CLOCKS = """
import datetime, json, pickle, time
from datetime import date, datetime as moment
given = datetime.datetime(2020, 2, 29, 12)
found = {
    "time": time.time(), "time_ns": time.time_ns() / 1e9, "localtime": time.mktime(time.localtime()),
    "now": datetime.datetime.now().timestamp(), "utc": moment.now(datetime.timezone.utc).timestamp(),
    "today": date.today().isoformat(), "strftime": time.strftime("%Y-%m-%d"), "ctime": time.ctime()[-4:],
    "given": time.strftime("%Y", time.gmtime(0)), "copies": pickle.loads(pickle.dumps(given)) == given,
    "is": isinstance(given, moment) and isinstance(given, date) and type(given - given) is datetime.timedelta,
}
json.dump(found, open("metrics.json", "w"))
"""
VARIABLES = """
import json, os
json.dump({name: os.environ.get(name, "") for name in ("TZ", "KEPT", "NEW")}, open("metrics.json", "w"))
"""


def ran(
    bench: Any, source: str, experiment: Experiment | None = None, **variables: str
) -> tuple[dict[str, Any], RunRecord]:
    (bench.root / "work.py").write_text(source)
    evaluation = Evaluation("script", "work.py", bench.python, "", environment=variables)
    record = execute(evaluation, bench.root, bench.out, experiment=experiment)
    assert record.failure is None, record.failure
    return {metric.name: metric.value for metric in record.metrics}, record


@pytest.fixture
def data(bench: Any) -> list[str]:
    names = ["b", "d", "a", "c"]
    (bench.root / "data").mkdir()
    for name in names:
        (bench.root / "data" / name).touch()
    return names


def test_variables_are_set_on_top_of_the_evaluations(bench: Any) -> None:
    found, record = ran(bench, VARIABLES, Experiment({"TZ": "Asia/Tokyo", "NEW": "1"}), TZ="UTC", KEPT="yes")
    assert found == {"TZ": "Asia/Tokyo", "KEPT": "yes", "NEW": "1"}
    assert record.experiment == {
        "environment": {"TZ": "Asia/Tokyo", "NEW": "1"},
        "order": "",
        "listings": {},
        "clock": None,
    }


def test_a_run_without_one_is_not_marked(bench: Any) -> None:
    found, record = ran(bench, VARIABLES, TZ="UTC")
    assert found["TZ"] == "UTC"
    assert record.experiment is None
    assert RunRecord.from_json(record.to_json()) == record


@pytest.mark.parametrize(
    ("experiment", "expected"),
    [
        (Experiment(order="sorted"), "a,b,c,d"),
        (Experiment(order="reversed"), "d,c,b,a"),
        (Experiment(order="listed", listings={"data": ["c", "a", "d", "b", "gone"]}), "c,a,d,b"),
    ],
)
def test_folders_are_listed_in_the_order_that_is_asked_for(
    bench: Any, data: list[str], experiment: Experiment, expected: str
) -> None:
    found, _ = ran(bench, LISTS, experiment)
    assert found == dict.fromkeys(("listdir", "scandir", "iterdir", "glob", "walk"), expected)


def test_through_the_shim_the_given_order_stays(bench: Any, data: list[str]) -> None:
    plain, _ = ran(bench, LISTS)
    assert ran(bench, LISTS, Experiment(order="given"))[0] == plain


def test_names_that_are_not_listed_come_last(bench: Any, data: list[str]) -> None:
    found, _ = ran(bench, LISTS, Experiment(order="listed", listings={"data": ["d"]}))
    assert found["listdir"].startswith("d,")
    assert sorted(found["listdir"].split(",")) == sorted(data)


def test_the_clock_is_set(bench: Any) -> None:
    ahead = -400 * 86400.0
    before = time.time() + ahead
    found, _ = ran(bench, CLOCKS, Experiment(clock=ahead), TZ="UTC")
    after = time.time() + ahead
    for name in ("time", "time_ns", "localtime", "now", "utc"):
        assert before - 1 <= found[name] <= after + 1, name  # some are whole seconds
    days = {time.strftime("%Y-%m-%d", time.gmtime(then)) for then in (before, after)}  # two at midnight
    assert {found["today"], found["strftime"]} <= days
    assert found["ctime"] in {day[:4] for day in days}
    assert (found["given"], found["copies"], found["is"]) == ("1970", True, True)


def test_a_notebook_runs_under_a_shifted_clock(bench: Any) -> None:
    bench.write_notebook(
        "import datetime, json\nyear = datetime.date.today().year",
        "json.dump({'year': year}, open('metrics.json', 'w'))",
    )
    ahead = -20 * 366 * 86400.0
    evaluation = Evaluation("notebook", "work.ipynb", bench.python, "", environment={"TZ": "UTC"})
    before = time.time() + ahead
    record = execute(evaluation, bench.root, bench.out, experiment=Experiment(order="given", clock=ahead))
    after = time.time() + ahead
    assert record.failure is None, record.failure
    (year,) = (metric.value for metric in record.metrics)
    assert year in {time.gmtime(then).tm_year for then in (before, after)}  # two at New Year


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "no json",
        '{"environment": {"A=B": "1"}, "order": "", "listings": {}, "clock": null}',
        '{"environment": {}, "order": "random", "listings": {}, "clock": null}',
        '{"environment": {}, "order": "", "listings": {}, "clock": "noon"}',
    ],
)
def test_what_is_no_experiment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"experiment|Expecting"):
        Experiment.from_json(text)


def test_it_survives_its_document() -> None:
    one = Experiment({"TZ": "UTC"}, "listed", {"data": ["a"]}, -1.5)
    assert Experiment.from_json(one.to_json()) == one
    assert json.loads(one.to_json())["clock"] == -1.5


def test_the_shim_is_a_file_of_the_runner() -> None:
    assert [path.name for path in Experiment(order="given").hooks] == ["repro_swaps.py"]
    assert all(path.is_file() for path in Experiment(clock=0.0).hooks)
    assert Experiment({"A": "1"}).hooks == ()
