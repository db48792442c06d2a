"""Tells which files well-known compiled libraries are asked to read, where the system doesn't tell what they open.

Their functions are wrapped once their module has been loaded: paths among the arguments are noted, nothing is changed.
"""
# Every interpreter pays for what is imported here, and pathlib is dear.
# ruff: noqa: PTH112, PTH118, PTH207

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any

_READERS = {
    "pyarrow": ("memory_map", "input_stream"),
    "pyarrow.csv": ("read_csv", "open_csv"),
    "pyarrow.dataset": ("dataset",),
    "pyarrow.feather": ("read_table", "read_feather"),
    "pyarrow.json": ("read_json",),
    "pyarrow.orc": ("read_table", "ORCFile.__init__"),
    "pyarrow.parquet": (
        *("read_table", "read_pandas", "read_schema", "read_metadata"),
        *("ParquetFile.__init__", "ParquetDataset.__init__"),
    ),
    "h5py._hl.files": ("File.__init__",),
    "xgboost.core": ("DMatrix.__init__", "Booster.__init__", "Booster.load_model"),
    "lightgbm.basic": ("Dataset.__init__", "Booster.__init__"),
    "catboost.core": ("CatBoost.load_model", "Pool.__init__"),
    "onnxruntime.capi.onnxruntime_inference_collection": ("InferenceSession.__init__",),
    "polars": (
        *("read_csv", "read_ipc", "read_json", "read_ndjson", "read_parquet", "read_avro"),
        *("scan_csv", "scan_ipc", "scan_ndjson", "scan_parquet"),
    ),
    "duckdb": ("connect", "execute", "query", "read_csv", "read_json", "read_parquet", "sql"),
    "safetensors": ("safe_open",),
    "cv2": ("imread", "imreadmulti"),
    "torch.jit": ("load",),
    "torchvision.io": ("read_file", "read_image"),
    "xarray": ("open_dataset", "open_dataarray", "open_mfdataset", "open_zarr"),
}
_LONGEST = 4096
_MOST_FILES = 100_000
_DEEPEST = 2


def wanted(recorder: Any) -> dict[str, Callable[[ModuleType], None]]:
    """For each module, what to do once it has been loaded."""
    return {name: _wrapper(readers, recorder) for name, readers in _READERS.items()}


def _wrapper(readers: Iterable[str], recorder: Any) -> Callable[[ModuleType], None]:
    def wrap(module: ModuleType) -> None:
        for reader in readers:
            with contextlib.suppress(AttributeError, TypeError):  # other versions have other readers
                _wrap(module, reader, recorder)

    return wrap


def _wrap(module: ModuleType, reader: str, recorder: Any) -> None:
    import functools  # noqa: PLC0415 - each of these libraries has imported it

    owner: Any = module
    *above, name = reader.split(".")
    for part in above:
        owner = getattr(owner, part)
    original = getattr(owner, name)

    @functools.wraps(original, updated=())
    def reading(*args: Any, **kwargs: Any) -> Any:
        with contextlib.suppress(Exception):  # never in the program's way
            for path in _files([*args, *kwargs.values()]):
                recorder.note("read", path)
        return original(*args, **kwargs)

    setattr(owner, name, reading)


def _files(values: Iterable[Any], depth: int = 0) -> Iterator[str]:
    """The existing files, absolute, that arguments name: also by a folder, a pattern, a list, or quoted in a query."""
    for value in values:
        if isinstance(value, (list, tuple)) and depth < _DEEPEST:
            yield from _files(value[:_MOST_FILES], depth + 1)
        elif isinstance(value, (str, os.PathLike)):
            text = os.fsdecode(value)
            if 0 < len(text) <= _LONGEST:
                yield from _named(text)


def _named(text: str) -> Iterator[str]:
    path = os.path.abspath(os.path.expanduser(text))  # noqa: PTH100, PTH111
    if os.path.isfile(path):  # noqa: PTH113
        yield path
    elif os.path.isdir(path):
        yield from _below(path)
    elif any(sign in text for sign in "*?["):
        import glob  # noqa: PLC0415

        for found in glob.iglob(path, recursive=True):
            if os.path.isfile(found):  # noqa: PTH113
                yield found
    if " " in text:
        for mark in "'\"":
            for quoted in text.split(mark)[1::2]:
                if quoted and " " not in quoted:
                    yield from _named(quoted)


def _below(folder: str) -> Iterator[str]:
    count = 0
    for place, _, names in os.walk(folder):
        for name in names:
            count += 1
            if count > _MOST_FILES:
                return
            yield os.path.join(place, name)
