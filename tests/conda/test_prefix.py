"""Replacing prefixes: as a plain replacement in texts, and without moving a byte in binaries."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.conda.prefix import replaced_strings, replaced_text

OLD, NEW = b"/old/place_hold", b"/opt/env"
PIECES = st.lists(st.sampled_from([OLD, OLD[:9], b"\0", b"\n", b"text", b"/", b"#!"]), max_size=24).map(b"".join)


def text(data: bytes, old: bytes = OLD, new: bytes = NEW) -> bytes:
    framed = b"before" + data + b"after"
    return b"".join(replaced_text(framed, 6, 6 + len(data), old, new))


def strings(data: bytes) -> bytes:
    framed = b"before" + data + OLD
    return b"".join(replaced_strings(framed, 6, 6 + len(data), OLD, NEW))


@given(PIECES)
def test_texts_are_replaced_wherever_the_prefix_is(data: bytes) -> None:
    assert text(b"." + data) == b"." + data.replace(OLD, NEW)


@given(PIECES)
def test_binaries_keep_their_length_and_everything_outside_of_changed_strings(data: bytes) -> None:
    made = strings(data)
    assert len(made) == len(data)
    place = 0
    for string in re.findall(rb"[^\0]*\0?", data):
        body, end = string.rstrip(b"\0"), string[len(string.rstrip(b"\0")) :]
        expected = body.replace(OLD, NEW).ljust(len(body), b"\0") + end
        assert made[place : place + len(string)] == expected
        place += len(string)


def test_large_contents_come_in_pieces() -> None:
    data = b"x" * (3 << 20) + OLD + b"/lib\0" + b"y" * (2 << 20)
    assert max(map(len, replaced_strings(data, 0, len(data), OLD, NEW))) <= 1 << 20
    assert b"".join(replaced_strings(data, 0, len(data), OLD, NEW))[3 << 20 :].startswith(NEW + b"/lib\0")


def test_a_first_line_that_fits_stays_a_path() -> None:
    assert text(b"#!" + OLD + b"/bin/python -s\nimport x\n") == b"#!/opt/env/bin/python -s\nimport x\n"
    assert text(b"#!" + OLD + b"/bin/tool") == b"#!/opt/env/bin/tool"


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (b"perl", b"#!/usr/bin/env perl -w"),
        (b"python3.11", b"#!/bin/sh\n'''exec' \"%b/bin/python3.11\" -w \"$0\" \"$@\" #'''"),
    ],
)
def test_a_first_line_that_kernels_would_cut_takes_a_detour(program: bytes, expected: bytes) -> None:
    long = b"/" + b"x" * 120
    expected = expected % long if b"%b" in expected else expected
    assert text(b"#!" + OLD + b"/bin/" + program + b" -w\nrest", new=long) == expected + b"\nrest"
