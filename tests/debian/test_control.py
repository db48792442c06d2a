"""Paragraphs and relations as archives write them."""

import pytest

from repro.debian.control import Relation, paragraphs, relations
from repro.errors import IntegrityError


def test_fields_of_several_paragraphs() -> None:
    text = "Package: a\nDescription: one\n two\n .\n three\n\n# note\nPackage: b\nDepends: c\n"
    first, second = paragraphs(text, "here")
    assert first == {"package": "a", "description": "one\ntwo\n.\nthree"}
    assert second == {"package": "b", "depends": "c"}


@pytest.mark.parametrize("text", ["no colon", "A: 1\nA: 2", ": value"])
def test_what_is_no_control_file(text: str) -> None:
    with pytest.raises(IntegrityError, match="not a control file"):
        list(paragraphs(text, "here"))


def test_relations_with_all_their_parts() -> None:
    found = relations("libc6 (>= 2.34), a | b:any (<< 2~) | c [amd64], python3:any")
    assert found == (
        (Relation("libc6", ">=", "2.34"),),
        (Relation("a"), Relation("b", "<<", "2~", "any"), Relation("c")),
        (Relation("python3", architecture="any"),),
    )


@pytest.mark.parametrize("text", ["a (>= )", "A_b", "a b", "a (~ 1)"])
def test_what_is_no_relation(text: str) -> None:
    with pytest.raises(IntegrityError, match="not a relation"):
        relations(text)
