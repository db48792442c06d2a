"""The lock: the one document that capture writes and everything else reads."""

from repro.lock.model import (
    Base,
    Baseline,
    Environment,
    Lock,
    LockedFile,
    Metric,
    MetricValue,
    Origin,
    Package,
    PackageFile,
    PackedPython,
    Policy,
    Python,
    Role,
    Runner,
    Subject,
    Tolerance,
)
from repro.lock.reader import load_lock, parse_lock
from repro.lock.writer import render_lock

__all__ = [
    "Base",
    "Baseline",
    "Environment",
    "Lock",
    "LockedFile",
    "Metric",
    "MetricValue",
    "Origin",
    "Package",
    "PackageFile",
    "PackedPython",
    "Policy",
    "Python",
    "Role",
    "Runner",
    "Subject",
    "Tolerance",
    "load_lock",
    "parse_lock",
    "render_lock",
]
