"""One sealed run of an image: sandbox and limits are set up, the run followed to its end, its results taken over."""

import platform
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path, PurePosixPath

from repro.engines.bubblewrap.command import HIDDEN_PROC, READ_ONLY_PROC, SYSTEM, Sandbox, arguments, environment
from repro.engines.bubblewrap.groups import Group, group_folders, limited_group
from repro.engines.bubblewrap.images import Found, Settings, settings
from repro.engines.bubblewrap.inside import Identity, find_command, identity
from repro.engines.bubblewrap.process import Ending, Process, failed, started
from repro.engines.bubblewrap.scratch import Scratch, runs_directory, scratch, take_over
from repro.engines.bubblewrap.seccomp import filter_program
from repro.engines.bubblewrap.watch import MemoryWatch
from repro.engines.lines import LOG_LINES, Lines
from repro.engines.model import RunOutcome, RunSpec
from repro.errors import InfrastructureError, IntegrityError
from repro.files import disk_errors
from repro.oci.folders import Folder, split_path
from repro.oci.rootfs import BOUND_FILES

_KILLED = 137
_NO_COMMAND = 127


def run_image(
    program: str, root: Path, found: Found, spec: RunSpec, on_output: Callable[[str], None] | None
) -> RunOutcome:
    """Run an image, whose root file system is at `root`, as `Engine.run` promises."""
    wants = settings(found.image, found.id)
    command = (*wants.entrypoint, *spec.args)
    if not command:
        raise IntegrityError("the image has no entry point, so there is nothing to run", where=found.id)
    output = _Output(on_output)
    with scratch(runs_directory()) as place:
        mounts = {str(path): place.directory(f"mount-{number}") for number, path in enumerate(spec.writable)}
        sandbox = _image_sandbox(root, wants, spec, mounts)
        if find_command(root, command[0], sandbox.directory, sandbox.environ["PATH"]) is None:
            output.line(f"{command[0]}: no such program in the image")
            return RunOutcome(_NO_COMMAND, oom_killed=False, timed_out=False, seconds=0, log=output.log, collected=None)
        outcome = _run(lambda seen: _start(program, seen, command), sandbox, spec, place, output)
        return replace(outcome, collected=_collect(mounts, spec.collect))


def run_step(
    program: str,
    root: Path,
    spec: RunSpec,
    *,
    place: Scratch,
    mounts: Mapping[str, Path],
    directory: str,
    on_output: Callable[[str], None] | None = None,
) -> RunOutcome:
    """Run a step of a build, sealed as any run, as user 0 without rights.

    Args:
        program: Path of bwrap.
        root: A root file system; it stays as it is, but for empty directories where something is mounted.
        spec: `args` are the whole command, `env` all its variables; `writable` and `collect` don't apply.
        place: Belongs to whoever calls, and holds what is mounted.
        mounts: Absolute paths in the sandbox → directories on this machine, which it may write to.
        directory: Where the command starts, absolute.
        on_output: Receives each line, as it comes.

    Raises:
        InfrastructureError: bubblewrap fails.
        IntegrityError: The root file system has a link where something is to be mounted.
    """
    _provide(root, [PurePosixPath(path) for path in mounts])
    sandbox = _sandbox(root, Identity(0, 0, "/"), spec, mounts, environ=spec.env, directory=directory)
    return _run(lambda seen: _start(program, seen, spec.args), sandbox, spec, place, _Output(on_output))


class _Output:
    """What the run prints, by lines."""

    def __init__(self, on_output: Callable[[str], None] | None) -> None:
        self._on_output = on_output
        self._lines: deque[str] = deque(maxlen=LOG_LINES)
        self._streams = {1: Lines(), 2: Lines()}

    @property
    def log(self) -> str:
        """The end of it."""
        return "\n".join(self._lines)

    def piece(self, number: int, data: bytes) -> None:
        """A piece of the standard output, 1, or of the standard error, 2; empty at its end."""
        for line in self._streams[number].feed(data, final=not data):
            self.line(line)

    def line(self, text: str) -> None:
        """A whole line."""
        self._lines.append(text)
        if self._on_output is not None:
            self._on_output(text)


def _start(program: str, sandbox: Sandbox, command: Sequence[str]) -> AbstractContextManager[Process]:
    return started(program, lambda handles: arguments(sandbox, handles), command, filter_program(platform.machine()))


