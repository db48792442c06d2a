"""The laptop's prefix in texts, and the image's in its place. Pure."""

import os
import re

from repro.conda.environment import CondaPrefix
from repro.plan import layout


def mentions(data: bytes, conda: CondaPrefix) -> bool:
    """Whether the address of an environment is in some bytes."""
    return any(place in data for place in _places(conda))


def portable(data: bytes, conda: CondaPrefix) -> bytes:
    """The bytes of a text with the image's prefix in place of the laptop's; longer names that begin so stay."""
    for place in _places(conda):
        data = re.sub(re.escape(place) + rb"(?![\w.-])", os.fsencode(layout.ENVIRONMENT), data)
    return data


def _places(conda: CondaPrefix) -> list[bytes]:
    return sorted({os.fsencode(conda.path), os.fsencode(conda.real)}, key=len, reverse=True)
