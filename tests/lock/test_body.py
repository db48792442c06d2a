"""What the lock digest covers: the body, and nothing that follows from it."""

import re
import shutil
import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.errors import IntegrityError
from repro.lock import load_lock, lock_body, parse_lock, read_lock, render_body, render_lock
from repro.lock.body import SEPARATOR
from tests.lock.samples import full_lock, predicted_image

WHOLE = render_lock(full_lock())
BODY = render_body(full_lock())
LINE = f"{SEPARATOR}\n".encode()
REST = WHOLE.removeprefix(BODY)
MANUAL = Path(__file__).parents[2] / "docs" / "formats" / "lock.md"


def test_the_body_is_a_lock_without_predictions() -> None:
    assert lock_body(WHOLE) == BODY
    assert render_lock(replace(full_lock(), predicted=())) == BODY
    assert render_lock(parse_lock(BODY)) == BODY
    assert parse_lock(BODY).predicted == ()
    assert len(parse_lock(WHOLE).predicted) == 1


def test_predictions_do_not_change_the_body() -> None:
    other = replace(full_lock(), predicted=(replace(predicted_image(), format=2),))
    assert render_lock(other) != WHOLE
    assert lock_body(render_lock(other)) == BODY


def test_a_loaded_lock_comes_with_its_body_and_a_read_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "repro.lock"
    path.write_bytes(WHOLE)
    lock, body = load_lock(path)
    assert body == BODY
    assert render_lock(lock) == read_lock(path) == WHOLE


def test_both_parts_together_are_one_document_for_other_readers() -> None:
    whole, body = (tomllib.loads(data.decode(), parse_float=str) for data in (WHOLE, BODY))
    predicted = whole.pop("predicted")
    assert whole == body
    assert predicted[0]["layers"][0]["name"] == "wheel-numpy"


@pytest.mark.skipif(shutil.which("sed") is None, reason="the manual's command needs sed")
def test_the_command_in_the_manual_prints_the_body() -> None:
    found = re.search(r"^\$ sed '(.+)' repro\.lock \| sha256sum$", MANUAL.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    for data in (WHOLE, BODY):
        done = subprocess.run(["sed", found[1]], input=data, capture_output=True, check=True)
        assert done.stdout == BODY


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from(["\n", "\r", '"', "'", "x", SEPARATOR]), min_size=1))
def test_no_value_can_end_the_body(pieces: list[str]) -> None:
    text = "".join(pieces)
    lock = full_lock()
    environment = replace(lock.environment, variables={text: text})
    lock = replace(lock, environment=environment, outputs=(f"a{text}",), compared=())
    assert lock_body(render_lock(lock)) == render_body(lock)
    assert render_lock(parse_lock(render_lock(lock))) == render_lock(lock)


@pytest.mark.parametrize("line", [SEPARATOR + " ", " " + SEPARATOR, SEPARATOR + "\r", SEPARATOR[:-1], "#" + SEPARATOR])
def test_only_the_exact_line_separates(line: str) -> None:
    data = BODY + line.encode() + b"\n"
    assert lock_body(data) == data


def test_the_first_separator_counts() -> None:
    assert lock_body(WHOLE + LINE + REST) == BODY
    with pytest.raises(IntegrityError):
        parse_lock(BODY + LINE + WHOLE.removeprefix(BODY + LINE).replace(b"format = 1", LINE + b"form = 1"))


def test_a_separator_inside_a_value_leaves_a_body_that_is_no_lock() -> None:
    data = BODY.replace(b'MODE = "', b'MODE = """\n' + LINE + b'\n[[predicted]]\n""" # "')
    assert tomllib.loads(data.decode())["environment"]["variables"]["MODE"].startswith(SEPARATOR)
    with pytest.raises(IntegrityError, match="not valid TOML"):
        parse_lock(data)


@pytest.mark.parametrize(
    ("rest", "problem"),
    [
        (LINE, "must be followed by"),
        (LINE.rstrip(), "must be followed by"),
        (LINE + b"\n", "must be followed by"),
        (LINE + b"\npredicted = []\n", "must be followed by"),
        (LINE + b'\n[modules]\nmine = ["mine"]\n', "must be followed by"),
        (LINE + b"[[predicted]]\n", "must be followed by"),
        (LINE + b"\n[[predicted]]\n" + b"\n[[packages]]\n", "packages: unknown field"),
        (LINE + b"\n[[predicted]]\n" + b"\n[modules.mine]\n", "modules: unknown field"),
        (REST + b"\n[policy]\ntimeout = 1\n", "policy: unknown field"),
        (REST.removeprefix(LINE), "predicted: must come after the line"),
        (REST.replace(b"\n", b"\r\n"), "predicted: must come after the line"),
        (b"\nx = 1\n" + REST, "modules.x: must be an array of strings"),
    ],
)
def test_what_follows_the_body_can_only_be_predictions(rest: bytes, problem: str) -> None:
    with pytest.raises(IntegrityError, match=re.escape(problem)):
        parse_lock(BODY + rest)


def test_predictions_are_unknown_to_format_1_0() -> None:
    old = (Path(__file__).parent / "fixtures" / "lock-1.0.toml").read_bytes()
    with pytest.raises(IntegrityError, match="predicted: unknown field"):
        parse_lock(old + REST)


def test_faults_of_both_parts_are_told_at_once_with_the_line_of_the_file() -> None:
    with pytest.raises(IntegrityError) as caught:
        parse_lock(WHOLE.replace(b"\nthreads = 4", b"\nthreads = -4").replace(b"format = 1", b"format = -1"))
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "environment.threads",
        "predicted[0].format",
    ]
    broken = WHOLE.replace(b"format = 1", b"format = ")
    with pytest.raises(IntegrityError, match=f"at line {broken.split(b'format = ')[0].count(10) + 1}, column"):
        parse_lock(broken)
