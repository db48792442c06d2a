"""The build stage: a lock, checked against the project, becomes an image where it was asked for, or a Dockerfile."""

from repro.build.build import BuildRequest, build, emit
from repro.build.builders import builder_names, find_builder
from repro.build.outputs import Output, parse_output
from repro.build.prepare import Sources
from repro.build.project import check_project

__all__ = [
    "BuildRequest",
    "Output",
    "Sources",
    "build",
    "builder_names",
    "check_project",
    "emit",
    "find_builder",
    "parse_output",
]
