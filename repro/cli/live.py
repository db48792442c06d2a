"""Progress on a screen: bars that move, with amounts, rates and the time left. Lines worth keeping scroll above."""

from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.progress import Task as Bar
from rich.text import Text

from repro.progress import Progress, Task
from repro.report.style import Style, human_size

_DETAIL = 40


class LiveProgress(Progress):
    """Draws with rich; the display is on the screen only while a task runs. Safe for several threads."""

    def __init__(self, stream: TextIO, style: Style, *, verbose: bool = False) -> None:
        self._style = style
        self._verbose = verbose
        self._console = Console(
            file=stream,
            force_terminal=True,
            no_color=not style.color,
            color_system="standard" if style.color else None,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._bars: Bars | None = None

    def note(self, text: str) -> None:
        """A line worth keeping in a log."""
        self._print(text, "dim")

    def warn(self, text: str) -> None:
        """A line the person should not miss, though work goes on."""
        self._print(f"warning: {text}", "yellow")

    def start(self, title: str, total: float | None = None, unit: str = "items") -> Task:
        """Begin a task."""
        if self._bars is None:
            self._bars = self._new_bars()
            self._bars.start()
        shown = self._style.text(title)
        return _LiveTask(self, self._bars, self._bars.add_task(shown, total=total, unit=unit, detail=""), shown)

    def stop(self) -> None:
        """Take the display off the screen."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def ended(self, bars: Bars, bar: TaskID, text: str) -> None:
        """A task is over: its bar goes, one line about it stays."""
        bars.remove_task(bar)
        self._console.print(Text.assemble(("✓" if self._style.unicode else "+", "green"), " ", text))
        if not bars.tasks and bars is self._bars:
            self.stop()

    def shown(self, text: str) -> str:
        """Any text, made safe to show."""
        return self._style.text(text)

    @property
    def verbose(self) -> bool:
        """Whether each item gets a line of its own."""
        return self._verbose

    def _print(self, text: str, color: str) -> None:
        for line in text.splitlines() or [""]:
            self._console.print(Text(self._style.text(line), style=color if self._style.color else ""))

    def _new_bars(self) -> Bars:
        return Bars(
            SpinnerColumn("dots" if self._style.unicode else "line"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            _Amount(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[detail]}", markup=False, style="dim"),
            console=self._console,
            transient=True,
            refresh_per_second=8,
            redirect_stdout=False,
            redirect_stderr=False,
        )


class _LiveTask:
    def __init__(self, progress: LiveProgress, bars: Bars, bar: TaskID, title: str) -> None:
        self._progress = progress
        self._bars = bars
        self._bar = bar
        self._title = title
        self._over = False

    def advance(self, amount: float = 1, detail: str = "") -> None:
        if self._over:
            return
        if detail and self._progress.verbose:
            self._progress.note(f"  {detail}")
        if detail:
            self._bars.update(self._bar, advance=amount, detail=self._progress.shown(detail)[:_DETAIL])
        else:
            self._bars.update(self._bar, advance=amount)

    def finish(self, summary: str = "") -> None:
        if not self._over:
            self._over = True
            self._progress.ended(self._bars, self._bar, self._progress.shown(summary) if summary else self._title)


class _Amount(ProgressColumn):
    """`12.0 MB of 40.1 MB, 8.1 MB/s`, or `3 of 9`."""

    def render(self, task: Bar) -> Text:
        if task.fields["unit"] != "bytes":
            return Text(f"{task.completed:g} of {task.total:g}" if task.total else f"{task.completed:g}")
        done = human_size(task.completed) + (f" of {human_size(task.total)}" if task.total else "")
        return Text(done + (f", {human_size(task.speed)}/s" if task.speed else ""))
