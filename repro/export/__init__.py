"""A lock's packages in the field's own formats, so that nobody is locked in."""

from repro.export.pylock import pylock
from repro.export.requirements import requirements

__all__ = ["pylock", "requirements"]
