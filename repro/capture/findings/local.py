"""Findings in the project's own modules that a run imported: random numbers, the network, the clock, and paths.

Only in code that the subject can get to, and only where the run doesn't speak against it.
"""

from collections.abc import Iterator

from repro.capture.findings import clock, network, paths, randomness
from repro.capture.findings.model import Finding, Run
from repro.capture.findings.reach import reached
from repro.capture.findings.source import Source


def in_modules(subject: Source, run: Run) -> Iterator[Finding]:
    """Each at its file and line, but for what a comment there allows.

    Args:
        subject: What imported the modules.
        run: The modules, and what else it showed.
    """
    modules = reached(subject, run.modules)
    for module in modules:
        allowed = module.cells[0].allowed
        found = (
            *randomness.in_module(module, modules, subject, run),
            *network.in_module(module, subject, run),
            *paths.PATHS.check(module),
            *clock.CLOCK.check(module),
        )
        yield from (one for one in found if one.rule not in allowed.get(one.place.line or 0, ()))
