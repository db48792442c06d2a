"""One run of post-link scripts: the environment laid out on disk, each script in a sandbox, what they changed.

A script finds what conda gives it (conda, `run_script`): an activated environment, bash, `bin` as its directory. It
sees the image's files and no network, and may only write to the environment and to `/tmp`. POSIX only.
"""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from repro.conda.meta import record_name
from repro.engines.bubblewrap.inside import find_command
from repro.engines.bubblewrap.run import run_step
from repro.engines.bubblewrap.scratch import Scratch, scratch
from repro.engines.model import RunOutcome, RunSpec
from repro.errors import CaptureError
from repro.files import disk_errors
from repro.lock import CondaPackage
from repro.oci import tar
from repro.oci.entry import Entry
from repro.oci.unpack import TREE, unpack_layer
from repro.plan import layout
from repro.progress import Task
from repro.store import ObjectStore
from repro_oci.script_changes import SKIP, Linked, changes, look, restore, settle
from repro_oci.script_ground import TOP

PATIENCE = 600.0
"""Seconds that one script may take."""

_PREFIX = str(layout.ENVIRONMENT)
_PATH = f"{_PREFIX}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MESSAGES = ".messages.txt"
_MOST_MESSAGES = 1 << 16
_RUN = """\
umask 022
for one in "$PREFIX"/etc/conda/activate.d/*.sh; do if [ -r "$one" ]; then . "$one"; fi; done
cd "$PREFIX/bin" && . "$PREFIX/bin/.$PKG_NAME-post-link.sh"
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where scripts run.

    Attributes:
        program: Path of bwrap.
        root: The root file system below the environment.
        entries: The environment, complete.
        directory: The user's cache.
        compiled: Whether the environment's modules are compiled from what packages bring.
    """

    program: str
    root: Path
    entries: Sequence[Entry]
    directory: Path
    compiled: bool

    @property
    def linked(self) -> Linked:
        """The environment by paths in it."""
        entries = {entry.path.removeprefix(TOP): entry for entry in self.entries if entry.path.startswith(TOP)}
        return Linked(layout.ENVIRONMENT, entries, self.compiled)


def run_scripts(stage: Stage, packages: Sequence[CondaPackage], task: Task, told: Callable[[str], None]) -> list[Entry]:
    """Run the scripts of these packages, one after the other, and once more, to see whether they leave the same.

    Args:
        stage: Where.
        packages: Whose, in order. Those that have none after all are told of and left out.
        task: Advanced with each.
        told: Takes the lines that scripts print, and the messages that they leave for people.

    Returns:
        What they added and changed.

    Raises:
        CaptureError: A script failed, did what no layer can hold, or leaves something else each time.
        InfrastructureError: The sandbox can't be made, or the disk refuses.
    """
    linked = stage.linked
    with scratch(stage.directory / "sandboxes") as place, disk_errors(place.path):
        folder = _laid_out(stage, place)
        settle(folder, linked)
        first = _Turn(stage, packages, place, folder, linked)
        entries = first.entries(task, told)
        restore(folder, first.touched, linked)
        again = _Turn(stage, packages, place, folder, linked).entries(task, lambda _: None)
    _check_same(entries, again)
    return entries


@dataclass(frozen=True, slots=True)
class _Turn:
    """All scripts, in an environment as nobody used it; `touched` has the paths where something happened."""

    stage: Stage
    packages: Sequence[CondaPackage]
    place: Scratch
    folder: Path
    linked: Linked
    touched: dict[str, str] = field(default_factory=dict)

    def entries(self, task: Task, told: Callable[[str], None]) -> list[Entry]:
        """Run them; what they added and changed."""
        before = look(self.folder)
        for package in self.packages:
            _run(self, package, told)
            after = look(self.folder)
            ours = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
            self.touched.update(dict.fromkeys(ours, package.label))
            before = after
            task.advance(1, package.name)
        store = ObjectStore(self.stage.directory / "artifacts", durable=False)
        return changes(self.folder, self.touched, self.linked, store)


