"""Figures by their pixels."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from repro.outputs import figures
from repro.outputs.figures import compare_figures
from repro.outputs.model import UnreadableError


def figure(end: int = 90, mode: str = "RGB", size: tuple[int, int] = (60, 40), form: str = "PNG", **how: Any) -> bytes:
    image = Image.new(mode, size, "white")
    ImageDraw.Draw(image).line((0, 0, 50, end), fill="black", width=3)
    stream = io.BytesIO()
    image.save(stream, form, **how)
    return stream.getvalue()


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_metadata_compression_and_transparency_that_is_white_do_not_count(tmp_path: Path) -> None:
    info = PngInfo()
    info.add_text("Software", "Matplotlib version3.10, another day")
    one = written(tmp_path / "one.png", figure(30))
    for number, data in enumerate([figure(30, pnginfo=info), figure(30, compress_level=0), figure(30, "RGBA")]):
        found = compare_figures(one, written(tmp_path / f"{number}.png", data), 2.0, None)
        assert (found.status, found.summary) == ("same", "the same 60 x 40 pixels in other bytes")


def test_a_difference_is_measured_and_drawn(tmp_path: Path) -> None:
    one, other = written(tmp_path / "one.png", figure(30)), written(tmp_path / "other.png", figure(20))
    picture = tmp_path / "picture.png"
    found = compare_figures(one, other, 2.0, picture)
    assert found.status == "moved"
    assert "of 255 (root mean square)" in found.summary
    assert found.details[0].endswith("of 60 x 40")
    with Image.open(picture) as drawn:
        assert drawn.size == (60 * 3 + 16, 40)
    assert compare_figures(one, other, 255.0, None).status == "within"


def test_other_sizes_are_moved(tmp_path: Path) -> None:
    one, other = written(tmp_path / "one.png", figure(30)), written(tmp_path / "other.png", figure(30, size=(61, 40)))
    found = compare_figures(one, other, 255.0, tmp_path / "picture.png")
    assert (found.status, found.summary) == ("moved", "61 x 40 pixels, on the laptop 60 x 40")
    assert (tmp_path / "picture.png").is_file()


def _bomb() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", figure(30)[:-40], figure(30)[:20], _bomb(), figure(30, form="GIF"), figure(30)[:8] * 9]
)
def test_what_cannot_be_decoded_is_refused(tmp_path: Path, data: bytes) -> None:
    one = written(tmp_path / "one.png", figure(30))
    with pytest.raises(UnreadableError):
        compare_figures(one, written(tmp_path / "other.png", data), 2.0, None)


def test_too_many_pixels_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = written(tmp_path / "one.png", figure(30))
    monkeypatch.setattr(figures, "MOST_PIXELS", 100)
    with pytest.raises(UnreadableError, match="more than 100 pixels"):
        compare_figures(one, one, 2.0, None)
