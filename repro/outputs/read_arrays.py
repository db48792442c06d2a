"""Files → arrays, without NumPy and without unpickling anything: .npy, .npz and .safetensors.

Formats: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html and
https://github.com/huggingface/safetensors#format.
"""

import ast
import itertools
import json
import math
import struct
import sys
import zipfile
import zlib
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro.outputs.arrays import Array, Element
from repro.outputs.limits import MOST_BYTES, MOST_ELEMENTS
from repro.outputs.model import UnreadableError, shown

_MAGIC = b"\x93NUMPY"
_MOST_HEADER = 1 << 20
_MOST_ARRAYS = 10_000
_MOST_DIMENSIONS = 64
_VERSIONS = {(1, 0): "<H", (2, 0): "<I", (3, 0): "<I"}
_CODES = {"b1": "b", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q",
          "f2": "e", "f4": "f", "f8": "d", "M8": "q", "m8": "q"}  # fmt: skip
_WORDS = {"b": "bool", "i": "int", "u": "uint", "f": "float", "c": "complex", "M": "datetime", "m": "timedelta"}
_TENSORS = {"BOOL": "b1", "U8": "u1", "I8": "i1", "U16": "u2", "I16": "i2", "U32": "u4", "I32": "i4", "U64": "u8",
            "I64": "i8", "F16": "f2", "BF16": "bf", "F32": "f4", "F64": "f8"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Type:
    """An element as NumPy's `descr` says it: order of bytes (`<` or `>`), kind and bytes (`f8`, `U12`)."""

    order: str
    code: str

    @property
    def size(self) -> int:
        """Bytes of one element."""
        if self.code == "bf":
            return 2
        number = int(self.code[1:])
        return number * 4 if self.code[0] == "U" else number

    @property
    def name(self) -> str:
        """As NumPy calls it."""
        if self.code == "bf":
            return "bfloat16"
        word = _WORDS.get(self.code[0])
        if word is None:
            return self.code
        return "bool" if word == "bool" else f"{word}{8 * self.size}"


def read_arrays(path: Path, suffix: str) -> dict[str, Array]:
    """The arrays of a file by name; the one of an .npy is named "".

    Raises:
        UnreadableError: It isn't such a file, is too large, or holds what only pickle could read.
        OSError: It can't be read.
    """
    try:
        if suffix == ".npy":
            return {"": _npy(path.read_bytes())}
        return _archive(path) if suffix == ".npz" else _tensors(path.read_bytes())
    except (struct.error, ValueError, KeyError, TypeError, SyntaxError, RecursionError, zlib.error) as error:
        raise UnreadableError(f"it is damaged: {shown(str(error))}") from error


def _archive(path: Path) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.infolist() if one.filename.endswith(".npy")]
            if sum(one.file_size for one in members) > MOST_BYTES or len(members) > _MOST_ARRAYS:
                raise UnreadableError(f"it holds more than {MOST_BYTES >> 20} MiB or {_MOST_ARRAYS} arrays")
            return {one.filename.removesuffix(".npy"): _npy(_member(archive, one)) for one in members}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise UnreadableError(f"it is damaged: {shown(str(error))}") from error


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Its bytes, as many as it says that it has: another number is told by zipfile, or cut."""
    with archive.open(member) as stream:
        return stream.read(member.file_size)


def _npy(data: bytes) -> Array:
    if data[:6] != _MAGIC or len(data) < 8:  # noqa: PLR2004 - magic and version
        raise UnreadableError("it is no .npy file")
    form = _VERSIONS.get((data[6], data[7]))
    if form is None:
        raise UnreadableError(f"version {data[6]}.{data[7]} of .npy is unknown")
    (length,) = struct.unpack_from(form, data, 8)
    start = 8 + struct.calcsize(form)
    if length > _MOST_HEADER:
        raise UnreadableError("its header is too long")
    header = ast.literal_eval(data[start : start + length].decode("utf-8").strip())
    return _array(_npy_type(header["descr"]), header["shape"], data[start + length :], fortran=header["fortran_order"])


def _npy_type(description: object) -> _Type:
    if not isinstance(description, str):
        raise UnreadableError("its elements are records, which aren't compared: save their fields as arrays")
    order, code = description[:1], description[1:]
    code, _, unit = code.partition("[")
    text = code[:1] in ("S", "U") and code[1:].isdigit()
    if code[:1] == "O":
        raise UnreadableError("its elements are Python objects, which only unpickling could read")
    if not (code in _CODES or code in ("c8", "c16") or text) or (unit and code[0] not in "Mm"):
        raise UnreadableError(f"elements of type {shown(description)} aren't compared")
    big = order == ">" or (order == "=" and sys.byteorder == "big")
    return _Type(">" if big else "<", code)


def _tensors(data: bytes) -> dict[str, Array]:
    (length,) = struct.unpack_from("<Q", data)
    if length > min(len(data), 64 * _MOST_HEADER):
        raise UnreadableError("its header is longer than the file, or than anyone writes")
    header = json.loads(data[8 : 8 + length])
    if not isinstance(header, dict):
        raise UnreadableError("its header is none")
    header.pop("__metadata__", None)
    if len(header) > _MOST_ARRAYS:
        raise UnreadableError(f"it holds more than {_MOST_ARRAYS} arrays")
    return {name: _tensor(one, memoryview(data)[8 + length :]) for name, one in sorted(header.items())}


def _tensor(described: Mapping[str, Any], data: memoryview) -> Array:
    code = _TENSORS.get(described["dtype"])
    if code is None:
        raise UnreadableError(f"tensors of type {shown(described['dtype'])} aren't compared")
    begin, end = described["data_offsets"]
    if not 0 <= begin <= end <= len(data):
        raise UnreadableError("a tensor lies outside of the file")
    return _array(_Type("<", code), described["shape"], data[begin:end])


def _array(kind: _Type, shape: Sequence[object], data: bytes | memoryview, *, fortran: bool = False) -> Array:
    lengths = [one for one in shape if isinstance(one, int) and not isinstance(one, bool) and one >= 0]
    if len(lengths) != len(shape) or len(shape) > _MOST_DIMENSIONS:
        raise UnreadableError("its shape is none")
    number = math.prod(lengths)
    if number > MOST_ELEMENTS:
        raise UnreadableError(f"it has more than {MOST_ELEMENTS} elements")
    if len(data) != number * kind.size:
        raise UnreadableError("its data are not as long as its shape says")
    elements = _elements(kind, bytes(data), number)
    if fortran and len(lengths) > 1:
        elements = _in_c_order(elements, lengths)
    return Array(kind.name, tuple(lengths), elements)


def _elements(kind: _Type, data: bytes, number: int) -> Sequence[Element]:
    if kind.code[0] in "SU":
        return _texts(kind, data, number)
    if kind.code[0] == "c":
        parts = _numbers("f4" if kind.code == "c8" else "f8", kind.order, data)
        return list(itertools.starmap(complex, zip(parts[::2], parts[1::2], strict=True)))
    numbers = _bfloats(data) if kind.code == "bf" else _numbers(kind.code, kind.order, data)
    return list(map(bool, numbers)) if kind.code == "b1" else numbers


def _numbers(code: str, order: str, data: bytes) -> Sequence[int | float]:
    letter = _CODES[code]
    if letter == "e":
        return struct.unpack(f"{order}{len(data) // 2}e", data)
    numbers: array[Any] = array(letter)
    if numbers.itemsize != int(code[1:]):
        raise UnreadableError(f"this machine has no numbers of {int(code[1:])} bytes")
    numbers.frombytes(data)
    if (order == ">") != (sys.byteorder == "big"):
        numbers.byteswap()
    return numbers


def _bfloats(data: bytes) -> Sequence[float]:
    """The upper halves of 32-bit floats."""
    halves = _numbers("u2", "<", data)
    wide = array("I", [int(half) << 16 for half in halves])
    return memoryview(wide).cast("B").cast("f")


def _texts(kind: _Type, data: bytes, number: int) -> list[Element]:
    encoding = {"U": f"utf-32-{'be' if kind.order == '>' else 'le'}", "S": "latin-1"}[kind.code[0]]
    pieces = (data[place * kind.size : (place + 1) * kind.size] for place in range(number))
    return [piece.decode(encoding, "backslashreplace").rstrip("\0") for piece in pieces]


def _in_c_order(elements: Sequence[Element], shape: Sequence[int]) -> list[Element]:
    """Elements that were written with the first index running fastest."""
    strides = list(itertools.accumulate(shape[:-1], initial=1, func=lambda product, length: product * length))
    offsets: Callable[[Sequence[int]], int] = lambda index: sum(map(int.__mul__, index, strides))  # noqa: E731 - short
    return [elements[offsets(index)] for index in itertools.product(*map(range, shape))]
