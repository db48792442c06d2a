"""Executes a notebook's cells one after the other in one fresh kernel, on a copy; the file itself is only read."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import re
import time
import warnings
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import TYPE_CHECKING, Any, BinaryIO

from . import cgroup
from .client import make_client
from .documents import CellRun, Failure
from .events import CELL_FINISHED, CELL_STARTED, KERNEL_READY, Event
from .found import Found
from .kernel import LOG, make_kernel_manager
from .metrics import read_answer
from .metrics_outputs import code_cells, is_tagged
from .output import keep
from .processes import death, kill_first, kill_group
from .stops import ASKS_FOR_INPUT, Flood, explained
from .surroundings import Job

if TYPE_CHECKING:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError
    from nbformat import NotebookNode

EXECUTED = "executed.ipynb"
LOG_FILE = "kernel.log"
_START_LIMIT = 60.0
_OUTPUT_PATIENCE = 60  # seconds that a cell's last outputs may lag behind its end
_LOG_TAIL = 30
_LOG_TURN = 0.5  # seconds
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_IPYKERNEL = re.compile(r"[/\\]ipykernel[/\\]")
_HOOK = "__import__('sys').modules['_repro_hook']"


@dataclass
class NotebookRun:
    """What came of a notebook: the executed copy, its cells, what tagged cells reported, and why it stopped early."""

    notebook: NotebookNode | None = None
    cells: list[CellRun] = field(default_factory=list)
    found: Found = field(default_factory=Found)
    failure: Failure | None = None


def run_notebook(job: Job) -> NotebookRun:
    """Execute the job's notebook and leave `executed.ipynb` and `kernel.log` in its `out`, also when a cell fails.

    Whatever happens, KeyboardInterrupt included, neither the kernel nor a child in its process group survives.
    """
    run = NotebookRun()
    try:
        notebook = run.notebook = read_notebook(job.subject)
    except (OSError, ValueError) as error:
        run.failure = Failure("start", f"{job.subject.name} is not a notebook that can be read: {error}")
        return run
    try:
        with (job.out / LOG_FILE).open("wb") as log:
            session = _Session(job, run, notebook, log)
            try:
                _run_async(session.run(), session.kill)
            finally:
                session.kill()
    finally:
        keep(job.out / EXECUTED, write_notebook(notebook), failed=run.failure is not None)
    return run


def read_notebook(path: Path) -> NotebookNode:
    """A notebook of any version, as version 4. Raises OSError and ValueError."""
    import nbformat  # noqa: PLC0415 - scripts don't need it

    text = path.read_text(encoding="utf-8-sig")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cells without ids and the like, as most notebooks have them
        try:
            notebook: NotebookNode = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
        except Exception as error:  # nbformat raises many kinds for a file that is JSON but no notebook
            msg = str(error).partition("\n")[0] or type(error).__name__
            raise ValueError(msg) from error
    return notebook


def write_notebook(notebook: NotebookNode) -> bytes:
    """The notebook's bytes."""
    import nbformat  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text: str = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    return text.encode("utf-8", "surrogatepass")


