"""What a search has tried already: one file for each question, replaced whole, so that any search can be resumed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro.digest import Digest
from repro.errors import IntegrityError
from repro.files import atomic_write
from repro.proof.smallest import Names
from repro.runner.documents import Value, decode_value, encode_value
from repro.store.objects import keep_out_of_git

SCHEMA = "repro.bisect-journal/1"


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of one mixture of packages.

    Attributes:
        value: The metric; None when the mixture can't be made, or its evaluation didn't report it.
        reason: Why there is no value, else "".
        seconds: How long the run took.
        ran: Whether an image was run for it.
    """

    value: Value | None
    reason: str = ""
    seconds: float = 0.0
    ran: bool = True


class Journal:
    """The mixtures that were measured for one question.

    Args:
        root: The project; the file goes into its `.repro/bisect`.
        question: Everything that decides an answer, as JSON.
        resume: Whether to go on from what is there; otherwise it is begun anew.

    Raises:
        IntegrityError: The file to resume from isn't one of ours.
    """

    def __init__(self, root: Path, question: Mapping[str, Any], *, resume: bool) -> None:
        self._question = dict(question)
        name = Digest.of(json.dumps(self._question, sort_keys=True).encode()).hex
        self._root = root / ".repro"
        self.path = self._root / "bisect" / f"{name}.json"
        self.before = self.path.is_file()
        self._tried = _read(self.path) if resume and self.before else {}

    @property
    def size(self) -> int:
        """How many mixtures it holds."""
        return len(self._tried)

    def get(self, names: Names) -> Measured | None:
        """What was measured with these changes, or None."""
        return self._tried.get(names)

    def put(self, names: Names, measured: Measured) -> None:
        """Add a measurement and write the file. Raises InfrastructureError when the disk refuses."""
        self._tried[names] = measured
        data = {
            "schema": SCHEMA,
            "question": self._question,
            "tried": [_plain(names, one) for names, one in self._tried.items()],
        }
        atomic_write(self.path, json.dumps(data, indent=1, ensure_ascii=False).encode() + b"\n")
        keep_out_of_git(self._root)


def _plain(names: Names, measured: Measured) -> dict[str, Any]:
    return {
        "changes": sorted(names),
        "value": None if measured.value is None else encode_value(measured.value),
        "reason": measured.reason,
        "seconds": round(measured.seconds, 3),
        "ran": measured.ran,
    }


def _read(path: Path) -> dict[Names, Measured]:
    try:
        data = json.loads(path.read_bytes())
        entries = _entries(data["tried"]) if data["schema"] == SCHEMA else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            f"an earlier search can't be resumed: {error}", where=str(path), fix="Begin anew, without --resume."
        ) from error
    if entries is None:
        raise IntegrityError(f"not a {SCHEMA} document", where=str(path), fix="Begin anew, without --resume.")
    return dict(entries)


def _entries(tried: Sequence[Mapping[str, Any]]) -> list[tuple[Names, Measured]]:
    return [
        (
            frozenset(one["changes"]),
            Measured(
                None if one["value"] is None else decode_value(one["value"]),
                str(one["reason"]),
                float(one["seconds"]),
                bool(one["ran"]),
            ),
        )
        for one in tried
    ]
