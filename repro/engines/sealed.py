"""One sealed run of a container: created, followed to its end, emptied of its results, and removed whatever happens."""

import contextlib
import queue
import shutil
import tempfile
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

from docker import APIClient
from docker.errors import APIError, NotFound
from docker.types import LogConfig, Mount

from repro.engines.archive import extract_members, open_archive
from repro.engines.failures import TRANSPORT, closing_responses, engine_errors, to_the_end
from repro.engines.lines import LOG_LINES, Lines
from repro.engines.model import RunOutcome, RunSpec, Shown
from repro.errors import InfrastructureError, IntegrityError

LABEL_RUN = "dev.repro.run"
"""On containers that exist only while `repro` looks into an image or runs it."""

_TMP = "rw,exec,nosuid,nodev,mode=1777"
_SHM = 1 << 30
_KILL_SECONDS = 60.0
_JOIN_SECONDS = 10.0
_KILLED = 137
_NO_INIT = "init binary not found"
_OOM_LOOKS = 50
_OOM_PAUSE = 0.1


def run_sealed(api: APIClient, spec: RunSpec, on_output: Callable[[str], None] | None) -> RunOutcome:
    """Run an image as `Engine.run` promises."""
    name = f"repro-run-{uuid.uuid4().hex}"
    entrypoint = _entrypoint(api, spec)
    with _container(api, name, spec, entrypoint), _Output(api, name) as output:
        started = time.monotonic()
        with engine_errors("start the container", spec.image):
            api.start(name)
        log: deque[str] = deque(maxlen=LOG_LINES)
        timed_out = _follow(api, name, spec.timeout, _lines(output, log, on_output))
        seconds = time.monotonic() - started
        state = _final_state(api, name)
        return RunOutcome(
            exit_code=None if timed_out else int(state["ExitCode"]),
            oom_killed=bool(state["OOMKilled"]),
            timed_out=timed_out,
            seconds=seconds,
            log="\n".join(log),
            collected=_collect(api, name, spec),
        )


@contextlib.contextmanager
def container(api: APIClient, name: str, image: str, **settings: Any) -> Iterator[None]:
    """A container that is created, never started by this function, and removed with its anonymous volumes.

    It is known by a name chosen beforehand, so that it can be removed even when its creation's answer got lost.
    """

    def create() -> None:
        with engine_errors("create a container", image):
            api.create_container(image, name=name, labels={LABEL_RUN: name}, use_config_proxy=False, **settings)

    try:
        to_the_end(create)
        yield
    except BaseException:
        with contextlib.suppress(InfrastructureError):
            to_the_end(lambda: _remove(api, name))
        raise
    to_the_end(lambda: _remove(api, name))


def _remove(api: APIClient, name: str) -> None:
    with engine_errors("remove a container", name), contextlib.suppress(NotFound):
        try:
            api.remove_container(name, v=True, force=True)
        except APIError as error:
            if error.status_code != HTTPStatus.CONFLICT:  # somebody else is removing it already
                raise