def _run(
    start: Callable[[Sandbox], AbstractContextManager[Process]],
    sandbox: Sandbox,
    spec: RunSpec,
    place: Scratch,
    output: _Output,
) -> RunOutcome:
    """Follow a run to its end; nothing of it is collected."""
    begun = time.monotonic()
    ending, oom_killed = _limited(start, sandbox, spec, place, output)
    seconds = time.monotonic() - begun
    if ending.exit_code is None and not (ending.timed_out or ending.exceeded):
        raise failed(output.log)
    return RunOutcome(
        exit_code=None if ending.timed_out else _KILLED if ending.exceeded else ending.exit_code,
        oom_killed=oom_killed,
        timed_out=ending.timed_out,
        seconds=seconds,
        log=output.log,
        collected=None,
    )


def _limited(
    start: Callable[[Sandbox], AbstractContextManager[Process]],
    sandbox: Sandbox,
    spec: RunSpec,
    place: Scratch,
    output: _Output,
) -> tuple[Ending, bool]:
    """How the run ended, and whether something in it was killed for want of memory."""
    folders = group_folders(place.name)
    place.note_groups(folders)
    with ExitStack() as stack:
        group = stack.enter_context(limited_group(folders, spec.memory, spec.pids))
        seen = sandbox if group is None else _with_group(sandbox, group)
        process = stack.enter_context(start(seen))
        watch = _limit(process, group, spec)
        process.go()
        ending = process.follow(spec.timeout, watch, output.piece)
        return ending, ending.exceeded or (group is not None and group.oom_killed())


def _limit(process: Process, group: Group | None, spec: RunSpec) -> MemoryWatch | None:
    """Set the limits; those that the kernel doesn't keep for us are watched."""
    try:
        if group is not None:
            group.join(process.init)
        process.limit(None if group is not None else spec.pids)
    except OSError as error:
        raise InfrastructureError(f"the limits of the sandbox can't be set: {error}") from error
    if group is not None or spec.memory is None:
        return None
    return MemoryWatch(process.init, spec.memory)


def _image_sandbox(root: Path, wants: Settings, spec: RunSpec, mounts: Mapping[str, Path]) -> Sandbox:
    who = identity(root, spec.user or wants.user, spec.image)
    _provide(root, (*spec.writable, PurePosixPath(wants.directory)))
    environ = environment(wants.env, spec.env, who.home)
    return _sandbox(root, who, spec, mounts, environ=environ, directory=wants.directory)


def _sandbox(
    root: Path,
    who: Identity,
    spec: RunSpec,
    mounts: Mapping[str, Path],
    *,
    environ: Mapping[str, str],
    directory: str,
) -> Sandbox:
    return Sandbox(
        root=root,
        mounts=mounts,
        readable={path: Path(path) for path in SYSTEM if Path(path).is_dir()},
        proc={name: Path("/proc", name).is_dir() for name in _known_proc()},
        identity=who,
        environ=environ,
        directory=directory,
        bound=[name for name in BOUND_FILES if _is_plain(root / "etc" / name)],
        shown=spec.shown,
    )


def _known_proc() -> list[str]:
    return [name for name in (*READ_ONLY_PROC, *HIDDEN_PROC) if Path("/proc", name).exists()]


def _is_plain(path: Path) -> bool:
    """Whether it is a file and no link, which would be followed when something is mounted there."""
    return path.is_file() and not path.is_symlink()


def _provide(root: Path, places: Sequence[PurePosixPath]) -> None:
    """Have directories to mount on, even where the image has none. Raises IntegrityError where a link is in the way."""
    with disk_errors(root), Folder(root) as folder:
        for place in places:
            folder.make(split_path(str(place).lstrip("/")))


def _with_group(sandbox: Sandbox, group: Group) -> Sandbox:
    """The runner in the image looks there for its limits, as in any container."""
    return replace(sandbox, readable={**sandbox.readable, **group.folders})


def _collect(mounts: dict[str, Path], path: PurePosixPath | None) -> Path | None:
    if path is None:
        return None
    directory = Path(tempfile.mkdtemp(prefix="repro-run-"))
    try:
        with disk_errors(directory):
            take_over(mounts[str(path)], directory)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return directory
