"""What ran: the interpreter with its packages, and the machine under it. Evidence for people, never compared."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import cgroup

_ASK = """
import json, platform, re, sys
from importlib.metadata import distributions
packages = {}
for found in distributions():
    name = found.metadata["Name"]
    if name:
        packages.setdefault(re.sub(r"[-_.]+", "-", name).lower(), found.version)
print(json.dumps({"version": platform.python_version(), "executable": sys.executable, "packages": packages}))
"""
_PATIENCE = 60


@dataclass(frozen=True)
class Interpreter:
    """An interpreter as it describes itself: exact version, path, and normalised name → version of its packages."""

    version: str = ""
    executable: str = ""
    packages: Mapping[str, str] | None = None


def ask_interpreter(python: str, variables: Mapping[str, str], directory: Path) -> Interpreter:
    """Ask `python` in a process of its own. An empty answer means that it can't be run: starting it will tell why."""
    try:
        done = subprocess.run(
            [python, "-c", _ASK],
            env=dict(variables),
            cwd=str(directory),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=True,
        )
        return Interpreter(**json.loads(done.stdout.splitlines()[-1]))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError, TypeError):
        return Interpreter()


def describe_machine() -> dict[str, str]:
    """`platform`, `processor`, `cpus`, `memory_limit` (bytes) and `glibc`, each only where it is known."""
    limit = cgroup.memory_limit()
    facts = {
        "platform": platform.platform(),
        "processor": _processor(),
        "cpus": str(_cpus()),
        "memory_limit": "" if limit is None else str(limit),
        "glibc": platform.libc_ver()[1] if platform.libc_ver()[0] == "glibc" else "",
    }
    return {name: value for name, value in facts.items() if value}


def _processor() -> str:
    try:
        found = re.search(r"(?m)^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        found = None
    return found.group(1).strip() if found else platform.processor() or platform.machine()


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0
