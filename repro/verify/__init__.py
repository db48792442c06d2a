"""Image + Lock → Verdict: check what is baked in, rerun it sealed, compare every metric. Nothing here prints."""

from repro.verify.baked import Baked, check_image, find_base, read_baked
from repro.verify.document import SCHEMA, parse_verdict, render_verdict
from repro.verify.model import (
    Finding,
    ImageSummary,
    LockSummary,
    Outcome,
    RunSummary,
    Severity,
    Verdict,
)
from repro.verify.stage import find_image, unfinished, verify

__all__ = [
    "SCHEMA",
    "Baked",
    "Finding",
    "ImageSummary",
    "LockSummary",
    "Outcome",
    "RunSummary",
    "Severity",
    "Verdict",
    "check_image",
    "find_base",
    "find_image",
    "parse_verdict",
    "read_baked",
    "render_verdict",
    "unfinished",
    "verify",
]
