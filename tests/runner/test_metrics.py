"""Metrics from every source, exact to the bit."""

import math
import os

import nbformat
import pytest

from repro.runner.documents import MeasuredMetric, RunRecord
from repro.runner.metrics import stored_metrics
from repro.runner.metrics_files import file_stamp, read_metrics_files
from repro.runner.metrics_outputs import METRICS_MIME, SCRAP_MIME, read_repr
from repro.runner.metrics_printed import pattern_entry

FLOAT32_TENTH = 0.10000000149011612


SCALARS = """\
%time plain = 1
auc = 0.1 + 0.2
n, (m, *rest) = 5, (True, 1, 2)
label: str = 'cat'
n += 1
nan = float('nan')
inf = -np.inf
zero = -0.0
big = 10**30
f32 = np.float32(0.1)
f16 = np.float16(0.1)
i = np.int64(7)
flag = np.bool_(False)
text = np.str_('x')
longdouble = np.longdouble('0.5')
zero_d = np.array(2.5)
_hidden = 3
model = Path('m')
array = np.ones(3)
for loop in range(3): pass
"""


def shown(record: RunRecord) -> dict[str, str]:
    """By repr: NaN is comparable, -0.0 differs from 0.0, and 1 from True and 1.0."""
    assert record.failure is None, record.failure
    return {metric.name: repr(metric.value) for metric in record.metrics}


def test_assigned_scalars(bench):
    record = bench.notebook(
        "import numpy as np\nfrom pathlib import Path",
        (SCALARS, "metrics"),
    )
    assert shown(record) == {
        "auc": repr(0.1 + 0.2),
        "n": "6",
        "m": "True",
        "label": "'cat'",
        "nan": "nan",
        "inf": "-inf",
        "zero": "-0.0",
        "big": str(10**30),
        "f32": repr(FLOAT32_TENTH),
        "f16": "0.0999755859375",
        "i": "7",
        "flag": "False",
        "text": "'x'",
        "longdouble": "0.5",
        "zero_d": "2.5",
    }
    assert {metric.source for metric in record.metrics} == {"cell:2"}


def test_the_last_value_wins_over_assignments(bench):
    record = bench.notebook(
        "import numpy as np, pandas as pd",
        (
            "ignored = 1\n{'a': np.float32(0.1), 'per': {'class': [1, 2.5]}, 'cm': np.array([[1, 2]]), 3: np.nan}",
            "metrics",
        ),
        ("pd.Series({'s': np.float64(0.1), ('x', 1): 2})", "metrics"),
        ("%%time\npd.Series([1, 2], index=['p', 'q'])", "metrics"),
        ("later = 5\nprint('no value')", "metrics"),
    )
    assert shown(record) == {
        "a": repr(FLOAT32_TENTH),
        "per.class[0]": "1",
        "per.class[1]": "2.5",
        "cm[0][0]": "1",
        "cm[0][1]": "2",
        "3": "nan",
        "s": "0.1",
        "x.1": "2.0",
        "p": "1",
        "q": "2",
        "later": "5",
    }


def test_a_tagged_cell_that_reports_nothing_is_warned_about(bench):
    record = bench.notebook(("print('auc', 0.9)", "metrics"))
    assert (record.failure, record.metrics) == (None, ())
    assert record.warnings[0] == "cell 1 is tagged metrics but neither ends in a mapping nor assigns a number"


@pytest.mark.parametrize(
    ("cell", "warning"),
    [
        ("pd.DataFrame({'a': [1]})", "cell 2 is tagged metrics but ends in a DataFrame; {cure}"),
        ("[0.1, 0.2]", "cell 2 is tagged metrics but ends in a list; {cure}"),
        ("0.5", "cell 2 is tagged metrics but ends in a float; {cure}"),
        ("{}", "cell 2 is tagged metrics but ends in an empty dict; {cure}"),
        ("auc = 0.9\n[auc]", "cell 2 is tagged metrics but the list that it ends in was not taken; {cure}"),
        (
            "auc = 0.9\nfolds, d = np.ones(2), {'a': 1}\nfrom pathlib import Path; model = Path('m')",
            "cell 2 is tagged metrics but folds (ndarray), d (dict) were not taken; {cure}",
        ),
    ],
)
def test_what_a_tagged_cell_does_not_report_is_named(bench, cell, warning):
    record = bench.notebook("import numpy as np, pandas as pd", (cell, "metrics"))
    assert record.failure is None
    assert record.warnings[0] == warning.format(cure="end it in a dict or Series of numbers")
    assert [metric.name for metric in record.metrics] == (["auc"] if "auc" in cell else [])