def _check_same(first: Sequence[Entry], second: Sequence[Entry]) -> None:
    """Whether both turns left the same; then it can be predicted."""
    one, other = ({entry.path: entry for entry in entries} for entries in (first, second))
    differing = sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))
    if differing:
        found = {**other, **one}
        raise CaptureError(
            "post-link scripts leave something else each time they run, so their layer can't be locked",
            problems=[f"/{path} of {found[path].origin}" for path in differing],
            fix=SKIP,
        )


def _laid_out(stage: Stage, place: Scratch) -> Path:
    """The environment as files that scripts may write to."""
    home = place.directory("environment", 0o755)
    with tempfile.TemporaryFile(dir=place.path) as stream:
        for block in tar.stream(stage.entries):
            stream.write(block)
        stream.seek(0)
        unpack_layer(stream, home, "the environment")
    return home / TREE / TOP


def _run(turn: _Turn, package: CondaPackage, told: Callable[[str], None]) -> None:
    """What earlier scripts left on disk decides nothing here: it was laid out for the sandbox alone."""
    stage, linked = turn.stage, turn.linked.entries
    if f"bin/.{package.name}-post-link.sh" not in linked:
        told(f"{package.label} has no post-link script: nothing is run for it")
        return
    if "bin/bash" not in linked and find_command(stage.root, "bash", "/", _PATH) is None:
        raise CaptureError(
            f"the post-link script of {package.label} needs bash, which neither the base nor the environment has",
            fix=f"Choose a base that has it, or do without the script: {SKIP}",
        )
    outcome = run_step(
        stage.program,
        stage.root,
        RunSpec(
            f"the post-link script of {package.label}",
            ("bash", "-c", _RUN),
            timeout=PATIENCE,
            env=_env(package, linked[record_name(package)]),
        ),
        place=turn.place,
        mounts={_PREFIX: turn.folder},
        directory="/",
        on_output=lambda line: told(f"{package.name}: {line}"),
    )
    messages = _messages(turn.folder)
    for line in messages.splitlines():
        told(f"{package.name}: {line}")
    _check(package, outcome, messages)


def _check(package: CondaPackage, outcome: RunOutcome, messages: str) -> None:
    if outcome.exit_code == 0:
        return
    ended = f"did not end within {PATIENCE:g} s" if outcome.timed_out else f"failed with exit code {outcome.exit_code}"
    raise CaptureError(
        f"the post-link script of {package.label} {ended}",
        fix="It runs without a network, and may write to the environment only. If the work does without what it does: "
        f"{SKIP}",
        details="\n".join(part for part in (outcome.log, messages.rstrip()) if part),
    )


def _messages(folder: Path) -> str:
    """What the script left to be told, which is not kept (conda, `messages`)."""
    path = folder / _MESSAGES
    try:
        text = path.read_bytes()[:_MOST_MESSAGES] if path.is_file() and not path.is_symlink() else b""
    finally:
        path.unlink(missing_ok=True)
    return text.decode("utf-8", "replace")


def _env(package: CondaPackage, entry: Entry) -> Mapping[str, str]:
    """Variables: conda's, and those that keep the machine and the time out. `entry` is the package's record."""
    record = json.loads(b"".join(entry.body.plain())) if entry.body is not None else {}
    return {
        "PREFIX": _PREFIX,
        "ROOT_PREFIX": _PREFIX,
        "CONDA_PREFIX": _PREFIX,
        "CONDA_DEFAULT_ENV": _PREFIX,
        "CONDA_SHLVL": "1",
        "PKG_NAME": package.name,
        "PKG_VERSION": package.version,
        "PKG_BUILDNUM": str(record.get("build_number", 0)),
        "PATH": _PATH,
        "HOME": "/tmp",  # noqa: S108 - the sandbox's own
        "TMPDIR": "/tmp",  # noqa: S108 - the sandbox's own
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": str(tar.MTIME),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
    }
