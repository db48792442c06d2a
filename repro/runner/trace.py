"""Reads what the hook wrote in every process of an evaluation (see hook/repro_hook.py)."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_KINDS = ("read", "write", "remove", "list", "enter", "make", "module", "network", "process")


@dataclass(frozen=True)
class Trace:
    """What the processes of one run did, merged. Times are monotonic nanoseconds, comparable on one machine.

    Attributes:
        reads: Absolute path of each file opened for reading → when first.
        writes: … created, opened for writing, or moved or linked there → when first.
        removed: … removed or moved away → when first.
        listed: Directories whose entries were listed → when first.
        entered: … that became a working directory → when first.
        made: … that were made, or were to be and were there already → when first.
        modules: Name of each imported module → its file.
        network: `host:port` looked up or connected to, in order, each once.
        processes: Command lines started, in order, each once.
    """

    reads: dict[str, int] = field(default_factory=dict)
    writes: dict[str, int] = field(default_factory=dict)
    removed: dict[str, int] = field(default_factory=dict)
    listed: dict[str, int] = field(default_factory=dict)
    entered: dict[str, int] = field(default_factory=dict)
    made: dict[str, int] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)
    network: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()


def read_trace(directory: Path) -> Trace:
    """Merge the files that all processes left. Lines that a killed process left torn are passed over."""
    first: dict[str, dict[str, int]] = {}
    modules: dict[str, str] = {}
    for line in trace_lines(directory, _KINDS):
        if line["k"] != "module":
            first.setdefault(line["k"], {}).setdefault(line["p"], line["t"])
        elif "n" in line:
            modules[line["n"]] = line["p"]
    return Trace(
        reads=first.get("read", {}),
        writes=first.get("write", {}),
        removed=first.get("remove", {}),
        listed=first.get("list", {}),
        entered=first.get("enter", {}),
        made=first.get("make", {}),
        modules=modules,
        network=tuple(first.get("network", {})),
        processes=tuple(first.get("process", {})),
    )


def read_libraries(directory: Path) -> tuple[dict[str, Any], ...]:
    """Libraries with thread pools that were loaded at the end (see hook/repro_libraries.py), each once."""
    found = {line["p"] for line in trace_lines(directory, ["library"])}
    return tuple(json.loads(text) for text in sorted(found))


def read_choices(directory: Path) -> dict[str, str]:
    """What numerical packages chose for this CPU (see hook/repro_libraries.py): of several processes, the first's."""
    found: dict[str, str] = {}
    for line in trace_lines(directory, ["choice"]):
        found.setdefault(str(line.get("n", "")), line["p"])
    return found


def trace_lines(directory: Path, kinds: Collection[str]) -> list[dict[str, Any]]:
    """The whole lines of some kinds, of all processes, by time: each with `t`, `k`, `p` and perhaps `n`.

    Lines of other kinds aren't parsed: a trace may have one for each of very many files.
    """
    wanted = re.compile(rb'^\{"t": ?\d+, ?"k": ?"(?:%s)".*' % "|".join(kinds).encode("ascii"), re.MULTILINE)
    lines = (line for file in sorted(directory.glob("*.jsonl")) for line in _parsed(wanted.findall(file.read_bytes())))
    return sorted((line for line in lines if _is_whole(line, kinds)), key=operator.itemgetter("t"))


def _is_whole(line: Any, kinds: Collection[str]) -> bool:
    if not isinstance(line, dict):
        return False
    return isinstance(line.get("t"), int) and line.get("k") in kinds and isinstance(line.get("p"), str)


def _parsed(texts: list[bytes]) -> Iterable[Any]:
    """The values of JSON texts: all at once, which is five times as fast, or each that can be read."""
    try:
        values: list[Any] = json.loads(b"[%s]" % b",".join(texts))
    except ValueError:
        return [value for text in texts for value in _parsed_alone(text)]
    return values


def _parsed_alone(text: bytes) -> Iterator[Any]:
    try:
        yield json.loads(text)
    except ValueError:
        return