class _Session:
    """One kernel and the notebook that runs in it."""

    def __init__(self, job: Job, run: NotebookRun, notebook: NotebookNode, log: BinaryIO) -> None:
        self._run = run
        self._notebook = notebook
        self._python = job.evaluation.python
        self._place = job.place
        self._limits = job.limits
        self._log = log
        self._tell = job.tell
        self._oom = cgroup.oom_kills()
        self._total = sum(1 for _ in code_cells(notebook))
        self._manager = make_kernel_manager(self._python, job.place.private)
        self._flood = Flood(self.kill)

    def kill(self) -> None:
        """End the kernel's process group at once."""
        kill_group(getattr(self._manager.provisioner, "pgid", None))

    async def run(self) -> None:
        client = make_client(
            self._notebook,
            self._flood,
            km=self._manager,
            timeout_func=lambda _: self._limits.for_cell(),
            startup_timeout=math.ceil(min(_START_LIMIT, self._limits.remaining() or _START_LIMIT)),
            iopub_timeout=_OUTPUT_PATIENCE,
            log=LOG,
        )
        watching = asyncio.ensure_future(self._watch_log())
        try:
            self._run.failure = await self._start(client)
            if self._run.failure is None:
                self._tell(Event(KERNEL_READY, total=self._total))
                self._run.failure = await self._execute(client)
                client.set_widgets_metadata()
        finally:
            watching.cancel()
            self._run.found.warnings += self._flood.warnings()
            stuck = self._run.failure is not None and self._run.failure.kind != "cell"
            client.shutdown_kernel = "immediate" if stuck else "graceful"
            if client.km is not None:
                await client._async_cleanup_kernel()  # noqa: SLF001 - its public form wants no running loop

    async def _start(self, client: NotebookClient) -> Failure | None:
        try:
            await client.async_start_new_kernel(
                cwd=str(self._place.directory), env=dict(self._place.variables), stdout=self._log, stderr=self._log
            )
        except OSError as error:
            return Failure("start", f"{self._python} can't be started: {error.strerror or error}")
        process = self._process()
        if process is not None:
            kill_first(process.pid)
        try:
            await client.async_start_new_kernel_client()
        except RuntimeError as error:
            return self._not_started(str(error))
        return None

    def _not_started(self, reason: str) -> Failure:
        log = self._log_tail()
        remaining = self._limits.remaining()
        if remaining is not None and remaining < 1 and "respond" in reason:
            return self._limits.exceeded("the start of the kernel", traceback=log)
        if "No module named" in log and "ipykernel" in log:
            reason = f"ipykernel is not installed for {self._python}"
        return Failure("start", f"the kernel did not start: {reason}", traceback=log)

    def _process(self) -> Popen[bytes] | None:
        return getattr(self._manager.provisioner, "process", None)

    def _log_tail(self) -> str:
        self._log.flush()
        text = Path(self._log.name).read_text(encoding="utf-8", errors="replace")
        return _ANSI.sub("", "\n".join(text.splitlines()[-_LOG_TAIL:]))

    async def _execute(self, client: NotebookClient) -> Failure | None:
        """Run the cells; the first failure ends it."""
        numbers = {id(cell): number for number, cell in code_cells(self._notebook)}
        for index, cell in enumerate(self._notebook.cells):
            if id(cell) in numbers:
                failure = await self._execute_cell(client, cell, index, numbers[id(cell)])
                if failure is not None:
                    return failure
        await self._ask(client, f"{_HOOK}.end()")
        return None

    async def _execute_cell(self, client: NotebookClient, cell: Any, index: int, number: int) -> Failure | None:
        from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError  # noqa: PLC0415

        runs = bool(cell.source.strip()) and "skip-execution" not in cell.metadata.get("tags", [])
        title = next((line.strip() for line in cell.source.splitlines() if line.strip()), "")
        if not runs:
            return None
        self._tell(Event(CELL_STARTED, number, self._total, title))
        began = time.monotonic()
        process = self._process()
        try:
            await client.async_execute_cell(cell, index)
            if is_tagged(cell):
                await self._take_metrics(client, cell, number)
        except CellExecutionError as error:
            await self._ask(client, f"{_HOOK}.modules()")
            return self._raised(error, cell, number)
        except CellTimeoutError:
            return self._limits.exceeded("it", number, cell.source, self._log_tail())
        except DeadKernelError:
            return await self._died(process, cell.source, number)
        self._look_at_log()
        if self._flood.over:  # the kernel is killed by now, which only the next cell would find out
            return await self._died(process, cell.source, number)
        seconds = time.monotonic() - began
        self._run.cells.append(CellRun(number, seconds))
        self._tell(Event(CELL_FINISHED, number, self._total, title, seconds))
        return None

    async def _take_metrics(self, client: NotebookClient, cell: Any, number: int) -> None:
        reply = await self._ask(client, f"{_HOOK}.metrics({cell.source!r}, {cell.get('execution_count') or 0})")
        self._run.found.extend(read_answer(reply, "repro", number))

    async def _ask(self, client: NotebookClient, expression: str) -> Any:
        """Evaluate an expression in the kernel; no history, no output, no count, no name of the user's changes."""
        from nbclient.exceptions import DeadKernelError  # noqa: PLC0415

        assert client.kc is not None  # noqa: S101 - for the type checker
        request = client.kc.execute("", silent=True, store_history=False, user_expressions={"repro": expression})
        with contextlib.suppress(DeadKernelError):  # the next cell finds out; after the last one nobody has to
            return await client.async_wait_for_reply(request)
        return None

    def _raised(self, error: CellExecutionError, cell: Any, number: int) -> Failure:
        message = explained(_ANSI.sub("", f"{error.ename}: {error.evalue}".rstrip(": ")))
        frames = _frames(error, cell)
        if error.ename == "StdinNotImplementedError":
            message = ASKS_FOR_INPUT
            frames = [frame for frame in frames if not _IPYKERNEL.search(frame)]
        kind = "cell"
        if cgroup.oom_kills() > self._oom:
            kind, message = "memory", f"a process was killed because memory ran out; then {message}"
        return Failure(kind, message, number, cell.source, "\n".join(frames).rstrip())

    async def _watch_log(self) -> None:
        """What goes past Python's streams is only seen here."""
        while True:
            await asyncio.sleep(_LOG_TURN)
            self._look_at_log()

    def _look_at_log(self) -> None:
        self._flood.look_at(os.fstat(self._log.fileno()).st_size)

    async def _died(self, process: Popen[bytes] | None, source: str, number: int) -> Failure:
        if self._flood.over:
            return self._flood.failure("it", number, source)
        code = None if process is None else process.poll()
        return death("the kernel", code, self._oom, cell=number, source=source, traceback=self._log_tail())


def _frames(error: CellExecutionError, cell: Any) -> list[str]:
    """The kernel's own traceback without colours; nbclient's, which repeats the cell, where the cell has none."""
    for output in reversed(cell.outputs):
        if output["output_type"] == "error":
            return [_ANSI.sub("", frame) for frame in output["traceback"]]
    rule = "-" * 18
    return [_ANSI.sub("", error.traceback).rpartition(f"{rule}\n{cell.source}\n{rule}\n")[2].strip("\n")]


def _run_async(work: Coroutine[Any, Any, None], kill: Callable[[], None]) -> None:
    """Run a coroutine to its end in a loop of its own.

    Unlike asyncio.run, which cancels the work on SIGINT (and nbclient takes a cancellation for a dead kernel), an
    interrupt is raised here at once; then the kernel is killed first, so that nothing waits for it politely.
    """
    loop = asyncio.new_event_loop()
    task = loop.create_task(work)
    try:
        loop.run_until_complete(task)
    except BaseException:
        kill()
        raise
    finally:
        _wind_up(loop)


def _wind_up(loop: asyncio.AbstractEventLoop) -> None:
    try:
        pending = asyncio.all_tasks(loop)
        for task in pending:
            task.cancel()
        if pending:
            loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
