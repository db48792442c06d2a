"""The engine's build messages, as progress for people, and as an error with the end of the log when it fails."""

import re
from collections import deque
from typing import Any, NoReturn

from repro.engines.failures import refused
from repro.errors import InfrastructureError, IntegrityError
from repro.plan import BuildPlan
from repro.plan.compile_worker import NO_MEMORY
from repro.progress import Progress, Task
from repro_docker.install_wheels import INSTALLING, MARK, TAMPERED

_STEP = re.compile(r"step (\d+)/(\d+) ?: (.*)", re.IGNORECASE)
_BUILT = re.compile(r"successfully built ([0-9a-f]{12,64})", re.IGNORECASE)
_ROUTINE = re.compile(
    r"^ ?-{2,3}> (?:running in|using cache|[0-9a-f]{12,64}$)|^removing intermediate container", re.IGNORECASE
)
_WARNING = re.compile(r"\[?warn(?:ing)?\]?[: ]", re.IGNORECASE)
_TAIL = 60


class BuildLog:
    """Reads one build's messages in order.

    Args:
        progress: Told of steps and warnings.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: Task | None = None
        self._lines: deque[str] = deque(maxlen=_TAIL)
        self._rest = ""
        self._error: dict[str, Any] | None = None
        self._image: str | None = None

    def add(self, message: dict[str, Any]) -> None:
        """Take one message of the build stream (Engine API, POST /build)."""
        if "error" in message:
            self._error = message
        if isinstance(message.get("aux"), dict):
            self._image = message["aux"].get("ID", self._image)
        *lines, self._rest = (self._rest + str(message.get("stream") or "")).split("\n")
        for line in lines:
            self._line(line.rstrip())

    def close(self) -> None:
        """End the progress."""
        if self._task is not None:
            self._task.finish()

    def finished(self, plan: BuildPlan) -> str:
        """The ID of the image that was built.

        Raises:
            IntegrityError: The install stage found something that isn't what the plan says.
            InfrastructureError: The build failed, or its messages just ended.
        """
        if self._error is not None:
            self._fail(self._error, plan)
        if self._image is None:
            raise InfrastructureError(
                "the engine stopped in the middle of the build",
                fix="Check that it still runs (`repro doctor`), then build again.",
                details=self._tail(),
            )
        return self._image

    def _line(self, line: str) -> None:
        if not line:
            return
        self._lines.append(line)
        if step := _STEP.match(line):
            self._step(step)
        elif built := _BUILT.match(line):
            self._image = self._image or built[1]
        elif _ROUTINE.search(line):
            return
        elif _WARNING.match(line):
            self._progress.warn(line)
        elif self._task is not None and line.startswith(INSTALLING):
            self._task.advance(0, line)
        else:
            self._progress.note(line)

    def _step(self, step: re.Match[str]) -> None:
        if self._task is None:
            self._task = self._progress.start("building the image", int(step[2]), "items")
        self._task.advance(1, step[3])

    def _fail(self, error: dict[str, Any], plan: BuildPlan) -> NoReturn:
        message = str(error["error"]).strip()
        code = (error.get("errorDetail") or {}).get("code")
        said = [line.partition(MARK)[2] for line in self._lines if line.startswith(MARK)]
        if said and _ended_with(TAMPERED, code, message):
            raise IntegrityError(
                said[-1],
                where="repro.lock",
                fix="Build with what the lock names, or capture again.",
                details=self._tail(),
            )
        if said and _ended_with(NO_MEMORY, code, message):
            raise InfrastructureError(
                said[-1],
                where="the engine",
                fix="Give the engine more memory. `repro build --pyc none` compiles nothing.",
                details=self._tail(),
            )
        if _no_interpreter(message, plan):
            raise IntegrityError(
                f"the plan wants Python {plan.python_version} at {plan.python}, but the base has nothing there",
                where=plan.base.reference,
                fix="Capture again with a base that has it.",
                details=message,
            )
        raise refused("build the image", message, details=self._tail())

    def _tail(self) -> str:
        return "\n".join(self._lines)


def _ended_with(expected: int, code: object, message: str) -> bool:
    """Whether the step that failed had this exit code: engines tell it in their own ways."""
    return code == expected or re.search(rf"(?:code:|status) {expected}\b", message) is not None


def _no_interpreter(message: str, plan: BuildPlan) -> bool:
    signs = ("no such file", "executable file not found", "not a directory")
    return str(plan.python) in message and any(sign in message.lower() for sign in signs)