@pytest.mark.parametrize(
    "cell", ["auc = 0.9\nauc", "auc = 0.9\nprint(auc)", "auc = 0.9\nobject()", "l = [1]\n{'auc': 1}"]
)
def test_a_tagged_cell_that_reports_is_not_warned_about(bench, cell):
    record = bench.notebook((cell, "metrics"))
    assert not [warning for warning in record.warnings if "tagged" in warning]


def test_a_number_that_no_document_can_hold_is_named(bench):
    failure = bench.notebook(("{'n': 10**4000 - 1, 'm': -10**4100}", "metrics")).failure
    assert (failure.kind, failure.problems) == ("metrics", ("cell:1: metric m is an int of more than 4000 digits",))


def test_a_value_that_is_no_scalar_is_named(bench):
    failure = bench.notebook(("{'model': object(), 'ok': 1}", "metrics")).failure
    assert failure.kind == "metrics"
    assert failure.problems == ("cell:1: metric model is a object, not a number, a bool or text",)


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("{'auc': None, 'n': 1}", "auc"),
        ("{'auc': {'val': [None]}, 'n': 1}", "auc.val[0]"),
        ("auc = None\nn = 1", "auc"),
    ],
)
def test_a_metric_without_a_value_in_a_tagged_cell_is_passed_over_by_name(bench, cell, name):
    record = bench.notebook((cell, "metrics"))
    assert (record.failure, [metric.name for metric in record.metrics]) == (None, ["n"])
    cure = "let the run compute it, or leave the name out"
    assert record.warnings[0] == f"cell:1: {name} has no value (None), so it was not taken; {cure}"
    assert not any("tagged" in warning for warning in record.warnings)


def test_asking_leaves_no_mark(bench):
    """The same cells with and without the tag: names, history, counts and `_` are the same afterwards."""
    look = (
        "sorted(name for name in globals()), [line for line in In], {k: repr(v) for k, v in Out.items()}, repr(_), "
        "get_ipython().execution_count"
    )
    seen = []
    for tags in ((), ("metrics",)):
        bench.notebook(("7", *tags), ("x = 1\n{'auc': x}", *tags), ("y = 2", *tags), look)
        executed = bench.executed()
        seen.append([(cell.execution_count, [out.data for out in cell.outputs]) for cell in executed.cells])
    assert seen[0] == seen[1]
    assert seen[0][3][0] == 4


def test_display_keeps_what_json_cannot(bench):
    record = bench.notebook(
        "import numpy as np",
        f"display({{'{METRICS_MIME}': {{'auc': 0.1 + 0.2, 'n': 3, 'one': 1.0, 'f': False, 't': 'text', 'zero': -0.0, "
        "'nan': float('nan'), 'inf': float('-inf'), 'np_nan': np.float64('nan'), 'np32': np.float32(0.1), "
        "'np32_nan': np.float32('nan'), 'i': np.int64(7), 'nested': {'list': [1, 2]}}}, raw=True)",
    )
    assert shown(record) == {
        "auc": repr(0.1 + 0.2),
        "n": "3",
        "one": "1.0",
        "f": "False",
        "t": "'text'",
        "zero": "-0.0",
        "nan": "nan",
        "inf": "-inf",
        "np_nan": "nan",
        "np32": repr(FLOAT32_TENTH),
        "np32_nan": "nan",
        "i": "7",
        "nested.list[0]": "1",
        "nested.list[1]": "2",
    }
    assert {metric.source for metric in record.metrics} == {"display:2"}


def test_scrapbook(bench):
    scrap = "display({'%s': {'name': %r, 'data': %s, 'encoder': %r, 'version': 1}}, raw=True)"
    record = bench.notebook(
        "\n".join(
            [
                scrap % (SCRAP_MIME, "auc", "0.25", "json"),
                scrap % (SCRAP_MIME, "loss", "float('inf')", "json"),
                scrap % (SCRAP_MIME, "both", "{'a': 1, 'b': 2.5}", "json"),
                scrap % (SCRAP_MIME, "rows", "[[1, 2], [3, 4]]", "json"),
                scrap % (SCRAP_MIME, "words", "'x'", "text"),
            ]
        )
    )
    assert [(metric.name, metric.value, metric.source) for metric in record.metrics] == [
        ("auc", 0.25, "scrapbook:1"),
        ("loss", math.inf, "scrapbook:1"),
        ("both.a", 1, "scrapbook:1"),
        ("both.b", 2.5, "scrapbook:1"),
    ]


