"""Processes that compile: they can't wait for each other, say how they ended, and never stay behind."""

import contextlib
import itertools
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from repro.plan import compile_worker
from repro.plan.compile_client import NOT_STARTED, WorkerError, Workers
from repro.plan.compile_worker import NO_MEMORY, REFUSED
from tests.plan.interpreters import interpreters

pytestmark = pytest.mark.timeout(300)  # both sides would wait for ever

WORKER = Path(compile_worker.__file__)
ROOT = WORKER.parents[2]
SMALL = b"x = 1\n"
GREETING = "import os, sys\nsys.stdout.buffer.write(b'\\x03\\0\\0\\0' + b'3 t')\nsys.stdout.buffer.flush()\n"


def workers(count: int = 2, script: Path = WORKER) -> Workers:
    return Workers([sys.executable], {}, str(script), count)


@pytest.fixture
def noted(tmp_path: Path) -> Path:
    """The worker, but each process leaves a file named by its number in `pids` first."""
    (tmp_path / "pids").mkdir()
    script = tmp_path / "noted.py"
    script.write_text(
        f"import os, runpy\nopen(os.path.join({str(tmp_path / 'pids')!r}, str(os.getpid())), 'w').close()\n"
        f"runpy.run_path({str(WORKER)!r}, run_name='__main__')\n"
    )
    return script


def alive(noted: Path) -> list[str]:
    """Processes that were started and still run; zombies wait for whoever adopted them."""
    return [state for state in ps("stat", noted) if not state.startswith("Z")]


def pids(noted: Path) -> list[Path]:
    return sorted((noted.parent / "pids").iterdir())


def ps(what: str, noted: Path) -> list[str]:
    """What ps says of each process that was started and is still there."""
    numbers = ",".join(path.name for path in pids(noted))
    done = subprocess.run(["ps", "-o", f"{what}=", "-p", numbers], capture_output=True, text=True, check=False)
    return done.stdout.split()


def test_answers_come_in_the_order_of_the_sources() -> None:
    sources = [(f"/{number}.py", f"x = {number}\n".encode() * (200 if number % 3 else 1)) for number in range(40)]
    with workers() as found:
        made = list(found.compile(sources))
    assert [path for path, _ in made] == [path for path, _ in sources]
    assert all(data is not None for _, data in made)


def test_who_answers_is_known_before_anything_is_compiled() -> None:
    with workers() as found:
        assert found.who() == (sys.version.split()[0], sys.implementation.cache_tag)
        assert found.who() == found.who()


def test_large_sources_do_not_make_both_sides_wait() -> None:
    """Far more than a pipe holds, in both directions."""
    large = b"x = '" + b"a b " * 1_000_000 + b"'\n"
    sources = [(f"/{number}.py", large) for number in range(6)]
    with workers() as found:
        made = dict(found.compile(sources))
    assert all(data is not None and len(data) > 4_000_000 for data in made.values())