@contextlib.contextmanager
def _container(api: APIClient, name: str, spec: RunSpec, entrypoint: list[str] | None) -> Iterator[None]:
    """The sealed container; without the engine's init process where that isn't installed (Podman without catatonit)."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(
                container(api, name, spec.image, **_settings(api, spec, init=True), entrypoint=entrypoint)
            )
        except InfrastructureError as error:
            if _NO_INIT not in error.what:
                raise
            stack.enter_context(
                container(api, name, spec.image, **_settings(api, spec, init=False), entrypoint=entrypoint)
            )
        yield


def _entrypoint(api: APIClient, spec: RunSpec) -> list[str] | None:
    """The image's entry point, to be named in the request: engines add the image's CMD to what is left unnamed."""
    with engine_errors("inspect the image", spec.image):
        try:
            details: dict[str, Any] = api.inspect_image(spec.image)  # type: ignore[no-untyped-call]
        except NotFound:
            return None  # creating the container will say so
    found: str | list[str] | None = (details.get("Config") or {}).get("Entrypoint")
    words = [found] if isinstance(found, str) else list(found or ())
    if not words and not spec.args:
        raise IntegrityError("the image has no entry point, so there is nothing to run", where=spec.image)
    return words or None


def _settings(api: APIClient, spec: RunSpec, *, init: bool) -> dict[str, Any]:
    host = api.create_host_config(
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        pids_limit=spec.pids,
        mem_limit=spec.memory,
        memswap_limit=spec.memory,
        tmpfs={"/tmp": _TMP},  # noqa: S108 - the container's own
        shm_size=_SHM,
        init=init,
        log_config=LogConfig(type=LogConfig.types.NONE),
        mounts=_mounts(spec.shown),
    )
    return {
        "command": list(spec.args) or None,
        "environment": dict(spec.env),
        "volumes": [str(path) for path in spec.writable],
        "user": spec.user,
        "hostname": "repro",
        "host_config": host,
    }


def _mounts(shown: Shown | None) -> list[Mount]:
    """Binds that the engine refuses, rather than makes up, where it can't see this machine's files."""
    places = () if shown is None else shown.places()
    return [Mount(str(place), str(here), type="bind", read_only=True) for place, here in places]


class _Output:
    """What a container prints, read by a thread of its own so that the caller can watch the clock.

    Attaching before the start sees every byte and needs no log on the engine's disk.
    """

    def __init__(self, api: APIClient, name: str) -> None:
        self._api = api
        self._name = name
        self._chunks: queue.Queue[tuple[int, bytes] | None] = queue.Queue(maxsize=256)
        self._closed = threading.Event()
        self._opened = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            with engine_errors("attach to the container", self._name):
                stack.enter_context(closing_responses(self._api))
                stream = self._api.attach(self._name, stdout=True, stderr=True, stream=True, logs=False, demux=True)
            thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
            thread.start()
            stack.callback(thread.join, _JOIN_SECONDS)
            stack.callback(_hang_up, stream)
            stack.callback(self._closed.set)
            self._opened = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def next(self, timeout: float | None) -> tuple[int, bytes] | None:
        """The next piece as (1 or 2, bytes), None at the end. Raises queue.Empty after `timeout` seconds."""
        return self._chunks.get(timeout=timeout)

    def _read(self, stream: Iterable[tuple[bytes | None, bytes | None]]) -> None:
        with contextlib.suppress(*TRANSPORT, OSError, ValueError):
            for out, err in stream:
                self._put((1, out) if out else (2, err or b""))
        self._put(None)

    def _put(self, item: tuple[int, bytes] | None) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(queue.Full):
                self._chunks.put(item, timeout=0.5)
                return


def _hang_up(stream: Any) -> None:
    with contextlib.suppress(*TRANSPORT, OSError, AttributeError):
        stream.close()


_Step = Callable[[float | None], bool]


def _lines(output: _Output, log: deque[str], on_output: Callable[[str], None] | None) -> _Step:
    """A function that waits for one piece of output and passes its lines on; it says whether there may be more."""
    streams = {1: Lines(), 2: Lines()}

    def emit(lines: Iterable[str]) -> None:
        for line in lines:
            log.append(line)
            if on_output is not None:
                on_output(line)

    def step(timeout: float | None) -> bool:
        piece = output.next(timeout)
        if piece is None:
            for stream in streams.values():
                emit(stream.feed(b"", final=True))
            return False
        emit(streams[piece[0]].feed(piece[1]))
        return True

    return step


def _follow(api: APIClient, name: str, timeout: float | None, step: _Step) -> bool:
    """Pass output on until the container has ended; kills it at the deadline. Returns whether it had to."""
    if _ended(api, name, timeout, step):
        return False
    with engine_errors("kill the container", name):
        _kill(api, name)
    if not _ended(api, name, _KILL_SECONDS, step):
        raise InfrastructureError(f"the engine did not stop a container within {_KILL_SECONDS:g} s", where=name)
    return True


def _ended(api: APIClient, name: str, timeout: float | None, step: _Step) -> bool:
    """Whether output and container came to their end within `timeout` seconds."""
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        while step(_left(deadline)):
            pass
    except queue.Empty:
        return False
    return _wait(api, name, deadline)


def _wait(api: APIClient, name: str, deadline: float | None) -> bool:
    with engine_errors("wait for the container", name):
        try:
            api.wait(name, timeout=_left(deadline))  # type: ignore[arg-type] # requests takes fractions
        except TRANSPORT:
            if deadline is None or time.monotonic() < deadline:
                raise
            return False
    return True


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(deadline - time.monotonic(), 0.001)


def _kill(api: APIClient, name: str) -> None:
    """Kill it, unless it has ended meanwhile (409)."""
    try:
        api.kill(name)
    except TRANSPORT:
        if api.inspect_container(name)["State"]["Running"]:
            raise


def _final_state(api: APIClient, name: str) -> dict[str, Any]:
    """How it ended. The kernel's word that memory ran out may reach the engine after the exit code."""
    for _ in range(_OOM_LOOKS):
        with engine_errors("inspect the container", name):
            details: dict[str, Any] = api.inspect_container(name)
        state: dict[str, Any] = details["State"]
        if state["OOMKilled"] or state["ExitCode"] != _KILLED or not details["HostConfig"]["Memory"]:
            break
        time.sleep(_OOM_PAUSE)
    return state


def _collect(api: APIClient, name: str, spec: RunSpec) -> Path | None:
    if spec.collect is None:
        return None
    directory = Path(tempfile.mkdtemp(prefix="repro-run-"))
    try:
        with closing_responses(api), engine_errors("copy the results out of the container", str(spec.collect)):
            chunks, _ = api.get_archive(name, str(spec.collect))
            with open_archive(chunks) as archive:
                extract_members(archive, directory)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return directory
