"""Where a lock's body ends and its predictions begin. Bytes only: what they say is the reader's business."""

import re

SEPARATOR = "# == predictions: not part of the lock digest =="
"""The line between both, whole. As the writer escapes line breaks, no value that it writes can hold such a line."""

_LINE = re.compile(rb"^" + re.escape(SEPARATOR.encode()) + rb"$", re.MULTILINE)


def lock_body(data: bytes) -> bytes:
    """The bytes of a lock file that its digest covers: those before the first separator line, else all of them.

    They are a lock of their own, without predictions. Whether what follows may follow is checked by `parse_lock`.
    """
    return split_lock(data)[0]


def split_lock(data: bytes) -> tuple[bytes, bytes | None]:
    """The body and what comes after the separator line's text; None where there is no such line."""
    found = _LINE.search(data)
    return (data, None) if found is None else (data[: found.start()], data[found.end() :])
