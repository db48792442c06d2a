"""Reads protocol buffers without their descriptions (protobuf.dev/programming-guides/encoding)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Union

_VARINT, _BYTES = 0, 2
_FIXED = {1: 8, 5: 4}
_LONGEST = 10  # bytes of a 64-bit varint


class Message:
    """The fields of one message by their numbers. ValueError when the bytes are none."""

    def __init__(self, data: bytes) -> None:
        self._fields: dict[int, list[Union[int, bytes]]] = {}
        for number, value in _fields(data):
            self._fields.setdefault(number, []).append(value)

    def blobs(self, number: int) -> list[bytes]:
        """Every value of a field that has bytes: text, messages, fixed numbers."""
        return [value for value in self._fields.get(number, []) if isinstance(value, bytes)]

    def ints(self, number: int) -> list[int]:
        """Every signed integer of a field, packed or one by one."""
        found: list[int] = []
        for value in self._fields.get(number, []):
            if isinstance(value, int):
                found.append(value)
                continue
            place = 0
            while place < len(value):
                one, place = _varint(value, place)
                found.append(one)
        return [one - (1 << 64) if one >> 63 else one for one in found]

    def numbers(self, number: int, code: str) -> list[float]:
        """Every float or double of a field (struct code `<f`, `<d`), packed or one by one. ValueError when cut off."""
        data = b"".join(self.blobs(number))
        if len(data) % struct.calcsize(code):
            msg = "a number that is cut off"
            raise ValueError(msg)
        return [one for (one,) in struct.iter_unpack(code, data)]


def _fields(data: bytes) -> Iterator[tuple[int, Union[int, bytes]]]:
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, place = _varint(data, place)
            yield number, value
            continue
        if kind == _BYTES:
            length, place = _varint(data, place)
        elif kind in _FIXED:
            length = _FIXED[kind]
        else:
            msg = f"a field of kind {kind}"
            raise ValueError(msg)
        if place + length > len(data):
            msg = "a field that is cut off"
            raise ValueError(msg)
        yield number, data[place : place + length]
        place += length


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[place : place + _LONGEST]):
        value |= (byte & 0x7F) << (7 * index)
        if not byte >> 7:
            return value & 0xFFFFFFFFFFFFFFFF, place + index + 1
    msg = "a number that is cut off"
    raise ValueError(msg)
