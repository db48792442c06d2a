"""Whether an interpreter can run notebooks as it is, and else the command with which its owner makes it able to."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from repro.capture.environments import Tool
from repro.capture.interpreters import prefix_of
from repro.capture.probe import ask
from repro.errors import UsageError

_DESCRIBE = """\
def describe():
    import importlib.util, platform, sys
    try:
        import ipykernel
        fault = None
    except Exception as error:
        fault = "%s: %s" % (type(error).__name__, error)
    return {
        "executable": sys.executable,
        "version": platform.python_version(),
        "kernel_fault": fault,
        "has_pip": importlib.util.find_spec("pip") is not None,
    }
"""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What an interpreter says of itself.

    Attributes:
        executable: `sys.executable`: the real one when a shim or launcher was asked.
        version: Exact version of Python.
        kernel_fault: Why ipykernel can't be imported, or None when it can.
        has_pip: Whether pip is installed in it.
    """

    executable: Path
    version: str
    kernel_fault: str | None
    has_pip: bool


def readiness(python: Path, *, cwd: Path, env: Mapping[str, str]) -> Readiness:
    """Ask an interpreter whether it can run notebooks.

    Raises:
        UsageError: It is Python 2, or older than 3.8.
        InfrastructureError: It can't be run.
    """
    said = ask(python, _DESCRIBE, cwd=cwd, env=env)
    return Readiness(Path(said["executable"] or python), said["version"], said["kernel_fault"], said["has_pip"])


def no_kernel_error(python: Path, source: str, state: Readiness, tool: Tool | None, where: str) -> UsageError:
    """The error for an environment that has no working ipykernel, with the command that installs it."""
    missing = state.kernel_fault == "ModuleNotFoundError: No module named 'ipykernel'"
    fault = "is not installed" if missing else "does not work"
    return UsageError(
        f"{python} ({source}) can't run notebooks: ipykernel {fault} there",
        where=where,
        fix=f"Run `{_install_command(python, state, tool)}` and try again, or name another interpreter with "
        "--python PATH or --kernel NAME. repro installs nothing in your environments.",
        details="" if missing else state.kernel_fault or "",
    )


def _install_command(python: Path, state: Readiness, tool: Tool | None) -> str:
    quoted = shlex.quote(str(python))
    if tool == "conda":
        return f"conda install --prefix {shlex.quote(str(prefix_of(python)))} ipykernel"
    if tool == "pixi":
        return "pixi add ipykernel"
    if tool == "poetry":
        return "poetry add --group dev ipykernel"
    if tool == "pipenv":
        return "pipenv install --dev ipykernel"
    if state.has_pip:
        return f"{quoted} -m pip install ipykernel"
    return f"uv pip install --python {quoted} ipykernel"
