"""Answers one request: a JSON line for each file, as soon as it is done."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from . import delimited
from .columns import NotATableError, printable


class OutOfTimeError(Exception):
    """The time for all tables is over."""


def main(request: TextIO, answers: TextIO) -> None:
    """Read {"files": [{"path", "place", "kind"}], "seconds"}; write each file's profile, or its `problem`."""
    asked = json.loads(request.read())
    end = time.monotonic() + asked["seconds"]

    def check() -> None:
        if time.monotonic() > end:
            raise OutOfTimeError

    for file in asked["files"]:
        answers.write(json.dumps({"path": file["path"], **_answer(file, check)}) + "\n")
        answers.flush()


def _answer(file: Mapping[str, str], check: Callable[[], None]) -> dict[str, Any]:
    kind, _, compression = file["kind"].partition(".")
    try:
        if kind == "text":
            return delimited.profile(file["place"], compression, check)
        from . import arrow  # noqa: PLC0415 - only where pyarrow is

        return arrow.profile(file["place"], kind, check)
    except OutOfTimeError:
        return {"problem": "time"}
    except ModuleNotFoundError:
        return {"problem": "pyarrow"}
    except NotATableError as error:
        return {"problem": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever a broken file makes of a library: no profile is no failure
        lines = f"{type(error).__name__}: {error}".splitlines()
        return {"problem": printable(lines[0])}