def test_one_name_from_two_sources(bench):
    write = "import json; json.dump({'auc': %s, 'n': 1}, open('metrics.json', 'w'))"
    record = bench.notebook(write % 0.9, ("auc = 0.9\nn = 1.0", "metrics"))
    assert record.metrics == (MeasuredMetric("auc", 0.9, "metrics.json"), MeasuredMetric("n", 1, "metrics.json"))
    failure = bench.notebook(write % 0.9, ("auc = 0.8", "metrics")).failure
    assert failure.kind == "metrics"
    assert failure.problems == ("auc is 0.9 in metrics.json but 0.8 in cell:2",)


def test_a_file_rewritten_with_the_same_content_counts(bench):
    (bench.root / "metrics.json").write_text('{"auc": 0.9}')
    record = bench.notebook("open('metrics.json', 'w').write('{\"auc\": 0.9}') and None")
    assert shown(record) == {"auc": "0.9"}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "m.json",
            '{"a": 1, "b": 1.0, "c": NaN, "d": -Infinity, "e": {"f": [true, "x"]}, "g": 0.30000000000000004}',
            "a=1 b=1.0 c=nan d=-inf e.f[0]=True e.f[1]='x' g=0.30000000000000004",
        ),
        ("m.json", '\ufeff{"a": -0.0}', "a=-0.0"),
        ("m.json", "{}", ""),
        (
            "m.yaml",
            "a: 1\nb: 1.0\nc: .nan\nd: -.inf\ne: 1e-05\nf: {g: [yes, two]}\nh: '1e5'\ni: -3\nj: 1.5e3",
            "a=1 b=1.0 c=nan d=-inf e=1e-05 f.g[0]=True f.g[1]='two' h='1e5' i=-3 j=1500.0",
        ),
        (
            "m.toml",
            'a = 1\nb = 1.0\nc = nan\nd = -inf\n[e]\nf = [true, "x"]',
            "a=1 b=1.0 c=nan d=-inf e.f[0]=True e.f[1]='x'",
        ),
    ],
)
def test_files(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text, encoding="utf-8")
    found = read_metrics_files(tmp_path, [name])
    assert found.problems == []
    assert " ".join(f"{metric.name}={metric.value!r}" for metric in found.metrics) == expected


def test_nulls_and_dates_beside_metrics_are_passed_over_by_name(tmp_path):
    (tmp_path / "m.json").write_text('{"auc": 1, "best": null}', encoding="utf-8")
    (tmp_path / "m.toml").write_text("a = 2024-01-01\nb = 2", encoding="utf-8")
    found = read_metrics_files(tmp_path, ["m.json", "m.toml"])
    assert (found.problems, [metric.name for metric in found.metrics]) == ([], ["auc", "b"])
    assert found.warnings == [
        "m.json: best has no value (null), so it was not taken; let the run compute it, or leave the name out",
        "m.toml: a is a date or time, not a number, a bool or text: it was not taken",
    ]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("m.json", "{", "m.json: not valid JSON"),
        ("m.json", "[1]", "m.json: holds a list, not names with values"),
        ("m.json", '{"auc": 1, "auc": 2}', "m.json: the same name twice: auc"),
        ("m.json", b"\xff\xfe", "m.json: 'utf-8' codec can't decode"),
        ("m.yaml", "a: [", "m.yaml: not valid YAML"),
        ("m.yaml", "a: !!binary aGk=", "m.yaml: metric a is a bytes, not a number, a bool or text"),
        ("m.yaml", "a: !!python/object:os.system x", "m.yaml: not valid YAML"),
        ("m.toml", "a =", "m.toml: not valid TOML"),
        ("m.yaml", "a: &a\n  b: *a", "m.yaml: nested too deeply"),
        ("m.json", "[" * 100_000 + "]" * 100_000, "m.json: nested too deeply"),
        ("m.yaml", "[" * 5000 + "]" * 5000, "m.yaml: nested too deeply"),
        ("m.json", '{"n": ' + "9" * 5000 + "}", "m.json: metric n is an int of more than 4000 digits"),
        ("m.yaml", "n: -" + "9" * 5000, "m.yaml: metric n is an int of more than 4000 digits"),
    ],
)
def test_files_with_faults(tmp_path, name, text, problem):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    (found,) = read_metrics_files(tmp_path, [name]).problems
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"": 1}', "m.json: a metric without a name"),
        ('{"a\\udc80": 1}', "m.json: metric 'a\\udc80' has a name that can't be written as UTF-8"),
        ('{"a": "\\udc80"}', "m.json: metric 'a' is text that can't be written as UTF-8"),
        ('{"a": %s}' % ("9" * 4001), "m.json: metric a is an int of more than 4000 digits"),
    ],
)
def test_metrics_that_no_document_can_hold(tmp_path, text, problem):
    (tmp_path / "m.json").write_text(text)
    failure = stored_metrics(None, tmp_path, ["m.json"]).failure
    assert (failure.kind, failure.problems) == ("metrics", (problem,))


