"""What Linux control groups tell: limits of memory and CPU, and whether something was killed for want of memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_UNLIMITED = 1 << 60


def oom_kills(root: Path = _ROOT, membership: Path = Path("/proc/self/cgroup")) -> int:
    """How many processes of our control group the kernel has killed for want of memory; 0 where nothing tells.

    Reads `oom_kill` of memory.events (v2) or memory.oom_control (v1, Linux 4.13 and later).
    """
    names = ("memory.events", "memory.oom_control")
    return max(
        (_counter(folder / name, "oom_kill") for folder in _folders(root, membership) for name in names), default=0
    )


def memory_limit(root: Path = _ROOT, membership: Path = Path("/proc/self/cgroup")) -> int | None:
    """The smallest memory limit on our control group in bytes, or None."""
    limits = []
    for folder in _folders(root, membership):
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = _read(folder / name).strip()
            if text.isdigit() and int(text) < _UNLIMITED:
                limits.append(int(text))
    return min(limits, default=None)


def cpu_quota(root: Path = _ROOT, membership: Path = Path("/proc/self/cgroup")) -> float | None:
    """How many CPUs' time our control group gets at most, or None: cpu.max (v2), cpu.cfs_quota_us (v1)."""
    quotas = []
    for folder in _folders(root, membership, "cpu"):
        both = _read(folder / "cpu.max").split() or [
            _read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")
        ]
        if len(both) == 2 and all(word.isdigit() and int(word) for word in both):  # noqa: PLR2004 - quota and period
            quotas.append(int(both[0]) / int(both[1]))
    return min(quotas, default=None)


def _folders(root: Path, membership: Path, controller: str = "memory") -> Iterator[Path]:
    """Our groups' folders: inside a container usually the root itself, elsewhere the path that /proc names."""
    for line in _read(membership).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        base = root if not controllers else root / controller
        if not controllers or controller in controllers.split(","):
            yield base / path.lstrip("/")
            yield base


def _counter(path: Path, name: str) -> int:
    for line in _read(path).splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.strip().isdigit():
            return int(value)
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
