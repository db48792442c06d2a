"""The rule about cells that change the environment while they run."""

import ast
import re
from collections.abc import Iterator

from repro.capture.findings.model import Finding, Level, Rule
from repro.capture.findings.names import learn
from repro.capture.findings.source import Source

_INSTALL = re.compile(
    r"(?:^|[\s;&|('\"\[/])((?:(?:uv|python[\d.]*\s+-m|\S*\}\s+-m)\s+)?(?:pip[\d.]*|conda|mamba|micromamba|apt|apt-get|"
    r"poetry|pdm|pipenv|uv|npm|brew)\s+(?:-\S+\s+)*(?:install|uninstall|update|upgrade|add|remove|sync)\b)"
)
_MAGIC = re.compile(r"\s*(?:-\S+\s+)*(install|uninstall|update|upgrade|add|remove|sync)\b")
_MANAGERS = {"pip", "conda", "mamba", "micromamba", "uv", "apt", "apt-get"}
_SHELLS = {"!", "!!", "%%bash", "%%sh", "%%script", "%%!", "%%system", "%%sx", "system", "sx"}
_RUNNERS = re.compile(
    r"os\.(?:system|popen)|subprocess\.(?:run|call|check_call|check_output|Popen|getoutput)|pip\.main|"
    r"pip\._internal\.(?:cli\.main\.)?main|get_ipython\.system"
)
_CURE = "Install it once, in the kernel's environment, capture again, and take the line out: the lock holds it then."


def _check(source: Source) -> Iterator[Finding]:
    names = learn(source)
    for cell in source.cells:
        if not cell.runs:
            continue
        for magic in cell.magics:
            for line, command in _installs(magic.name, magic.text, magic.line):
                level: Level = "note" if magic.indented else "warning"
                yield Finding(RULE.name, level, source.place(cell, line), _what(command), _CURE)
        for node in cell.nodes:
            if isinstance(node, ast.Call) and any(_RUNNERS.fullmatch(one) for one in names.resolve(node.func)):
                found = _INSTALL.search(_command(node))
                if found or "pip" in ast.unparse(node.func):
                    command = found[1] if found else ast.unparse(node.func)
                    yield Finding(RULE.name, "warning", source.place(cell, node.lineno), _what(command), _CURE)


def _installs(name: str, text: str, line: int) -> Iterator[tuple[int, str]]:
    """Lines of a magic that install something, and what they say."""
    if name in _MANAGERS:
        found = _MAGIC.match(text)
        if found:
            yield line, f"%{name} {found[1]}"
    elif name in _SHELLS:
        for number, one in enumerate(text.split("\n")):
            command = _INSTALL.search(one.partition(" #")[0])
            if command:
                yield line + number, command[1]


def _command(call: ast.Call) -> str:
    """What `["pip", "install", "x"]` or `"pip install x"` says as one line."""
    texts = [node for one in call.args[:1] for node in ast.walk(one) if isinstance(node, ast.Constant)]
    return " ".join(str(node.value) for node in texts)


def _what(command: str) -> str:
    return f"`{' '.join(command.split())}` changes the environment during the run"


RULE = Rule(
    "changes-environment",
    "warning",
    "The environment changes during the run",
    "A cell installs packages. The lock holds what is installed when capture begins; the image has no network to "
    "install anything, and must not change. Install what is needed in the kernel's environment before the capture.",
    _check,
)
