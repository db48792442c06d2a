"""How long work reports itself. The library speaks to this protocol; the command line draws it."""

from typing import Protocol


class Task(Protocol):
    """One running piece of work with an optional known total."""

    def advance(self, amount: float = 1, detail: str = "") -> None:
        """Add `amount` units (items or bytes, as started); `detail` names the current item."""

    def finish(self, summary: str = "") -> None:
        """End the task; `summary` replaces its last line."""


class Progress(Protocol):
    """Receives what happens during a stage."""

    def note(self, text: str) -> None:
        """A line worth keeping in a log."""

    def warn(self, text: str) -> None:
        """A line the person should not miss, though work goes on."""

    def start(self, title: str, total: float | None = None, unit: str = "items") -> Task:
        """Begin a task; `unit` is "items" or "bytes"."""


class _SilentTask:
    def advance(self, amount: float = 1, detail: str = "") -> None:
        pass

    def finish(self, summary: str = "") -> None:
        pass


class Silent(Progress):
    """Progress for callers that don't want any."""

    def note(self, text: str) -> None:  # noqa: D102 - as in Progress
        pass

    def warn(self, text: str) -> None:  # noqa: D102 - as in Progress
        pass

    def start(self, title: str, total: float | None = None, unit: str = "items") -> Task:  # noqa: D102, ARG002
        return _SilentTask()
