"""Arrays in files, read without NumPy, and compared by their elements."""

import io
import json
import math
import struct
import zipfile
from array import array
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.outputs import read_arrays as reader
from repro.outputs.arrays import Array, compare_arrays
from repro.outputs.model import Content, Tolerance, UnreadableError
from repro.outputs.read_arrays import read_arrays

TOLERANCE = Tolerance(absolute=1e-9, relative=1e-6)


def npy(descr: str, shape: tuple[int, ...], data: bytes, *, fortran: bool = False, version: bytes = b"\1\0") -> bytes:
    """As NumPy's own `format` module writes it."""
    header = f"{{'descr': {descr!r}, 'fortran_order': {fortran}, 'shape': {shape!r}, }}"
    length = struct.calcsize("<H" if version == b"\1\0" else "<I")
    header += " " * (-(len(header) + 8 + length + 1) % 64) + "\n"
    size = struct.pack("<H" if version == b"\1\0" else "<I", len(header))
    return b"\x93NUMPY" + version + size + header.encode() + data


def npz(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return stream.getvalue()


def tensors(header: dict[str, object], data: bytes) -> bytes:
    encoded = json.dumps(header).encode()
    return struct.pack("<Q", len(encoded)) + encoded + data


def read(tmp_path: Path, name: str, content: bytes) -> dict[str, Array]:
    path = tmp_path / name
    path.write_bytes(content)
    return read_arrays(path, path.suffix)


def compared(one: Array, other: Array, tolerance: Tolerance = TOLERANCE) -> Content:
    return compare_arrays({"": one}, {"": other}, tolerance)


def floats(*values: float) -> Array:
    return Array("float64", (len(values),), values)


@pytest.mark.parametrize(
    ("descr", "data", "dtype", "elements"),
    [
        ("<f8", struct.pack("<2d", 0.5, -1.0), "float64", [0.5, -1.0]),
        (">f8", struct.pack(">2d", 0.5, -1.0), "float64", [0.5, -1.0]),
        ("<f4", struct.pack("<2f", 0.5, -1.0), "float32", [0.5, -1.0]),
        ("<f2", struct.pack("<2e", 0.5, -1.0), "float16", [0.5, -1.0]),
        ("<i8", struct.pack("<2q", 2**62, -1), "int64", [2**62, -1]),
        (">u2", struct.pack(">2H", 1, 65535), "uint16", [1, 65535]),
        ("|b1", b"\1\0", "bool", [True, False]),
        ("|u1", b"\1\xff", "uint8", [1, 255]),
        ("<c16", struct.pack("<4d", 1, 2, 3, 4), "complex128", [1 + 2j, 3 + 4j]),
        ("<U2", "æ\0hi".encode("utf-32-le"), "U2", ["æ", "hi"]),
        ("|S2", b"a\0hi", "S2", ["a", "hi"]),
        ("<M8[ns]", struct.pack("<2q", 7, 9), "datetime64", [7, 9]),
    ],
)
def test_types(tmp_path: Path, descr: str, data: bytes, dtype: str, elements: list[object]) -> None:
    (found,) = read(tmp_path, "a.npy", npy(descr, (2,), data)).values()
    assert (found.dtype, found.shape, list(found.elements)) == (dtype, (2,), elements)


def test_orders_and_versions_are_one_content(tmp_path: Path) -> None:
    rows = npy("<i4", (2, 3), struct.pack("<6i", 1, 2, 3, 4, 5, 6))
    columns = npy("<i4", (2, 3), struct.pack("<6i", 1, 4, 2, 5, 3, 6), fortran=True, version=b"\2\0")
    one, other = read(tmp_path, "a.npy", rows)[""], read(tmp_path, "b.npy", columns)[""]
    assert compared(one, other).status == "same"
    assert list(other.elements) == [1, 2, 3, 4, 5, 6]


def test_archives_and_tensors_have_names(tmp_path: Path) -> None:
    found = read(tmp_path, "a.npz", npz(x=npy("<f8", (), struct.pack("<d", 2.5)), y=npy("<i4", (0,), b"")))
    assert {name: list(one.elements) for name, one in found.items()} == {"x": [2.5], "y": []}
    header = {
        "__metadata__": {"format": "pt"},
        "w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]},
        "b": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]},
    }
    found = read(tmp_path, "m.safetensors", tensors(header, struct.pack("<2Hf", 0x3F80, 0xC000, 0.5)))
    assert {name: (one.dtype, list(one.elements)) for name, one in found.items()} == {
        "b": ("float32", [0.5]),
        "w": ("bfloat16", [1.0, -2.0]),
    }


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (npy("|O", (1,), b"\x80\x04."), "a.npy", "only unpickling could read"),
        (b"\x93NUMPY\x01\x00\xff\xff{", "a.npy", "damaged"),
        (b"", "a.npy", "no .npy"),
        (npy("<f8", (1 << 40,), b""), "a.npy", "more than 16000000 elements"),
        (npy("<f8", (2,), b"short"), "a.npy", "not as long as its shape says"),
        (npy("<f8", (-1,), b""), "a.npy", "its shape is none"),
        (npy("<f16", (1,), bytes(16)), "a.npy", "aren't compared"),
        (npy("<U99999999999", (0,), b""), "a.npy", ""),
        (b"PK\3\4garbage", "a.npz", "damaged"),
        (struct.pack("<Q", 1 << 60) + b"{}", "m.safetensors", "longer than the file"),
        (tensors({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 400]}}, b"1234"), "m.safetensors", "outside"),
        (tensors({"a": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}}, b"1"), "m.safetensors", "F8_E4M3"),
        (tensors({"a": {"dtype": "F32"}}, b""), "m.safetensors", "damaged"),
    ],
)
def test_what_is_broken_or_needs_pickle_is_refused(tmp_path: Path, content: bytes, name: str, reason: str) -> None:
    if reason:
        with pytest.raises(UnreadableError, match=reason):
            read(tmp_path, name, content)
    else:
        assert list(read(tmp_path, name, content)[""].elements) == []


