"""Reading JSON that somebody else wrote: every value with its path, every fault collected, then one error."""

from typing import Any

from repro.digest import Digest
from repro.errors import IntegrityError

FIX = "Get the image again from where it was made, or use another one."
_NOTHING = Digest("0" * 64)


class Node:
    """A JSON value with its path; faults are collected, and neutral values returned in their place.

    Attributes:
        value: The value.
        path: Where it is in the document, such as `layers[2].digest`.
        faults: What is wrong with the document so far, shared by all its nodes.
    """

    def __init__(self, value: Any, path: str, faults: list[str]) -> None:
        self.value = value
        self.path = path
        self.faults = faults

    def fault(self, text: str) -> None:
        """Note what is wrong with this value."""
        self.faults.append(f"{self.path or 'the document'}: {text}")

    def child(self, key: str) -> "Node":
        """The value under a key; None where there is none."""
        value = self.value.get(key) if isinstance(self.value, dict) else None
        return Node(value, f"{self.path}.{key}".lstrip("."), self.faults)

    def items(self, *, optional: bool = False) -> list["Node"]:
        """The values of a list."""
        if optional and self.value is None:
            return []
        if not isinstance(self.value, list):
            self.fault("must be a list")
            return []
        return [Node(item, f"{self.path}[{number}]", self.faults) for number, item in enumerate(self.value)]

    def text(self) -> str:
        """A text that is not empty."""
        if not isinstance(self.value, str) or not self.value:
            self.fault("must be a text")
            return ""
        return self.value

    def choice(self, allowed: tuple[str, ...], default: str) -> str:
        """One of a few texts, `default` where nothing is said."""
        if self.value is None:
            return default
        if self.value not in allowed:
            self.fault(f"unknown: {self.value!r}")
            return default
        return str(self.value)

    def texts(self) -> dict[str, str]:
        """A table of texts, empty where there is none."""
        if self.value is None:
            return {}
        if not isinstance(self.value, dict) or not all(isinstance(text, str) for text in self.value.values()):
            self.fault("must be a table of texts")
            return {}
        return self.value

    def digest(self) -> Digest:
        """A sha256 digest."""
        try:
            return Digest.parse(self.value)
        except (ValueError, AttributeError):
            self.fault(f"must be sha256: and 64 hex digits, not {self.value!r}")
            return _NOTHING

    def size(self) -> int:
        """A number of bytes."""
        if not isinstance(self.value, int) or isinstance(self.value, bool) or self.value < 0:
            self.fault("must be a number of bytes")
            return 0
        return self.value

    def check(self, what: str, where: str) -> None:
        """Raise IntegrityError with all faults, if there is any."""
        if self.faults:
            raise IntegrityError(what, where=where, problems=self.faults, fix=FIX)
