"""What tables of data look like: made by capture, and made again wherever a file differs, to say in which way."""

from repro.profiles.compare import differences
from repro.profiles.compute import Profiled, TableFile, profile_files, table_kind
from repro.profiles.explain import explain_changes
from repro.profiles.limits import ProfileLimits

__all__ = [
    "ProfileLimits",
    "Profiled",
    "TableFile",
    "differences",
    "explain_changes",
    "profile_files",
    "table_kind",
]
