"""TensorBoard's scalars: the last step of each tag, out of event files.

Event files are TFRecords (length, its CRC, data, its CRC; little endian) of the protocol buffer `tensorflow.Event`
(tensorflow/core/util/event.proto, framework/summary.proto, framework/tensor.proto).
"""

from __future__ import annotations

import math
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from .crc32c import masked_crc
from .found import TENSORBOARD, Found
from .protobuf import Message

_MARK = ".tfevents."
_LARGEST = 1 << 16
"""Bytes; larger records hold graphs, pictures and histograms, never a single scalar."""

_FLOATS = {1: ("<f", 5), 2: ("<d", 6)}
_NUMBERS: dict[int, tuple[str, int]] = {**_FLOATS, 3: ("<i", 7), 9: ("<q", 10), 10: ("<?", 11)}
"""TensorProto.dtype → how `tensor_content` packs it, and the field of the values: float, double, int32, int64, bool."""

_HEAD = struct.Struct("<QI")

# Names that another run doesn't repeat: times, hosts, counters, random identifiers.
_OF_ONE_RUN = re.compile(
    r"\d{8}[-_T]?\d{6}.*|[A-Z][a-z]{2}\d{1,2}_\d\d-\d\d-\d\d.*|\d{4}-\d\d-\d\d.*|\d{9,}(\.\d+)?|version_\d+|run_?\d+"
    r"|[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)


@dataclass
class _Log:
    """One folder of event files: when its first event was, and for each tag the last step with its value."""

    began: float = math.inf
    last: dict[str, tuple[int, float]] = field(default_factory=dict)
    plugins: dict[str, str] = field(default_factory=dict)


def event_files(folder: Path) -> Iterator[Path]:
    """Every event file below a folder, in order."""
    for parent, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(parent, file) for file in sorted(files) if _MARK in file)


def read_events(folder: Path, name: str, files: list[Path]) -> Found:
    """The last value of each scalar. What several folders logged is told apart by their paths below the common one."""
    found = Found()
    logs: dict[tuple[str, ...], _Log] = {}
    for file in files:
        log = logs.setdefault(file.parent.relative_to(folder).parts, _Log())
        try:
            _read_file(file, log)
        except (OSError, ValueError) as error:
            found.warnings.append(f"{name}: {file.relative_to(folder).as_posix()} can't be read to its end: {error}")
    logs = {parts: log for parts, log in logs.items() if log.last}
    for parts, log in logs.items():
        prefix = "/".join(_stable(parts, logs))
        for tag, (_, value) in sorted(log.last.items()):
            found.add(f"{prefix}.{tag}" if prefix else tag, value, f"{TENSORBOARD}{name}")
    return found


def _stable(parts: tuple[str, ...], logs: dict[tuple[str, ...], _Log]) -> Iterator[str]:
    """The path below what all have in common; names of one run alone become their number in order of time."""
    first, last = min(logs), max(logs)
    shorter = min(len(first), len(last))
    common = next((depth for depth in range(shorter) if first[depth] != last[depth]), shorter)
    for depth in range(common, len(parts)):
        if not _OF_ONE_RUN.fullmatch(parts[depth]):
            yield parts[depth]
            continue
        began: dict[str, float] = {}
        for other, log in logs.items():
            if other[:depth] == parts[:depth] and len(other) > depth and _OF_ONE_RUN.fullmatch(other[depth]):
                began[other[depth]] = min(log.began, began.get(other[depth], math.inf))
        yield f"[{sorted(began, key=lambda one: (began[one], one)).index(parts[depth])}]"


def _read_file(file: Path, log: _Log) -> None:
    with file.open("rb") as stream:
        for record in _records(stream):
            _take_event(record, log)


def _records(stream: BinaryIO) -> Iterator[bytes]:
    """The records that may hold scalars. What a killed writer left torn ends it; ValueError means damage."""
    end = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    while len(head := stream.read(_HEAD.size)) == _HEAD.size:
        length, crc = _HEAD.unpack(head)
        if masked_crc(head[:8]) != crc:
            msg = f"damaged at byte {stream.tell() - _HEAD.size}"
            raise ValueError(msg)
        if stream.tell() + length + 4 > end:
            return
        if length > _LARGEST:
            stream.seek(length + 4, os.SEEK_CUR)
            continue
        data = stream.read(length)
        if struct.pack("<I", masked_crc(data)) != stream.read(4):
            msg = f"damaged at byte {stream.tell() - length - 4}"
            raise ValueError(msg)
        yield data


def _take_event(record: bytes, log: _Log) -> None:
    event = Message(record)
    for began in event.numbers(1, "<d"):
        log.began = min(log.began, began)
    step = (event.ints(2) or [0])[-1]
    for summary in event.blobs(5):
        for value in Message(summary).blobs(1):
            _take_value(Message(value), step, log)


def _take_value(value: Message, step: int, log: _Log) -> None:
    """Keep a Summary.Value if it is a scalar and no earlier step's. Its plugin may be told at the first step only."""
    tag = b"".join(value.blobs(1)).decode("utf-8", "replace")
    for metadata in value.blobs(9):
        log.plugins[tag] = _plugin(metadata) or log.plugins.get(tag, "")
    if log.plugins.get(tag, "") not in ("", "scalars"):
        return
    scalars = [*value.numbers(2, "<f"), *(scalar for tensor in value.blobs(8) for scalar in _scalars(Message(tensor)))]
    if scalars and step >= log.last.get(tag, (step, 0.0))[0]:
        log.last[tag] = (step, scalars[-1])


def _plugin(metadata: bytes) -> str:
    """SummaryMetadata.plugin_data.plugin_name."""
    names = [name for plugin in Message(metadata).blobs(1) for name in Message(plugin).blobs(1)]
    return b"".join(names).decode("utf-8", "replace")


def _scalars(tensor: Message) -> list[float]:
    """The number in a TensorProto with one element; none out of anything else."""
    kind = (tensor.ints(1) or [0])[-1]
    sizes = [size for shape in tensor.blobs(2) for size in _dimensions(Message(shape))]
    if kind not in _NUMBERS or any(size != 1 for size in sizes):
        return []
    code, place = _NUMBERS[kind]
    content = b"".join(tensor.blobs(4))
    if content:
        return (
            [float(one) for (one,) in struct.iter_unpack(code, content)]
            if len(content) == struct.calcsize(code)
            else []
        )
    found = tensor.numbers(place, code) if kind in _FLOATS else [float(one) for one in tensor.ints(place)]
    return found if len(found) == 1 else []


def _dimensions(shape: Message) -> list[int]:
    return [(Message(dimension).ints(1) or [0])[0] for dimension in shape.blobs(2)]
