"""Reads what the hook wrote in every process of an evaluation (see hook/repro_hook.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Trace:
    """What the processes of one run did, merged. Times are monotonic nanoseconds, comparable on one machine.

    Attributes:
        reads: Absolute path of each file opened for reading → when first.
        writes: … created, opened for writing, or moved or linked there → when first.
        removed: … removed or moved away → when first.
        listed: Directories whose entries were listed → when first.
        modules: Name of each imported module → its file.
        network: `host:port` looked up or connected to, in order, each once.
        processes: Command lines started, in order, each once.
    """

    reads: dict[str, int] = field(default_factory=dict)
    writes: dict[str, int] = field(default_factory=dict)
    removed: dict[str, int] = field(default_factory=dict)
    listed: dict[str, int] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)
    network: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()


def read_trace(directory: Path) -> Trace:
    """Merge the files that all processes left. Lines that a killed process left torn are passed over."""
    lines = sorted(
        (line for file in sorted(directory.glob("*.jsonl")) for line in _lines(file)), key=lambda line: int(line["t"])
    )
    first: dict[str, dict[str, int]] = {}
    for line in lines:
        first.setdefault(line["k"], {}).setdefault(line["p"], line["t"])
    return Trace(
        reads=first.get("read", {}),
        writes=first.get("write", {}),
        removed=first.get("remove", {}),
        listed=first.get("list", {}),
        modules={line["n"]: line["p"] for line in lines if line["k"] == "module"},
        network=tuple(first.get("network", {})),
        processes=tuple(first.get("process", {})),
    )


def read_libraries(directory: Path) -> tuple[dict[str, Any], ...]:
    """Libraries with thread pools that were loaded at the end (see hook/repro_libraries.py), each once.

    Other lines aren't looked into: a trace may have one for each of many files.
    """
    found = {
        line["p"]
        for file in directory.glob("*.jsonl")
        for line in _lines(file, only=b'"k":"library"')
        if line["k"] == "library"
    }
    return tuple(json.loads(text) for text in sorted(found))


def _lines(file: Path, only: bytes = b"") -> Iterator[dict[str, Any]]:
    for text in file.read_bytes().splitlines():
        if only not in text:
            continue
        try:
            line = json.loads(text)
        except ValueError:
            continue
        whole = isinstance(line, dict) and isinstance(line.get("t"), int) and {"k", "p"} <= line.keys()
        if whole and (line["k"] != "module" or "n" in line):
            yield line
