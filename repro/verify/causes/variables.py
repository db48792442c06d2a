"""Rule `variable-missing`: the code asks for an environment variable that the image doesn't have."""

import re
from collections.abc import Iterator

from repro.runner.observed import Observed, VariableRead
from repro.verify.causes.situation import Situation
from repro.verify.causes.words import where
from repro.verify.model import Cause

_KEY = re.compile(r"KeyError: ['\"](\w+)['\"]")
_EVERYWHERE = {
    *("HOME", "PATH", "USER", "LOGNAME", "USERNAME", "SHELL", "PWD", "OLDPWD", "TERM", "HOSTNAME", "COLUMNS", "LINES"),
    *("TMPDIR", "TMP", "TEMP", "LANG", "LANGUAGE", "TZ", "JPY_PARENT_PID", "DISPLAY"),
}
"""Which every machine has with another value, or hasn't."""


def missing_variable(situation: Situation) -> Iterator[Cause]:
    """Variables that code of cells or the project asks for by name, and that are absent here."""
    laptop, here = _read(situation.laptop.observed), _read(situation.here.observed)
    found = {name for name, one in here.items() if not one.present}
    if not here:  # nothing was observed here: what the laptop had and the lock doesn't set
        found = {name for name, one in laptop.items() if one.present and name not in situation.variables}
    failed = set(_KEY.findall(situation.failed_with)) & (found | set(laptop))
    for name in sorted(found | failed, key=lambda name: (name not in failed, name)):
        there = name in laptop and laptop[name].present
        if name in _EVERYWHERE or (name in laptop and not there and name not in failed):
            continue  # absent on both sides
        place = where((here.get(name) or laptop[name]).place, situation.lock.subject.path)
        yield Cause(
            rule="variable-missing",
            message=f"{place} asks for the environment variable {name}, which isn't set here",
            laptop="set" if there else "unknown",
            here="not set",
            where=place,
            confidence="certain" if name in failed else "likely" if there else "possible",
            fix=f'Allow it in repro.toml, [run] env = ["{name}"], and capture again, unless it is secret: '
            "its value enters the lock.",
        )


def _read(observed: Observed | None) -> dict[str, VariableRead]:
    """Variables that weren't asked for by libraries alone; where one was both, it counts as present."""
    reads = [one for one in observed.variables if one.place.owner in {"cell", "project"}] if observed else []
    found: dict[str, VariableRead] = {}
    for one in reads:
        if one.name not in found or one.present:
            found[one.name] = one
    return found
