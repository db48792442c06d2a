"""Lock → BuildPlan: a pure function, and the only thing that builders share."""

from repro.plan.builder import Artifacts, Assembler, Builder, BuiltImage, Healable, Supplies
from repro.plan.make import make_plan
from repro.plan.model import (
    BuildPlan,
    Compile,
    CondaLink,
    CondaScripts,
    Content,
    Deb,
    Directory,
    ImageConfig,
    InlineFile,
    Item,
    Layer,
    Link,
    ProjectFile,
    Unpack,
    Wheel,
)
from repro.plan.runner import runner_digest, runner_sources

__all__ = [
    "Artifacts",
    "Assembler",
    "BuildPlan",
    "Builder",
    "BuiltImage",
    "Compile",
    "CondaLink",
    "CondaScripts",
    "Content",
    "Deb",
    "Directory",
    "Healable",
    "ImageConfig",
    "InlineFile",
    "Item",
    "Layer",
    "Link",
    "ProjectFile",
    "Supplies",
    "Unpack",
    "Wheel",
    "make_plan",
    "runner_digest",
    "runner_sources",
]
