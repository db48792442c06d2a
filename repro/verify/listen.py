"""What a container prints while it runs, as progress; not its own table and verdict, after the first empty line."""

import re

from repro.progress import Progress, Task

_READY = re.compile(r"kernel ready, (?P<total>\d{1,9}) code cells")
_CELL = re.compile(r"\[\d{1,9}/\d{1,9}\] ")


class Listener:
    """Hears each line; start one for each run and `finish` it when the run went to its end."""

    def __init__(self, progress: Progress, subject: str) -> None:
        self._progress = progress
        self._subject = subject
        self._task: Task = progress.start(f"Rerunning {subject} in the image, sealed off from the network")
        self._cells = 0
        self._ended = False

    def __call__(self, line: str) -> None:
        """One line of output, without its line break."""
        self._ended = self._ended or not line
        if self._ended:
            return
        ready = _READY.fullmatch(line)
        if ready:
            self._task.finish(line)
            self._task = self._progress.start(f"Running {self._subject}", int(ready["total"]), "cells")
            return
        self._progress.note(line)
        if _CELL.match(line):
            self._cells += 1
            self._task.advance(1, line)

    def finish(self) -> None:
        """The container has ended."""
        self._task.finish(f"{self._cells} cells ran" if self._cells else "the run has ended")
