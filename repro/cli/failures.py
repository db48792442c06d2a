"""The one place that turns errors into text and exit codes. Nothing else in `repro` prints an error or exits."""

import contextlib
import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import click
from platformdirs import user_state_dir

from repro import __version__
from repro.cli.settings import Settings
from repro.errors import ExitCode, InfrastructureError, ReproError, UsageError
from repro.report.style import Style

BROKEN_PIPE = 141
"""What shells see of programs whose reader went away: 128 + SIGPIPE."""


def guarded(work: Callable[[], int], settings: Settings) -> int:
    """Do the work and return its exit code; whatever it raises is shown and turned into one."""
    with _readable_streams(), _signals():
        try:
            return _guarded(work, settings)
        except BrokenPipeError:
            _silence()
            return BROKEN_PIPE
        except KeyboardInterrupt:
            _say("interrupted while an error was shown", settings)
            return ExitCode.INTERRUPTED


def _guarded(work: Callable[[], int], settings: Settings) -> int:
    try:
        code = work()
        sys.stdout.flush()
    except click.exceptions.Exit as error:
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted, nothing was left behind", settings)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        raise
    except click.ClickException as error:
        return _show(_usage(error), settings)
    except ReproError as error:
        return _show(error, settings)
    except Exception as error:  # noqa: BLE001 - this is where everything ends up
        return _show(_refused(error) or _unexpected(error, settings), settings)
    return code


def error_text(error: ReproError, style: Style) -> str:
    """An error for a person: what and where, every problem, the evidence indented, and what to do."""
    place = f"{error.where}: " if error.where else ""
    head = f"{style.paint('error', 'bold', 'red')}: "
    lines = style.wrap(place + error.what, head, "  ", lead=len("error: "))
    for problem in error.problems:
        lines += style.wrap(problem, "  - ")
    if error.details:
        lines += ["", *style.block(error.details.splitlines(), 4)]
    if error.fix:
        first, *rest = error.fix.splitlines() or [""]
        lines += ["", *style.wrap(first, f"{style.arrow} "), *style.block(rest, 0)]
    return "\n".join(lines)


def _show(error: ReproError, settings: Settings) -> int:
    if settings.json:
        from repro.report.json import error_json  # noqa: PLC0415 - what it knows of is not needed for help

        text = error_json(error)
    else:
        text = error_text(error, _error_style(settings))
    _print(text)
    return error.exit_code


class _InterruptedError(ReproError):
    """Says in JSON what the exit code says."""

    exit_code = ExitCode.INTERRUPTED


def _say(text: str, settings: Settings) -> None:
    if settings.json:
        _show(_InterruptedError(text), settings)
    else:
        _print(text)


def _error_style(settings: Settings) -> Style:
    """Where nobody watches, lines aren't broken: they are for searching."""
    style = settings.style(sys.stderr)
    return style if sys.stderr.isatty() else Style(1_000_000, style.color, style.unicode)


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the one place


def _usage(error: click.ClickException) -> ReproError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "repro"
    message = " ".join(error.format_message().split())  # some of them are lists, a line for each
    return UsageError(message.removesuffix("."), fix=f"See `{path} --help`.")


def _refused(error: Exception) -> ReproError | None:
    """A disk that is full and a folder of somebody else's are nobody's defect, wherever they show."""
    if not isinstance(error, OSError):
        return None
    where = os.fspath(error.filename) if isinstance(error.filename, (str, os.PathLike)) else None
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        fix = "Free some space, then run the command again."
        return InfrastructureError("can't write: no space left on the disk", where=where, fix=fix)
    if error.errno == errno.EACCES and where:
        fix = "Give this user access to it. If it is below another user's home directory, set HOME to another."
        return InfrastructureError("permission denied", where=where, fix=fix)
    return None


def _unexpected(error: Exception, settings: Settings) -> ReproError:
    """An error that nobody raised on purpose: a defect of ours, or a machine in an unforeseen state."""
    text = "".join(traceback.format_exception(error))
    short = f"unexpected {type(error).__name__}: {error}"
    if settings.debug:
        return ReproError(short, details=text)
    try:
        path = _save(text)
    except OSError:
        return ReproError(short, details=text, fix="This is a defect in repro: please report it with the text above.")
    return ReproError(short, fix=f"This is a defect in repro: please report it with the file {path}, or see --debug.")


def _save(text: str) -> Path:
    folder = Path(user_state_dir("repro", appauthor=False)) / "crashes"
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    path = folder / f"{now:%Y%m%dT%H%M%S%fZ}.txt"
    path.write_text(f"repro {__version__}, Python {sys.version}\n{sys.platform}\n\n{text}", encoding="utf-8")
    return path


def _silence() -> None:
    """The reader is gone; keep the interpreter from complaining when it flushes at exit."""
    with contextlib.suppress(OSError, ValueError):
        handle = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(handle, stream.fileno())


@contextlib.contextmanager
def _readable_streams() -> Iterator[None]:
    """What a stream's encoding can't spell is escaped rather than an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    yield


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end a command as Ctrl-C does, so that it cleans up; a signal that is ignored stays so."""
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    replaced = []
    for name in names:
        number = getattr(signal, name)
        with contextlib.suppress(ValueError):  # not in the main thread: somebody else handles signals
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _like_ctrl_c)
                replaced.append(number)
    try:
        yield
    finally:
        for number in replaced:
            signal.signal(number, signal.SIG_DFL)


def _like_ctrl_c(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
