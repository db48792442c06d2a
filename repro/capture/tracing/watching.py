"""Running under all eyes: the hooks, the system's watcher, and the clock of cells, put together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from repro.capture.model import Interpreter
from repro.capture.outside import Outside
from repro.capture.snapshot import take_snapshot
from repro.capture.static_inputs import static_inputs
from repro.capture.tracing.beyond import places_beyond
from repro.capture.tracing.bytecode import hook_bytecode
from repro.capture.tracing.file_evidence import FileEvidence
from repro.capture.tracing.hooks import observing_hooks
from repro.capture.watch import BlindWatcher, watch_files
from repro.runner.documents import RunRecord
from repro.runner.execute import TRACE
from repro.runner.observed import Observed, load_observed
from repro.runner.trace import Trace, read_trace

Run = Callable[[Sequence[Path]], RunRecord]
"""Runs the subject, given the hooks (see `repro.runner.execute.execute`)."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A run and what was seen of it.

    Attributes:
        record: The runner's.
        trace: What Python reported.
        files: What is known of the files.
        observed: What else it depended on, as the runner left it.
    """

    record: RunRecord
    trace: Trace
    files: FileEvidence
    observed: Observed


def run_watched(
    run: Run,
    sources: Sequence[str],
    *,
    root: Path,
    workdir: Path,
    out: Path,
    outside: Outside,
    environ: Mapping[str, str],
    interpreter: Interpreter | None = None,
) -> Watched:
    """Run the subject and see what it used.

    Args:
        run: Runs it.
        sources: Text of each cell or of the script.
        root: Project root, absolute, links resolved.
        workdir: Working directory of the run, absolute.
        out: Where the run leaves its trace.
        outside: What belongs to the environment and the system.
        environ: Variables of the run.
        interpreter: The one that runs it; where it is given, the hooks are compiled for it once and for all.
    """
    beyond = places_beyond(sources, root, workdir, outside, environ)
    before = take_snapshot(root)
    with watch_files(root, beyond, out / TRACE) as watcher:
        hooks = observing_hooks(blind=isinstance(watcher, BlindWatcher))
        bytecode = hook_bytecode(interpreter, hooks) if interpreter else ()
        record = run((*hooks, *bytecode))
    after = take_snapshot(root)
    seen = watcher.seen()
    if not seen.complete:
        seen = replace(seen, named=_named(sources, root, workdir))
    trace = read_trace(out / TRACE)
    return Watched(record, trace, FileEvidence(trace, seen, before, after), load_observed(out))


def _named(sources: Sequence[str], root: Path, workdir: Path) -> frozenset[str]:
    found = (Path(path) for path in static_inputs(sources, root, workdir).reads)
    return frozenset(path.relative_to(root).as_posix() for path in found if path.is_relative_to(root))
