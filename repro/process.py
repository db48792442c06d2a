"""The one place that runs other programs: output kept, failures named, children never left behind."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from repro.errors import InfrastructureError, TimedOutError

_TAIL = 40


@dataclass(frozen=True, slots=True)
class Completed:
    """What a finished program left: its exit code and both streams, decoded as UTF-8 with replacement."""

    args: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str


def run(
    args: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout: float | None = None,
    check: bool = True,
) -> Completed:
    """Run a program to its end and return what it printed.

    Args:
        args: Program and arguments; never a shell line.
        cwd: Working directory.
        env: The whole environment; None inherits ours.
        stdin: Text for its standard input; None closes it.
        timeout: Seconds, after which it is killed.
        check: Raise when it exits non-zero.

    Raises:
        InfrastructureError: It can't be started, or failed while `check` is set.
        TimedOutError: It ran longer than `timeout`.
    """
    command = tuple(os.fspath(arg) for arg in args)
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=None if env is None else dict(env),
            input=(stdin or "").encode(),
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise InfrastructureError(f"{command[0]} was not found", fix=f"Install {command[0]}.") from error
    except PermissionError as error:
        raise InfrastructureError(f"{command[0]} can't be executed", where=command[0]) from error
    except subprocess.TimeoutExpired as error:
        raise TimedOutError(f"{command[0]} did not finish within {timeout:g} s") from error
    result = Completed(command, done.returncode, _text(done.stdout), _text(done.stderr))
    if check and result.returncode:
        raise failure(result)
    return result


def failure(result: Completed) -> InfrastructureError:
    """The error for a program that exited non-zero, with the end of what it printed."""
    lines = (result.stderr or result.stdout).strip().splitlines()[-_TAIL:]
    return InfrastructureError(
        f"{' '.join(result.args[:4])} failed with exit code {result.returncode}",
        details="\n".join(lines),
    )


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