@pytest.mark.parametrize("version", interpreters())
def test_it_runs_in_the_images_own_python_too(version: str, tmp_path: Path) -> None:
    """As the Docker builder lays it out: without the rest of the package."""
    parts = tmp_path / "repro" / "plan"
    parts.mkdir(parents=True)
    for name in ("compile_client.py", "compile_worker.py", "module_files.py"):
        shutil.copy(WORKER.with_name(name), parts)
    code = (
        "import sys; from repro.plan.compile_client import Workers; from repro.plan import module_files\n"
        f"with Workers([sys.executable], {{}}, {str(parts / WORKER.name)!r}, 2) as workers:\n"
        "    who = workers.who()\n"
        "    made = list(workers.compile([('/a.py', b'x = 1'), ('/b.py', b'x = '), ('/c.py', b'')]))\n"
        "assert [data is None for _, data in made] == [False, True, False]\n"
        "print(who[0], module_files.bytecode_path('/a.py', who[1]))"
    )
    command = [interpreters()[version], "-W", "error", "-s", "-S", "-B", "-c", code]
    env = {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert re.fullmatch(rf"{version}\.\d+ /__pycache__/a\.cpython-{version.replace('.', '')}\.pyc\n", done.stdout)


def test_sources_are_taken_only_a_few_ahead() -> None:
    taken = 0

    def endless(source: bytes) -> Iterator[tuple[str, bytes]]:
        nonlocal taken
        for number in itertools.count():
            taken += 1
            yield f"/{number}.py", source

    with workers() as found:
        for source, ahead in ((SMALL, 300), (b"#" * 200_000 + b"\n", 10)):
            taken = 0
            results = found.compile(endless(source))
            for done in range(1, 60):
                next(results)
                assert taken <= done + ahead


def test_the_last_sources_are_not_waited_for() -> None:
    """Fewer than go to a process at once."""
    with workers() as found:
        for count in (0, 1, 31, 32, 33, 65):
            sources = [(f"/{number}.py", SMALL) for number in range(count)]
            assert [path for path, data in found.compile(sources) if data] == [path for path, _ in sources]


def test_what_does_not_compile_is_told_and_others_still_are() -> None:
    with workers(1) as found:
        made = list(found.compile([("/a.py", b"print 'x'\n"), ("/b.py", SMALL), ("/c.py", b"")]))
    assert [data is None for _, data in made] == [True, False, False]


MEMORY = 400 << 20
"""Bytes: more than an interpreter needs, and than parsing may take that is given up for its depth."""
LARGE = b"x = [" + b"1, " * 1_000_000 + b"]\n"
"""Takes more than that to compile."""
TOO_DEEP = {"minus": b"x = " + b"-" * 100_000 + b"1\n", "power": b"x = " + b"a**" * 50_000 + b"a\n"}
"""Python says MemoryError of them, whatever memory there is."""


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """The worker with little memory."""
    script = tmp_path / "short.py"
    script.write_text(
        f"import resource, runpy\nresource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))\n"
        f"runpy.run_path({str(WORKER)!r}, run_name='__main__')\n"
    )
    return script


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, the limit isn't kept")
@pytest.mark.parametrize("version", interpreters())
def test_without_memory_it_ends_instead_of_leaving_a_module_out(short: Path, version: str) -> None:
    with Workers([interpreters()[version]], {}, str(short), 1) as found, pytest.raises(WorkerError) as caught:
        list(found.compile([("/a.py", SMALL), ("/large.py", LARGE), ("/b.py", SMALL)]))
    assert (caught.value.code, caught.value.path) == (NO_MEMORY, "/large.py")
    assert "not enough memory" in caught.value.output


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, the limit isn't kept")
@pytest.mark.parametrize("version", interpreters())
def test_what_is_too_deep_is_left_out_however_little_memory_there_is(short: Path, version: str) -> None:
    with Workers([interpreters()[version]], {}, str(short), 1) as found:
        made = dict(found.compile([*TOO_DEEP.items(), ("/b.py", SMALL)]))
    assert [path for path, data in made.items() if data is not None] == ["/b.py"]


def test_few_large_sources_wait_at_a_time() -> None:
    taken = 0

    def large() -> Iterator[tuple[str, bytes]]:
        nonlocal taken
        for number in range(8):
            taken += 1
            yield f"/{number}.py", b"#" * (12 << 20) + b"\n"

    with workers() as found:
        for done, _ in enumerate(found.compile(large())):
            assert taken <= done + 4


@pytest.mark.parametrize(
    ("code", "expected", "output"),
    [
        ("sys.stdin.buffer.read(9); sys.stderr.write('why' * 100_000 + 'end'); os._exit(3)", 3, "whyend"),
        ("sys.stdin.buffer.read(9); os.kill(os.getpid(), 9)", -signal.SIGKILL, ""),
        ("sys.stdout.buffer.write(b'\\xff\\0\\0\\0half'); sys.exit()", 0, ""),
        ("os.close(0); sys.stdout.buffer.write(b''); os._exit(4)", 4, ""),
    ],
    ids=["exit", "signal", "half an answer", "not listening"],
)
def test_a_worker_that_ends_says_how_and_over_what(tmp_path: Path, code: str, expected: int, output: str) -> None:
    script = tmp_path / "ends.py"
    script.write_text(GREETING + code + "\n")
    with workers(script=script) as found, pytest.raises(WorkerError) as caught:
        list(found.compile([("/a.py", SMALL * 100_000), ("/b.py", SMALL)]))
    assert caught.value.code == expected
    assert caught.value.output.endswith(output)
    assert len(caught.value.output) <= 4000
    assert caught.value.path == "/a.py"


def test_an_unknown_interpreter_is_refused_in_its_words(tmp_path: Path) -> None:
    script = tmp_path / "future.py"
    script.write_text(
        f"import runpy, sys\nsys.version_info = (3, 99, 0)\nrunpy.run_path({str(WORKER)!r}, run_name='__main__')\n"
    )
    with workers(script=script) as found, pytest.raises(WorkerError, match=r"3\.99\.0 isn't known") as caught:
        found.who()
    assert caught.value.code == REFUSED


def test_what_can_not_be_started_is_told(tmp_path: Path) -> None:
    with Workers([str(tmp_path / "none")], {}, str(WORKER), 2) as found, pytest.raises(WorkerError) as caught:
        found.who()
    assert caught.value.code == NOT_STARTED
    with Workers(["true"], {}, str(WORKER), 2) as found, pytest.raises(WorkerError) as caught:
        list(found.compile([("/a.py", SMALL)]))
    assert caught.value.code == 0


def test_processes_end_with_the_block_even_when_they_are_busy(noted: Path) -> None:
    """The first ends once there is a second, which never answers."""
    folder = noted.parent / "pids"
    busy = (
        "import time\nwhile b'/0.py' not in sys.stdin.buffer.read(13): time.sleep(600)\n"
        f"while len(os.listdir({str(folder)!r})) < 2: time.sleep(0.01)\nos._exit(3)\n"
    )
    noted.write_text(noted.read_text().partition("runpy.run_path")[0] + GREETING + busy)
    with workers(script=noted) as found, pytest.raises(WorkerError) as caught:
        list(found.compile([(f"/{number}.py", SMALL * 100_000) for number in range(20)]))
    assert caught.value.code == 3
    assert len(pids(noted)) == 2
    assert alive(noted) == []


def test_an_error_of_the_one_who_gives_sources_ends_them_too(noted: Path) -> None:
    def broken() -> Iterator[tuple[str, bytes]]:
        yield "/a.py", SMALL
        raise LookupError

    with pytest.raises(LookupError), workers(script=noted) as found:
        list(found.compile(broken()))
    assert alive(noted) == []


ENDLESS = """
import itertools, sys
sys.path.insert(0, {root!r})
from repro.plan.compile_client import Workers
with Workers([sys.executable], {{}}, {script!r}, 2) as workers:
    for number, _ in enumerate(workers.compile(("/x.py", b"x = 1\\n" * 1000) for _ in itertools.count())):
        if number == 5:
            print("begun", flush=True)
"""


@contextlib.contextmanager
def compiling(noted: Path, *, in_session: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """A process that compiles without end, both of whose workers run."""
    command = [sys.executable, "-c", ENDLESS.format(root=str(ROOT), script=str(noted))]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, start_new_session=in_session) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"begun\n"
            while len(pids(noted)) < 2:  # answers may come before the second has begun
                time.sleep(0.01)
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whoever_starts_them_may_be_interrupted_or_killed(noted: Path, how: signal.Signals) -> None:
    with compiling(noted) as process:
        assert len(alive(noted)) == 2
        process.send_signal(how)
        said = process.communicate()[1].decode()
    assert process.returncode == -how
    assert said.strip().endswith("KeyboardInterrupt") == (how == signal.SIGINT)
    assert "Exception ignored" not in said
    while alive(noted):  # those whose parent was killed see the end of their pipe, then end
        time.sleep(0.1)


def test_ctrl_c_at_a_terminal_reaches_only_who_started_them(noted: Path) -> None:
    """A terminal signals everything in the foreground's group; workers aren't in it."""
    with compiling(noted, in_session=True) as process:
        groups = ps("pgid", noted)
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert len(groups) == 2
    assert str(process.pid) not in groups
    assert alive(noted) == []
