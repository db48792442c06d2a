"""Match specifications, by which conda packages say what they need: a name, and what its version and build must be."""

import re

_SPEC = re.compile(r"\s*(?:[^\s:\[]+::)?\s*([A-Za-z0-9_][A-Za-z0-9_.-]*)\s*(.*)", re.DOTALL)


def split_spec(spec: str) -> tuple[str, str]:
    """`numpy` and `>=1.26,<3` of `conda-forge::numpy >=1.26,<3`; what is no specification has two empty texts."""
    found = _SPEC.fullmatch(spec)
    return (found[1].lower(), " ".join(found[2].split())) if found else ("", "")


def required_name(spec: str) -> str:
    """The package's name in a specification; "" in what is none."""
    return split_spec(spec)[0]