def test_a_file_of_an_earlier_run_is_left_out_even_with_its_time_put_back(tmp_path):
    file = tmp_path / "m.json"
    file.write_text('{"a": 1}')
    before = {name: file_stamp(tmp_path / name) for name in ("m.json", "none.json")}
    assert read_metrics_files(tmp_path, ["m.json", "none.json"], before).metrics == []
    times = file.stat()
    while file.stat().st_ctime_ns == times.st_ctime_ns:  # the file system's clock may be a slow one
        file.write_text('{"a": 2}')
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert [metric.value for metric in read_metrics_files(tmp_path, ["m.json"], before).metrics] == [2]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{'a': 0.1, 'b': [1, True], 'c': 'x'}", {"a": 0.1, "b": [1, True], "c": "x"}),
        ("{'a': np.float64(0.1), 'b': np.int64(3), 'c': np.True_}", {"a": 0.1, "b": 3, "c": True}),
        ("{'a': np.float64(0.1), 'b': -np.int64(3)}", {"a": 0.1, "b": -3}),
        ("{'a': np.float32(0.1), 'i': -inf}", {"a": FLOAT32_TENTH, "i": -math.inf}),
        ("{'a': np.float16(0.1)}", {"a": 0.0999755859375}),
        ("__import__('os').getcwd()", None),
        ("np.load('x')", "x"),
        ("{'a': ...", None),
        ("   a    b\n0  1", None),
    ],
)
def test_reading_reprs_back(text, value):
    assert read_repr(text) == value


def stored(*cells: tuple[list[str], list[nbformat.NotebookNode]]) -> nbformat.NotebookNode:
    made = [nbformat.v4.new_code_cell("…", metadata={"tags": tags}, outputs=outputs) for tags, outputs in cells]
    return nbformat.v4.new_notebook(cells=made)


def test_stored_metrics(tmp_path):
    (tmp_path / "metrics.json").write_text('{"auc": 0.9}')
    result = nbformat.v4.new_output("execute_result", {"text/plain": "{'acc': np.float64(0.8),\n 'nan': nan}"})
    display = nbformat.v4.new_output("display_data", {METRICS_MIME: {"loss": "inf", "n": 3}})
    table = nbformat.v4.new_output("execute_result", {"text/plain": "   a\n0  1"})
    notebook = stored((["metrics"], [result]), ([], [display]), (["metrics"], [table]), (["metrics"], [display]))
    collected = stored_metrics(notebook, tmp_path, ["metrics.json", "none.yaml"])
    assert collected.failure is None
    assert [(metric.name, repr(metric.value), metric.source) for metric in collected.metrics] == [
        ("auc", "0.9", "metrics.json"),
        ("acc", "0.8", "cell:1"),
        ("nan", "nan", "cell:1"),
        ("loss", "inf", "display:2"),
        ("n", "3", "display:2"),
    ]
    assert collected.warnings == ("cell 3 is tagged metrics, but its stored outputs hold no values that can be read",)


def test_stored_metrics_of_a_script(tmp_path):
    assert stored_metrics(None, tmp_path, ["metrics.json"]).metrics == ()


def test_what_was_printed_counts_where_it_is_asked_for(bench):
    entries = (pattern_entry("auc", r"AUC: (\S+)"), pattern_entry("loss", r"loss=(\S+)"))
    record = bench.script("print('AUC: 0.5')\nprint('AUC: 0.75', flush=True)", metrics_files=entries)
    assert record.metrics == (MeasuredMetric("auc", 0.75, "printed:output.log", digits=2),)
    assert record.warnings[0] == "metrics.patterns.loss: nothing that was printed matches 'loss=(\\\\S+)'"
    record = bench.notebook("print('AUC: 0.5')", ("auc = 0.5123", "metrics"), "'loss=1'", metrics_files=entries)
    assert record.metrics == (MeasuredMetric("auc", 0.5123, "cell:2"), MeasuredMetric("loss", "1'", "printed:3"))
    assert record.warnings[0] == "auc is 0.5123 in cell:2 but 0.5 in printed:1: the first counts"
