"""Shims that only an experiment has: how directories are listed, and what the clock says. In Python code only.

What compiled code lists or asks the system for is left alone: reading a directory in C, `numpy.datetime64("now")`.
"""

from __future__ import annotations

import ctypes
import datetime as dt
import gc
import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any


def start() -> None:
    """Set what the environment asks for."""
    order = os.environ.get("REPRO_SWAP_ORDER")
    if order:
        _set_order(order, json.loads(os.environ.get("REPRO_SWAP_LISTINGS", "{}")))
    clock = os.environ.get("REPRO_SWAP_CLOCK")
    if clock is not None:
        _set_clock(float(clock))


class _Listed:
    """An `os.scandir` iterator over entries in another order."""

    def __init__(self, entries: list[Any]) -> None:
        self._entries: Iterator[Any] = iter(entries)

    def __iter__(self) -> _Listed:
        return self

    def __next__(self) -> Any:
        return next(self._entries)

    def __enter__(self) -> _Listed:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is open any more."""
        self._entries = iter(())


def _set_order(order: str, listings: dict[str, list[str]]) -> None:
    """Replace `os.listdir` and `os.scandir`, which `os.walk`, `glob` and `pathlib` call."""
    list_, scan = os.listdir, os.scandir

    def arranged(found: list[Any], path: Any, name_of: Callable[[Any], Any]) -> list[Any]:
        if order in {"given", "listed"}:
            folder = "" if isinstance(path, int) else os.path.realpath(os.fsdecode(path or "."))
            known = {name: place for place, name in enumerate(listings.get(folder, ()))}
            return sorted(found, key=lambda one: known.get(name_of(one), len(known)))  # others after them, as they are
        return sorted(found, key=name_of, reverse=order == "reversed")

    def listdir(path: Any = None) -> list[Any]:
        return arranged(list_(path), path, lambda name: name)

    def scandir(path: Any = None) -> _Listed:
        with scan(path) as entries:
            return _Listed(arranged(list(entries), path, lambda entry: entry.name))

    os.listdir = listdir
    os.scandir = scandir  # type: ignore[assignment]


def _set_clock(ahead: float) -> None:
    """Replace what tells the date in `time` and `datetime`."""
    seconds, nanoseconds = time.time, time.time_ns
    local, universal, text, formatted = time.localtime, time.gmtime, time.ctime, time.strftime
    offset = round(ahead * 1e9)

    def now(given: Any) -> Any:
        return seconds() + ahead if given is None else given

    time.time = lambda: seconds() + ahead
    time.time_ns = lambda: nanoseconds() + offset
    time.localtime = lambda secs=None: local(now(secs))
    time.gmtime = lambda secs=None: universal(now(secs))
    time.ctime = lambda secs=None: text(now(secs))
    time.strftime = lambda layout, when=None: formatted(layout, local(now(None)) if when is None else when)
    _set_datetime(seconds, ahead)


def _set_datetime(seconds: Callable[[], float], ahead: float) -> None:
    """Replace methods in the type itself: compiled packages inherit from it, so that it can't be another one.

    `today` needs nothing: it calls `time.time`.
    """

    def now(cls: Any, tz: Any = None) -> Any:
        return cls.fromtimestamp(seconds() + ahead, tz)

    def utcnow(cls: Any) -> Any:
        return cls.fromtimestamp(seconds() + ahead, dt.timezone.utc).replace(tzinfo=None)

    (namespace,) = (one for one in gc.get_referents(dt.datetime.__dict__) if isinstance(one, dict))
    namespace["now"], namespace["utcnow"] = classmethod(now), classmethod(utcnow)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(dt.datetime))  # its methods are cached
