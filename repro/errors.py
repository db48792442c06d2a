"""The error tree. Every error says what happened, where, and what to do about it.

Only the command line turns an error into text and an exit code (`repro.cli.failures`); the library
never prints and never exits.
"""

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command and of the image itself. They are part of the interface."""

    OK = 0
    MISMATCH = 1
    USAGE = 2
    EVALUATION_FAILED = 3
    INFRASTRUCTURE = 4
    TAMPERED = 5
    NOT_COMPARABLE = 6
    OUT_OF_MEMORY = 7
    TIMED_OUT = 8
    INTERRUPTED = 130


class ReproError(Exception):
    """Base of every error that `repro` raises on purpose.

    ReproError
    ├── UsageError              wrong arguments, a notebook or repro.toml that can't be used
    │   └── CaptureError        what was seen can't be locked: the project has to change
    ├── EvaluationError         the notebook or script itself failed
    │   ├── OutOfMemoryError    … because it ran out of memory
    │   └── TimedOutError       … because it ran out of time
    ├── InfrastructureError     engine, network, index, disk
    └── IntegrityError          corrupt, tampered or unknown input: lock, file, wheel, image

    Attributes:
        what: One sentence: what happened.
        where: File, cell, package or lock path (`packages[3].files[0].sha256`), or None.
        fix: What the person should do, in the imperative, or None.
        problems: Every single problem found when several were collected before raising.
        details: Evidence shown below the message (a cell's source, the end of a log).
    """

    exit_code = ExitCode.INFRASTRUCTURE

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        fix: str | None = None,
        problems: Iterable[str] = (),
        details: str = "",
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix
        self.problems = tuple(problems)
        self.details = details

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        listed = "".join(f"\n  - {problem}" for problem in self.problems)
        return f"{place}{self.what}{listed}"


class UsageError(ReproError):
    """The command, its arguments, or a file written by hand can't be used as it stands."""

    exit_code = ExitCode.USAGE


class CaptureError(UsageError):
    """Something the run really used can't be pinned; nothing was written."""


class EvaluationError(ReproError):
    """The user's notebook or script failed, on the laptop or in the image."""

    exit_code = ExitCode.EVALUATION_FAILED


class OutOfMemoryError(EvaluationError):
    """The evaluation was killed for exceeding its memory limit."""

    exit_code = ExitCode.OUT_OF_MEMORY


class TimedOutError(EvaluationError):
    """The evaluation, or one of its cells, exceeded its time limit."""

    exit_code = ExitCode.TIMED_OUT


class InfrastructureError(ReproError):
    """The engine, the network, the package index or the disk failed; the work itself was not judged."""

    exit_code = ExitCode.INFRASTRUCTURE


class IntegrityError(ReproError):
    """Bytes are not what the lock (or a format's specification) says they must be."""

    exit_code = ExitCode.TAMPERED
