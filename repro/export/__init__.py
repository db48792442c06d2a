"""A lock's packages in the field's own formats, so that nobody is locked in."""

from repro.export.conda_explicit import conda_explicit
from repro.export.conda_lock import conda_lock
from repro.export.left_out import Format, left_out
from repro.export.pylock import pylock
from repro.export.requirements import requirements

__all__ = ["Format", "conda_explicit", "conda_lock", "left_out", "pylock", "requirements"]
