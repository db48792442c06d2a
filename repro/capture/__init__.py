"""Laptop → Lock: find the kernel, rerun the work, see what it really used, pin all of it."""

from repro.capture.capture import capture
from repro.capture.request import CaptureRequest, CaptureResult

__all__ = ["CaptureRequest", "CaptureResult", "capture"]
