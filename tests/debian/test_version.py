"""Versions compare as dpkg compares them."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.debian.version import satisfies, version_key

ASCENDING = [
    "0",
    "1.0~~",
    "1.0~~a",
    "1.0~",
    "1.0",
    "1.0-1~bpo12+1",
    "1.0-1",
    "1.0-1+b1",
    "1.0-1.1",
    "1.0a",
    "1.0+dfsg-1",
]
ASCENDING += ["1.0.1", "1.2", "1.10", "2.36-9", "2.36-9+deb12u9", "2.36-9+deb12u14", "1:0.1", "1:1.0-1", "2:0~rc1"]

VERSIONS = st.from_regex(r"([0-9]:)?[0-9][0-9a-z.+~]{0,6}(-[0-9a-z.+~]{1,4})?", fullmatch=True)


def test_known_versions_in_their_order() -> None:
    for lower, higher in itertools.combinations(ASCENDING, 2):
        assert version_key(lower) < version_key(higher), (lower, higher)


@pytest.mark.parametrize(("one", "other"), [("1.0", "1.0-0"), ("1.0", "1.00"), ("0:1.0", "1.0"), ("1.", "1.0")])
def test_different_spellings_of_one_version(one: str, other: str) -> None:
    assert version_key(one) == version_key(other)


@pytest.mark.parametrize("text", ["", " ", "1 2", "a:1", "1.0_2"])
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(ValueError, match=r"version|invalid literal"):
        version_key(text)


@pytest.mark.parametrize(
    ("version", "operator", "wanted", "holds"),
    [
        ("2", ">=", "2", True),
        ("2", ">>", "2", False),
        ("1", "<<", "2", True),
        ("3", "<=", "2", False),
        ("2", "=", "2", True),
    ],
)
def test_relations(version: str, operator: str, wanted: str, *, holds: bool) -> None:
    assert satisfies(version, operator, wanted) is holds


@settings(deadline=None, max_examples=150)
@given(VERSIONS, VERSIONS, VERSIONS)
def test_the_order_is_total(one: str, two: str, three: str) -> None:
    low, _, high = sorted([one, two, three], key=version_key)
    assert version_key(low) <= version_key(high)
    assert (version_key(one) < version_key(two)) + (version_key(two) < version_key(one)) + (
        version_key(one) == version_key(two)
    ) == 1


@settings(deadline=None, max_examples=100)
@given(VERSIONS)
def test_a_tilde_comes_before_the_end_and_everything_else_after(version: str) -> None:
    assert version_key(version + "~") < version_key(version)
    assert version_key(version + "+a") > version_key(version)
