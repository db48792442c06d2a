"""Sources → .pyc entries, compiled by the image's own interpreter on the building machine (`image_python`)."""

import contextlib
import threading
from collections.abc import Iterable, Iterator
from importlib import resources
from types import TracebackType
from typing import Self

from repro.cpus import usable_cpus
from repro.errors import InfrastructureError, IntegrityError, ReproError
from repro.oci.bodies import Inline
from repro.oci.entry import Body, Entry
from repro.plan.bytecode import cache_tag
from repro.plan.compile_client import WorkerError, Workers
from repro.plan.compile_worker import NO_MEMORY, REFUSED
from repro.plan.module_files import bytecode_path
from repro_oci.image_python import COMPILE_NOTHING, Command

_OOM_KILLED = -9
"""As a process ends that the kernel stops for want of memory."""
_MORE_MEMORY = f"Give it more memory. {COMPILE_NOTHING}"


class Compiler:
    """Compiles with one interpreter, in several processes that stay until the `with` block ends; for several threads.

    Args:
        command: The interpreter.
        version: X.Y.Z that it has to be.
        workers: Most processes at a time; one for each CPU when None.
    """

    def __init__(self, command: Command, *, version: str, workers: int | None = None) -> None:
        self._command = command
        self._version = version
        self._count = workers or usable_cpus()
        self._open = contextlib.ExitStack()
        self._workers: Workers | None = None
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def compile(self, sources: Iterable[tuple[str, Body]], origin: str) -> list[Entry]:
        """The bytecode of sources, sorted by path; of those that don't compile, as pip has it, there is none.

        Args:
            sources: Absolute path in the image, and content, of each. Read one after the other, a few ahead.
            origin: Who brings them, for messages.

        Raises:
            IntegrityError: The interpreter is another version, or of a kind whose bytecode isn't known.
            InfrastructureError: It doesn't run on this machine, or broke down.
        """
        made = []
        with _told(origin):
            with self._turn:
                workers = self._workers or self._start()
            contents = ((path, b"".join(body.plain())) for path, body in sources)
            for path, data in workers.compile(contents):
                if data is not None:
                    place = bytecode_path(path, cache_tag(self._version)).lstrip("/")
                    made.append(Entry(place, "file", 0o644, Inline(data), origin=origin))
        return sorted(made, key=lambda entry: entry.path.encode())

    def _start(self) -> Workers:
        script = self._open.enter_context(resources.as_file(resources.files("repro.plan") / "compile_worker.py"))
        command = self._command
        self._open.enter_context(command.hold())
        workers = self._open.enter_context(Workers(command.argv, command.env, str(script), self._count))
        found = workers.who()
        expected = (self._version.rstrip("+"), cache_tag(self._version))
        if (found[0].rstrip("+"), found[1]) != expected:
            raise IntegrityError(
                f"the image's interpreter is Python {found[0]} ({found[1]}), not {self._version} ({expected[1]})",
                where=command.argv[-1],
                fix="Capture again with this base.",
            )
        self._workers = workers
        return workers


def compile_entries(sources: Iterable[tuple[str, Body]], command: Command, version: str, origin: str) -> list[Entry]:
    """The bytecode of sources, by processes that end with the call (see `Compiler.compile`)."""
    with Compiler(command, version=version) as compiler:
        return compiler.compile(sources, origin)


@contextlib.contextmanager
def _told(origin: str) -> Iterator[None]:
    """Name what went wrong with the interpreter."""
    try:
        yield
    except WorkerError as error:
        raise _failure(error, origin) from error


def _failure(error: WorkerError, origin: str) -> ReproError:
    where = error.path or origin
    if error.code == REFUSED:
        return IntegrityError(error.output, where=where, fix=COMPILE_NOTHING)
    if error.code == NO_MEMORY:
        return InfrastructureError(f"there is not enough memory to compile {where}", where=origin, fix=_MORE_MEMORY)
    return InfrastructureError(
        f"the image's Python ended with {error.how} while it compiled {where}",
        where=origin,
        fix=_MORE_MEMORY if error.code == _OOM_KILLED else None,
        details=error.output,
    )
