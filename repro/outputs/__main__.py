"""Compares one pair of files, asked for as JSON on standard input, under limits; answers with JSON."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from repro.outputs.contents import Pair, compare_contents
from repro.outputs.limits import confine
from repro.outputs.model import Content


def main() -> None:
    """Answer the one request."""
    confine()
    asked = json.loads(sys.stdin.buffer.read())
    places = {name: None if asked[name] is None else Path(asked[name]) for name in ("baseline", "here", "picture")}
    pair = Pair(**{**asked, **places, "key": tuple(asked["key"])})
    try:
        content = compare_contents(pair)
    except MemoryError:
        content = Content("unread", "comparing it takes more memory than is given")
    except Exception as error:  # noqa: BLE001 - whatever a hostile file makes of a library: it isn't equal, that's all
        content = Content("unread", f"it can't be read: {type(error).__name__}")
    sys.stdout.write(json.dumps(asdict(content)))


if __name__ == "__main__":
    main()
