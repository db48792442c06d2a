"""Outputs that a lock holds reruns to: what is wrong with them is named with its path."""

import pytest

from repro.errors import IntegrityError
from repro.lock import parse_lock, render_body
from tests.lock.samples import full_lock


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('kind = "figure"', 'kind = "video"', "compared-outputs[0].kind: must be one of table, array, figure"),
        ('path = "notes.txt"', 'path = "../notes.txt"', "compared-outputs[1].path: must be a relative path inside"),
        ('path = "notes.txt"', 'path = "figures/roc.png"', "compared-outputs[1].path: comes twice"),
        ('path = "notes.txt"', 'path = "other.txt"', "compared-outputs[1].path: is not among the outputs: 'other.txt'"),
        ("absolute = 2.0", "absolute = -2.0", "compared-outputs[0].absolute: must be a finite number"),
        ("sanitize = true", 'sanitized = "yes"', "compared-outputs[1].sanitized: unknown field"),
    ],
)
def test_faults_are_named_with_their_paths(old: str, new: str, problem: str) -> None:
    text = render_body(full_lock()).decode()
    assert text.count(old) == 1
    with pytest.raises(IntegrityError) as caught:
        parse_lock(text.replace(old, new).encode())
    assert any(one.startswith(problem) for one in caught.value.problems), caught.value.problems


def test_an_older_lock_has_none() -> None:
    text = render_body(full_lock()).decode().replace('version = "1.4"', 'version = "1.2"', 1)
    with pytest.raises(IntegrityError) as caught:
        parse_lock(text.encode())
    assert "compared-outputs: unknown field" in caught.value.problems
