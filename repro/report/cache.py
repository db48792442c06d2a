"""What the cache holds, for people and for programs."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from repro.report.json import document
from repro.report.style import Style, human_size
from repro.store.usage import Removed, Unit
from repro.words import count

_PARTS = {
    "artifacts": "downloads: wheels, packages, base images",
    "builds": "which lock is being built",
    "debian": "which system packages are unpacked",
    "elf": "what libraries of wheels need from the system",
    "facts-2": "what base images hold",
    "hashes": "digests of files that haven't changed since",
    "hooks": "compiled modules that watch a capture",
    "http": "answers of package indexes",
    "layers": "assembled layers",
    "profiles": "what is in tables of data",
    "pythons": "interpreters of images, for compiling",
    "rootfs": "unpacked images, for bubblewrap",
    "sandboxes": "runs in bubblewrap that go on, or were killed",
}


def cache_text(directory: Path, units: Sequence[Unit], style: Style) -> str:
    """One line a part, and the whole."""
    sizes = _sizes(units)
    rows = [f"  {name:<10} {human_size(size):>9}  {_PARTS.get(name, '')}".rstrip() for name, size in sizes.items()]
    whole = f"{human_size(sum(sizes.values()))} in {style.text(str(directory))}"
    return "\n".join([*rows, whole]) + "\n"


def removed_text(removed: Removed, left: int, limit: int, style: Style) -> str:
    """What a clean-up did; of the bytes that are left, why they are more than was asked for."""
    lines = [f"{style.mark('ok')} removed {human_size(removed.size)} in {count(removed.units, 'piece')}"]
    if left > limit:
        lines.append(f"{style.mark('info')} {human_size(left)} stay: in use, or used within the last hour")
    return "\n".join(lines) + "\n"


def cache_json(directory: Path, units: Sequence[Unit], removed: Removed | None) -> bytes:
    """`repro.cache/1`: bytes by part, and what was removed just now."""
    return document(
        "repro.cache/1",
        {
            "directory": str(directory),
            "size": sum(unit.size for unit in units),
            "parts": _sizes(units),
            "removed": removed,
        },
    )


def _sizes(units: Sequence[Unit]) -> dict[str, int]:
    sizes: Counter[str] = Counter()
    for unit in units:
        sizes[unit.part] += unit.size
    return dict(sorted(sizes.items()))