def test_a_bomb_in_an_archive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST_BYTES", 1 << 16)
    bomb = npz(a=npy("<f8", (1 << 15,), bytes(8 << 15)))
    assert len(bomb) < 1 << 12
    with pytest.raises(UnreadableError, match="holds more than"):
        read(tmp_path, "a.npz", bomb)


@given(st.binary(max_size=120))
@settings(deadline=None, max_examples=80)
def test_whatever_is_in_a_file_it_is_arrays_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    beginnings = {".npy": b"\x93NUMPY\1\0", ".npz": b"PK\3\4", ".safetensors": struct.pack("<Q", len(data))}
    for suffix, beginning in beginnings.items():
        path.write_bytes(beginning + data)
        with suppress(UnreadableError):
            read_arrays(path, suffix)


def test_elements_within_and_beyond_the_tolerance() -> None:
    near = compared(floats(0.5, 2.0), floats(0.5 + 1e-10, 2.0))
    assert (near.status, near.summary) == (
        "within",
        "1 element of float64 2 differ within the tolerance, by 1e-10 at most",
    )
    far = compared(Array("float64", (2, 2), (1.0, 2.0, 4.0, 8.0)), Array("float64", (2, 2), (1.0, 2.0, 5.0, 8.5)))
    assert far.status == "moved"
    assert far.summary == (
        "2 of 4 elements differ (0.5 of all), most at [1, 0]: 4.0, here 5.0; by 1 and 0.25 of it at most"
    )


def test_nan_and_infinities() -> None:
    assert compared(floats(math.nan, math.inf), floats(math.nan, math.inf)).status == "same"
    for here in (floats(0.0), floats(-math.inf), floats(math.inf)):
        assert compared(floats(math.nan), here, Tolerance(1e300, 1e300)).status == "moved"
    assert compared(floats(math.inf), floats(-math.inf), Tolerance(1e300, 1e300)).status == "moved"


def test_complex_numbers_by_both_parts() -> None:
    def one(value: complex) -> Array:
        return Array("complex128", (1,), (value,))

    assert compared(one(1 + 1j), one(1 + (1 + 1e-10) * 1j)).status == "within"
    assert compared(one(1 + 1j), one(1 + 2j)).status == "moved"
    assert compared(one(complex(1e308, 1e308)), one(complex(-1e308, -1e308))).status == "moved"


def test_shapes_types_and_names() -> None:
    found = compared(floats(1.0), Array("float32", (1, 1), (1.0,)))
    assert (found.summary, found.details) == ("type float32, on the laptop float64", ("shape 1 x 1, on the laptop 1",))
    found = compare_arrays({"a": floats(1.0), "b": floats(1.0)}, {"b": floats(1.5), "c": floats(1.0)}, TOLERANCE)
    assert found.summary == "1 array missing: a"
    assert found.details[0] == "1 array more than on the laptop: c"
    assert found.details[1].startswith("b: 1 of 1 element differ, most at [0]: 1.0, here 1.5")


def test_a_confusion_matrix_tells_how_many_samples_moved() -> None:
    found = compared(Array("int64", (2, 2), (50, 3, 2, 45)), Array("int64", (2, 2), (49, 4, 2, 45)))
    assert found.details == ("as counts: 1 of 100 samples moved to other cells",)


@given(st.lists(st.floats(width=64), max_size=20))
@settings(deadline=None, max_examples=100)
def test_what_was_written_is_read_and_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, values: list[float]
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.npy"
    path.write_bytes(npy("<f8", (len(values),), array("d", values).tobytes()))
    (found,) = read_arrays(path, ".npy").values()
    assert list(map(repr, found.elements)) == list(map(repr, values))
    assert compared(found, found).status == "same"
