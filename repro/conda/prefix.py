"""Replacing the prefix that a package was built in by the one that it is linked into, as conda does. Pure."""

import re
from collections.abc import Iterator
from mmap import mmap

Content = mmap | bytes

_BLOCK = 1 << 20
_LONGEST_LINE = 127
"""Bytes of a first line that every Linux reads; longer ones were cut before 5.1 (BINPRM_BUF_SIZE)."""
_PROGRAM_LINE = re.compile(rb"#! *(/(?:\\ |[^ \n\r\t])*)(.*)", re.DOTALL)
_PYTHON = re.compile(rb"python(?:\d+(?:\.\d+)?)?")


def replaced_text(data: Content, start: int, end: int, old: bytes, new: bytes) -> Iterator[bytes]:
    """`data[start:end]` as a text with every `old` replaced, in pieces.

    A first line that names a program, and that kernels would not read to its end, goes by way of a shell.
    """
    if data[start : start + 2] == b"#!":
        newline = data.find(b"\n", start, end)
        rest = end if newline < 0 else newline
        yield _program_line(data[start:rest].replace(old, new))
        start = rest
    while (found := data.find(old, start, end)) >= 0:
        yield from _blocks(data, start, found)
        yield new
        start = found + len(old)
    yield from _blocks(data, start, end)


def replaced_strings(data: Content, start: int, end: int, old: bytes, new: bytes) -> Iterator[bytes]:
    """`data[start:end]` with `old` replaced inside of strings that end in NUL, in pieces; it stays as long as it was.

    What a string lost in front is added as NULs behind it. `new` is no longer than `old`.
    """
    while (found := data.find(old, start, end)) >= 0:
        yield from _blocks(data, start, found)
        start, padding = found, 0
        string = data.find(b"\0", found, end)
        string = end if string < 0 else string
        while (found := data.find(old, start, string)) >= 0:
            yield from _blocks(data, start, found)
            yield new
            start, padding = found + len(old), padding + len(old) - len(new)
        yield from _blocks(data, start, string)
        yield bytes(padding)
        start = string
    yield from _blocks(data, start, end)


def _program_line(line: bytes) -> bytes:
    """A first line that is short enough, by way of `env` or, for a Python, of a shell that runs it by its path."""
    parts = _PROGRAM_LINE.fullmatch(line)
    if len(line) <= _LONGEST_LINE or parts is None:
        return line
    program, options = parts.groups()
    name = program.rpartition(b"/")[2]
    if _PYTHON.fullmatch(name):
        return b"#!/bin/sh\n'''exec' \"%b\"%b \"$0\" \"$@\" #'''" % (program, options)
    return b"#!/usr/bin/env %b%b" % (name, options)


def _blocks(data: Content, start: int, end: int) -> Iterator[bytes]:
    for place in range(start, end, _BLOCK):
        yield data[place : min(place + _BLOCK, end)]
