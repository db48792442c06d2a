"""Where a command's results and progress go: results to standard output, everything else to standard error."""

import sys
import threading
import time
from types import TracebackType
from typing import Self, TextIO

from repro.cli.settings import Settings
from repro.progress import Progress, Task
from repro.report.style import Style, human_size, printable

_STEPS = 5
_FEW = 20
"""Tasks of so few items don't need a line on the way."""


class Console:
    """Use it with `with`: a live display is gone from the screen before anything else is printed."""

    def __init__(self, settings: Settings) -> None:
        self.style: Style = settings.style(sys.stdout)
        self.json = settings.json
        self.progress: Progress = _progress(settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the live display off the screen."""
        stop = getattr(self.progress, "stop", None)
        if stop:
            stop()

    def show(self, text: str | bytes) -> None:
        """Print a result that ends with its line break."""
        self.close()
        sys.stdout.write(text.decode() if isinstance(text, bytes) else text)
        sys.stdout.flush()


def _progress(settings: Settings) -> Progress:
    mode = settings.mode(sys.stderr)
    style = settings.style(sys.stderr)
    if mode == "tty":
        from repro.cli.live import LiveProgress  # noqa: PLC0415 - rich is slow to import and often not needed

        return LiveProgress(sys.stderr, style, verbose=settings.verbose)
    return PlainProgress(sys.stderr, style, quiet=mode == "quiet", verbose=settings.verbose)


class PlainProgress(Progress):
    """Lines for logs: when a task starts, a few times on the way when it is long, and when it ends.

    No control characters, whatever the texts hold. Safe for several threads.
    """

    def __init__(self, stream: TextIO, style: Style, *, quiet: bool = False, verbose: bool = False) -> None:
        self._stream = stream
        self._style = style
        self._quiet = quiet
        self.verbose = verbose
        self._lock = threading.Lock()

    def note(self, text: str) -> None:
        """A line worth keeping in a log."""
        if not self._quiet:
            self._write(text)

    def warn(self, text: str) -> None:
        """A line the person should not miss, though work goes on."""
        self._write(f"warning: {text}")

    def start(self, title: str, total: float | None = None, unit: str = "items") -> Task:
        """Begin a task."""
        return _PlainTask(self, title, total, unit)

    def _write(self, text: str) -> None:
        lines = [self._style.text(line).rstrip() for line in text.splitlines() or [""]]
        with self._lock:
            self._stream.write("".join(f"{line}\n" for line in lines))
            self._stream.flush()


class _PlainTask:
    def __init__(self, progress: PlainProgress, title: str, total: float | None, unit: str) -> None:
        self._progress = progress
        self._title = title
        self._total = total
        self._unit = unit
        self._done = 0.0
        self._step = 0
        self._began = time.monotonic()
        self._lock = threading.Lock()
        progress.note(f"{title} ({amount(total, unit)})" if total else title)

    def advance(self, amount: float = 1, detail: str = "") -> None:
        if detail and self._progress.verbose:
            self._progress.note(f"  {detail}")
        with self._lock:
            self._done += amount
            step = self._reached()
            news = step > self._step and step < _STEPS
            self._step = max(self._step, step)
        if news:
            self._progress.note(f"{self._title}: {step * 100 // _STEPS} %{self._speed()}")

    def finish(self, summary: str = "") -> None:
        self._progress.note(summary or f"{self._title}: done")

    def _speed(self) -> str:
        """How many bytes a second there were so far, and how long the others will take at that."""
        seconds = time.monotonic() - self._began
        if self._unit != "bytes" or not self._total or seconds < 1:
            return ""
        left = round((self._total - self._done) * seconds / self._done)
        return f", {human_size(self._done / seconds)}/s, {left // 60}:{left % 60:02} left"

    def _reached(self) -> int:
        if not self._total or (self._unit != "bytes" and self._total <= _FEW):
            return 0
        return int(self._done * _STEPS / self._total)


def amount(number: float, unit: str) -> str:
    """`1.2 MB`, `12 items`, `1 cell`."""
    if unit == "bytes":
        return human_size(number)
    return printable(f"{number:g} {unit.removesuffix('s') if number == 1 else unit}")
