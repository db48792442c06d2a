"""Hooks that are compiled once: what interpreters load, and that nothing depends on it."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from repro.capture.model import Interpreter
from repro.capture.probe import probe
from repro.capture.tracing.bytecode import hook_bytecode
from repro.capture.tracing.hooks import observing_hooks
from repro.runner.documents import Evaluation
from repro.runner.surroundings import hook_sources, surroundings
from repro.runner.trace import read_trace

HOOKS = observing_hooks(blind=False)


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Interpreter:
    return probe(Path(sys.executable), cwd=tmp_path_factory.mktemp("probe"), env={})


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"REPRO_CACHE_DIR": str(tmp_path / "cache")}


def verbose(folder: Path, hooks: Sequence[Path]) -> str:
    """Runs a script that reads a file, under the hooks, and gives what the interpreter tells of its imports."""
    trace = folder / "trace"
    trace.mkdir()
    (folder / "read.txt").write_text("1")
    with surroundings(Evaluation("script", "x.py", sys.executable, ""), folder, trace, hooks) as place:
        command = [sys.executable, "-v", "-c", "open('read.txt').close()"]
        done = subprocess.run(command, cwd=folder, env=place.variables, capture_output=True, text=True, check=True)
    assert str(folder / "read.txt") in read_trace(trace).reads
    return done.stderr


def test_every_hook_is_compiled_once_for_an_interpreter(interpreter, environ) -> None:
    made = hook_bytecode(interpreter, HOOKS, environ)
    stems = {name.removesuffix(".py") for name in (*hook_sources(), *(hook.name for hook in HOOKS))}
    assert {path.name.partition(".")[0] for path in made} == stems
    gone = replace(interpreter, executable=Path("/no/such/python"))
    assert hook_bytecode(gone, HOOKS, environ) == made
    assert hook_bytecode(replace(gone, version="3.99.0"), HOOKS, environ) == ()


def test_what_was_pruned_is_compiled_again(interpreter, environ) -> None:
    made = hook_bytecode(interpreter, HOOKS, environ)
    made[0].unlink()
    assert hook_bytecode(interpreter, HOOKS, environ) == made


def test_interpreters_load_it(interpreter, environ, tmp_path: Path) -> None:
    told = verbose(tmp_path, [*HOOKS, *hook_bytecode(interpreter, HOOKS, environ)])
    for name in ("sitecustomize", "repro_hook", "repro_observe"):
        assert f"/hook/__pycache__/{name}.{sys.implementation.cache_tag}.pyc" in told


def test_bytecode_of_another_interpreter_does_no_harm(interpreter, environ, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for path in hook_bytecode(interpreter, HOOKS, environ):
        (other / path.name).write_bytes(b"\0\0\r\n" + path.read_bytes()[4:])
    verbose(tmp_path, [*HOOKS, *other.iterdir()])
