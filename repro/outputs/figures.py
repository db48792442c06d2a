"""Figures side by side, by their decoded pixels: what a file says of itself (dates, software) doesn't count."""

import math
import warnings
from pathlib import Path
from typing import Any

from repro.outputs.limits import MOST_PIXELS
from repro.outputs.model import Content, UnreadableError

_MODES = frozenset(["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "La", "CMYK", "YCbCr"])
_WIDEST = 800
"""Pixels of each of the three in a side-by-side picture."""
_AMPLIFIED = 8


def compare_figures(baseline: Path, here: Path, tolerance: float, picture: Path | None) -> Content:
    """Compare two figures by the root mean square of their pixels' differences, of 255, on white ground.

    Args:
        baseline: Of the laptop.
        here: Of this run.
        tolerance: Largest root mean square that is "within".
        picture: Where a picture of both and their difference goes when they differ, or None.

    Raises:
        UnreadableError: One of them is no PNG or JPEG, is too large, or Pillow isn't there.
    """
    try:
        from PIL import ImageChops, ImageStat  # noqa: PLC0415 - an extra: only where figures are compared
    except ImportError as error:
        raise UnreadableError("Pillow isn't installed beside repro: `pip install 'repro[outputs]'`") from error
    left, right = _opened(baseline), _opened(here)
    if left.size != right.size:
        _draw(left, right, None, picture)
        return Content("moved", f"{_size(right)} pixels, on the laptop {_size(left)}")
    difference = ImageChops.difference(left, right)
    squares = ImageStat.Stat(difference).rms
    distance = math.sqrt(sum(one * one for one in squares) / len(squares))
    if not distance:
        return Content("same", f"the same {_size(left)} pixels in other bytes")
    _draw(left, right, difference, picture)
    told = f"pixels differ by {distance:.3g} of 255 (root mean square)"
    box = difference.getbbox()
    where = (f"between ({box[0]}, {box[1]}) and ({box[2]}, {box[3]}) of {_size(left)}",) if box else ()
    return Content("within" if distance <= tolerance else "moved", told, where)


def _opened(path: Path) -> Any:
    """Its pixels on white. Raises UnreadableError."""
    from PIL import Image  # noqa: PLC0415 - see above

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes: ours is the limit that counts
            with Image.open(path, formats=("PNG", "JPEG")) as image:
                if math.prod(image.size) > MOST_PIXELS:
                    raise UnreadableError(f"it has more than {MOST_PIXELS} pixels")
                if image.mode not in _MODES:
                    raise UnreadableError(f"pixels of type {image.mode} aren't compared")
                pixels = image.convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadableError(f"it is no PNG or JPEG that can be decoded: {str(error)[:200]}") from error
    ground = Image.new("RGBA", pixels.size, "white")
    return Image.alpha_composite(ground, pixels).convert("RGB")


def _size(image: Any) -> str:
    return f"{image.size[0]} x {image.size[1]}"


def _draw(left: Any, right: Any, difference: Any, place: Path | None) -> None:
    """The laptop's, this run's, and their difference, amplified, beside each other."""
    if place is None:
        return
    from PIL import Image  # noqa: PLC0415 - see above

    amplified = None if difference is None else difference.point(lambda value: min(255, value * _AMPLIFIED))
    parts = [one.copy() for one in (left, right, amplified) if one is not None]
    for one in parts:
        one.thumbnail((_WIDEST, _WIDEST))
    gap = 8
    width = sum(one.size[0] for one in parts) + gap * (len(parts) - 1)
    sheet = Image.new("RGB", (width, max(one.size[1] for one in parts)), "gray")
    at = 0
    for one in parts:
        sheet.paste(one, (at, 0))
        at += one.size[0] + gap
    sheet.save(place, format="PNG")
