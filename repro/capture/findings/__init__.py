"""What in a notebook or script makes a rerun differ or fail, with place and cure: a module for each family of rules.

`rules` lists them. Nothing here prints, and nothing stops a capture.
"""

from repro.capture.findings.model import LEVELS, Finding, Level, Rule, Run
from repro.capture.findings.rules import NAMES, RULES, find, settle
from repro.capture.findings.source import Cell, Place, Source, notebook_source, script_source

__all__ = [
    "LEVELS",
    "NAMES",
    "RULES",
    "Cell",
    "Finding",
    "Level",
    "Place",
    "Rule",
    "Run",
    "Source",
    "find",
    "notebook_source",
    "script_source",
    "settle",
]
