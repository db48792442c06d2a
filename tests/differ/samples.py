"""Two sides to compare, made from locks without a project."""

from collections.abc import Mapping

from repro.differ import Side, State
from repro.differ.state import locked_state
from repro.lock import Lock, LockedFile


def contents(files: Mapping[str, bytes]):
    def find(file: LockedFile) -> bytes | None:
        return files.get(file.path)

    return find


def side(lock: Lock, name: str = "a", files: Mapping[str, bytes] | None = None) -> State:
    return locked_state(Side(name, "lock", f"sha256:{name * 64}"), lock, contents(files or {}))
