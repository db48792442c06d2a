"""What ran: the interpreter with its packages, and the machine under it. Evidence for people, never compared."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import cgroup

_ASKED = Path(__file__).with_name("asked.py")
_PATIENCE = 60
_ANSWER = 10
_FEATURE = re.compile(
    r"sse3|pni|ssse3|sse4[._][12]|avx|avx2|avx[0-9]?_?[a-z0-9_]+|fma|f16c|bmi[12]|amx_[a-z0-9]+|asimd[a-z]*|sve2?|bf16|i8mm"
)


@dataclass(frozen=True)
class Interpreter:
    """An interpreter as it describes itself (see `asked`).

    Attributes:
        version: Exact version.
        executable: Its path.
        packages: Normalised name → version.
        conda: Of conda packages, name → version and build.
        brought: Of distributions that came with a conda package, normalised name → its name.
        settings: Build, locale, time zone, hash seed and variables that steer numbers.
    """

    version: str = ""
    executable: str = ""
    packages: Mapping[str, str] | None = None
    conda: Mapping[str, str] | None = None
    brought: Mapping[str, str] | None = None
    settings: Mapping[str, str] | None = None


def ask_interpreter(python: str, variables: Mapping[str, str], directory: Path) -> Interpreter:
    """Ask `python` in a process of its own. An empty answer means that it can't be run: starting it will tell why."""
    try:
        done = subprocess.run(
            [python, "-c", _ASKED.read_text(encoding="utf-8")],
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
    """What is under the interpreter, each fact only where it is known.

    `platform`, `system`, `kernel`, `architecture`, `processor`, `features` (instruction sets, separated by blanks),
    `cpus` (that may be used), `all_cpus`, `cpu_quota` (CPUs), `memory` and `memory_limit` (bytes), `shm` (bytes of
    /dev/shm), `glibc`, `gpus` (separated by `; `), `driver`, `cuda`.
    """
    limit, quota = cgroup.memory_limit(), cgroup.cpu_quota()
    facts = {
        "platform": platform.platform(),
        "system": _system(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "features": " ".join(cpu_features()),
        "cpus": str(_cpus()),
        "all_cpus": str(os.cpu_count() or ""),
        "cpu_quota": "" if quota is None else f"{quota:g}",
        "memory": _memory(),
        "shm": _shared_memory(),
        "memory_limit": "" if limit is None else str(limit),
        "glibc": platform.libc_ver()[1] if platform.libc_ver()[0] == "glibc" else "",
        **_gpus(),
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


def _memory() -> str:
    try:
        return str(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):  # not on this system
        return ""


def _shared_memory(place: str = "/dev/shm") -> str:  # noqa: S108 - its size is asked, nothing is written
    try:
        info = os.statvfs(place)
    except (AttributeError, OSError):
        return ""
    return str(info.f_frsize * info.f_blocks)


def _system() -> str:
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    if sys.platform == "win32":
        return f"Windows {platform.version()}"
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return platform.system()
    found = re.search(r"(?m)^PRETTY_NAME=(.+)$", text)
    return found.group(1).strip("\"'") if found else platform.system()


def cpu_features(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[str]:
    """Instruction sets that numeric libraries choose their code by, in the names that Linux has for them, sorted."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = _asked(["sysctl", "-n", "machdep.cpu.features", "machdep.cpu.leaf7_features"]).lower()
        words = text.replace(".", "_").split()
    else:
        words = " ".join(re.findall(r"(?m)^(?:flags|Features)\s*:\s*(.+)$", text)).split()
    return sorted({word for word in words if _FEATURE.fullmatch(word)})


def _gpus() -> dict[str, str]:
    """What nvidia-smi tells, which comes with the driver."""
    lines = _asked(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]).splitlines()
    found = [line.split(", ") for line in lines if line.count(", ") == 1]
    cuda = re.search(r"CUDA Version:\s*([0-9.]+)", _asked(["nvidia-smi"])) if found else None
    return {
        "gpus": "; ".join(name for name, _ in found),
        "driver": found[0][1] if found else "",
        "cuda": cuda.group(1) if cuda else "",
    }


def _asked(command: list[str]) -> str:
    """What a program of the system prints; nothing where there is no such program, or it fails."""
    program = shutil.which(command[0])
    if program is None:
        return ""
    try:
        done = subprocess.run(
            [program, *command[1:]], stdin=subprocess.DEVNULL, capture_output=True, timeout=_ANSWER, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")
