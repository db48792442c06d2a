"""The build stage: a lock, checked against the project and fetched whole, becomes an image or a Dockerfile."""

from repro.build.build import build, emit
from repro.build.builders import builder_names, find_builder
from repro.build.project import check_project

__all__ = ["build", "builder_names", "check_project", "emit", "find_builder"]
