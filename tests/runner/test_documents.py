"""The documents read back exactly as they were written."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.runner.documents import (
    CellRun,
    Evaluation,
    ExpectedMetric,
    Failure,
    MeasuredMetric,
    RunRecord,
    StagedFile,
    decode_value,
    encode_value,
    same_bits,
)

SCALARS = st.one_of(st.floats(), st.integers(), st.booleans(), st.text())
TEXT = st.text(max_size=20)
WHOLE = st.none() | st.integers(-9, 9)
TOLERANCE = st.none() | st.floats(0, 1)
TEXTS = st.dictionaries(TEXT, TEXT, max_size=3).map(lambda found: dict(sorted(found.items())))

EVALUATIONS = st.builds(
    Evaluation,
    kind=st.sampled_from(["notebook", "script"]),
    path=TEXT,
    python=TEXT,
    python_version=TEXT,
    args=st.lists(TEXT, max_size=2).map(tuple),
    environment=TEXTS,
    timeout=st.none() | st.floats(0, 1e6),
    metrics=st.lists(
        st.builds(
            ExpectedMetric,
            TEXT,
            SCALARS,
            st.none() | TEXT,
            TOLERANCE,
            TOLERANCE,
            st.booleans(),
            WHOLE,
            WHOLE,
            WHOLE,
            st.integers(0, 9),
            st.lists(st.floats(0, 1), max_size=3).map(tuple),
            TOLERANCE,
            TOLERANCE,
        ),
        max_size=3,
    ).map(tuple),
    metrics_exclude=st.lists(TEXT, max_size=2).map(tuple),
    files=st.lists(st.builds(StagedFile, TEXT, TEXT, TEXT, st.integers(0), st.booleans()), max_size=3).map(tuple),
    directories=st.lists(TEXT, max_size=3).map(tuple),
)
RECORDS = st.builds(
    RunRecord,
    lock_digest=TEXT,
    failure=st.none() | st.builds(Failure, TEXT, TEXT, st.none() | st.integers(1), TEXT, TEXT, st.tuples(TEXT)),
    metrics=st.lists(st.builds(MeasuredMetric, TEXT, SCALARS, TEXT, WHOLE), max_size=3).map(tuple),
    warnings=st.tuples(TEXT),
    cells=st.lists(st.builds(CellRun, st.integers(1), st.floats(0, 1e6)), max_size=3).map(tuple),
    seconds=st.floats(0, 1e6),
    packages=TEXTS,
    machine=TEXTS,
)


@given(SCALARS)
def test_a_value_survives_bit_for_bit(value):
    assert same_bits(decode_value(json.loads(json.dumps(encode_value(value)))), value)


@given(EVALUATIONS)
def test_an_evaluation_survives_and_its_bytes_are_canonical(evaluation):
    data = evaluation.to_json()
    again = Evaluation.from_json(data)
    assert again.to_json() == data
    assert repr(again) == repr(evaluation)


@given(RECORDS)
def test_a_record_survives(record):
    assert repr(RunRecord.from_json(record.to_json())) == repr(record)


@pytest.mark.parametrize("value", [None, [1], {"a": 1}, 1j, b"x"])
def test_only_scalars_are_values(value):
    with pytest.raises(TypeError, match="can't be a"):
        encode_value(value)


@pytest.mark.parametrize("data", [{"type": "bool", "text": "yes"}, {"type": "list", "text": "[]"}])
def test_unknown_values_are_refused(data):
    with pytest.raises(ValueError, match="not a metric value"):
        decode_value(data)


def test_another_schema_is_refused():
    with pytest.raises(ValueError, match=r"not a repro\.run/1 document"):
        RunRecord.from_json(b'{"schema": "repro.run/2"}')


def test_a_record_of_another_shape_is_refused():
    data = json.loads(RunRecord().to_json())
    data["metrics"] = [{"name": "auc"}]
    with pytest.raises(ValueError, match="not a run record"):
        RunRecord.from_json(json.dumps(data).encode())


@pytest.mark.parametrize("change", [{"args": None}, {"metrics": [{"name": "auc"}]}, {"files": [{"p": 1}]}, {"new": 1}])
def test_an_evaluation_of_another_shape_is_refused(change):
    data = json.loads(Evaluation("script", "a.py", "/python", "3.11.7").to_json())
    with pytest.raises(ValueError, match="not an evaluation"):
        Evaluation.from_json(json.dumps({**data, **change}).encode())


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (0.0, -0.0, False),
        (math.nan, -math.nan, True),
        (math.inf, math.inf, True),
        (1, 1.0, False),
        (True, 1, False),
        (0.1 + 0.2, 0.3, False),
        ("a", "a", True),
    ],
)
def test_same_bits(left, right, same):
    assert same_bits(left, right) is same
