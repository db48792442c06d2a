"""The rule about waiting for a person: nobody answers in an unattended run."""

import ast
from collections.abc import Iterator

from repro.capture.findings.model import Finding, Rule
from repro.capture.findings.names import learn
from repro.capture.findings.source import Source

_ASKING = {
    "input",
    "getpass.getpass",
    "breakpoint",
    "pdb.set_trace",
    "IPython.core.debugger.set_trace",
    "IPython.embed",
}


def _check(source: Source) -> Iterator[Finding]:
    names = learn(source)
    for cell, call in source.calls():
        if not cell.may_fail and names.resolve(call.func) & _ASKING:
            what = f"`{ast.unparse(call.func)}` waits for a person"
            cure = "Replace it by a constant, or by a variable of the environment ([run] env in repro.toml)."
            yield Finding(KEYBOARD.name, "warning", source.place(cell, call.lineno), what, cure)


KEYBOARD = Rule(
    "asks-for-input",
    "warning",
    "It waits for keyboard input",
    "Capture, the image and pipelines run unattended: a run that asks for input fails there. Use a constant, or a "
    "variable of the environment.",
    _check,
)
