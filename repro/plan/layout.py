"""Where things are in every image. These paths are part of the lock's meaning: changing one changes digests."""

from pathlib import PurePosixPath

PYTHON = PurePosixPath("/opt/python")
"""A packed interpreter, `bin/pythonX.Y` and `lib/pythonX.Y` below it."""

ENVIRONMENT = PurePosixPath("/opt/env")
"""The user's environment, laid out as a virtual environment (PEP 405)."""

RUNNER = PurePosixPath("/opt/repro")
"""The runner: `repro_runner/` (its source), `site-packages/`, `evaluation.json` and `repro.lock`."""

RUNNER_PACKAGES = RUNNER / "site-packages"
EVALUATION = RUNNER / "evaluation.json"
LOCK = RUNNER / "repro.lock"

PROJECT = PurePosixPath("/opt/project")
"""The locked project files, never written to."""

MOUNTED = PurePosixPath("/opt/mounted")
"""Where files that stay out of the image are mounted, under their paths in the project; empty in the image."""

WORK = PurePosixPath("/work")
"""Where the runner lays out a writable copy of the project for each run; empty in the image, mode 1777."""

OUT = PurePosixPath("/out")
"""Where the runner leaves its record and the executed notebook; empty in the image, mode 1777."""

USER = "10001:0"
"""The numeric user and group that the image runs as."""

LABEL = "dev.repro."
"""Prefix of our own image labels; the rest are OCI annotations (image-spec, annotations.md)."""
LABEL_LOCK = LABEL + "lock.digest"
LABEL_CODE = LABEL + "code.digest"
LABEL_DATA = LABEL + "data.digest"
LABEL_MODEL = LABEL + "model.digest"
LABEL_MOUNTED = LABEL + "mounted.digest"
"""Over the files that stay out of the image, whatever their roles."""
LABEL_SUBJECT = LABEL + "subject"
LABEL_VERSION = LABEL + "version"
LABEL_STAGE = LABEL + "stage"
"""On images that exist only while a build runs."""
