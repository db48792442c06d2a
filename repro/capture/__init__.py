"""Laptop → Lock: find the kernel, rerun the work, see what it really used, pin all of it: `repro.capture.capture`."""
