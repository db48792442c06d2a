"""Words for people that every layer needs."""

from collections.abc import Sequence


def count(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def few(texts: Sequence[str], most: int, between: str = ", ") -> str:
    """The first ones, and how many more there are: `a, b and 3 more`."""
    left = len(texts) - most
    return between.join(texts[:most]) + (f" and {left} more" if left > 0 else "")
