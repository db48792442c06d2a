"""The trace: what processes of an evaluation read, wrote, imported and reached."""

import json
import os
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest

from repro.runner.documents import Evaluation
from repro.runner.surroundings import surroundings
from repro.runner.trace import Trace, read_trace, trace_lines


@pytest.fixture
def traced(tmp_path, monkeypatch):
    """Runs Python source under the hook, in a project folder, with the trace of every process; nothing is printed."""
    project, trace = tmp_path / "project", tmp_path / "trace"
    project.mkdir()
    trace.mkdir()

    def run(source: str, *options: str, python: str = sys.executable, returncode: int = 0) -> Trace:
        with surroundings(Evaluation("script", "x.py", python, ""), project, trace) as place:
            done = subprocess.run(
                [python, *options, "-c", source],
                cwd=project,
                env=place.variables,
                capture_output=True,
                text=True,
                check=False,
            )
        assert (done.returncode, done.stderr) == (returncode, "")
        return read_trace(trace)

    run.project = project
    run.trace = trace
    return run


def inside(found, project: Path) -> set[str]:
    return {path.removeprefix(f"{project}/") for path in found if path.startswith(f"{project}/")}


def test_an_import_leaves_no_bytecode_behind(traced):
    (traced.project / "local.py").write_text("VALUE = 1\n")
    traced("import local")
    assert not (traced.project / "__pycache__").exists()


def test_reads_and_writes(traced):
    for name in ("read", "plus", "append", "both", "low", "moved", "gone"):
        (traced.project / name).write_text("1")
    (traced.project / "sub").mkdir()
    trace = traced(
        "import os, shutil, pathlib\n"
        "open('read').close(); open('plus', 'r+').close(); open('append', 'a').close()\n"
        "open('both').close(); open('both', 'w').close()\n"
        "open('new', 'w').close(); open('new').close(); open('x', 'x').close(); open('w+', 'w+').close()\n"
        "os.close(os.open('low', os.O_RDONLY)); os.close(os.open('low2', os.O_CREAT | os.O_WRONLY))\n"
        "os.replace('moved', 'target'); os.remove('gone'); os.listdir('sub'); list(os.scandir())\n"
        "pathlib.Path('by path').write_bytes(b'')\n"
        "open(os.open('read', os.O_RDONLY)).close(); os.symlink('read', 'link')\n"
        "for missing in ('missing', 'sub'):\n"
        "    try: open(missing)\n"
        "    except OSError: pass\n"
        "open('/dev/null').close(); open('/dev/urandom', 'rb').close()\n"
    )
    assert inside(trace.reads, traced.project) == {"read", "plus", "both", "new", "low"}
    assert inside(trace.writes, traced.project) == {
        "plus", "append", "both", "new", "x", "w+", "low2", "target", "by path", "link",
    }  # fmt: skip
    assert inside(trace.removed, traced.project) == {"moved", "gone"}
    assert inside(trace.listed, traced.project) == {"sub"}
    assert str(traced.project) in trace.listed
    at = {name: str(traced.project / name) for name in ("both", "new")}
    assert trace.reads[at["both"]] < trace.writes[at["both"]]
    assert trace.writes[at["new"]] < trace.reads[at["new"]]
    assert not any(path.startswith("/dev/") for path in (*trace.reads, *trace.writes))


def test_folders_that_are_entered_and_made(traced):
    for name in ("work", "there", "child"):
        (traced.project / name).mkdir()
    trace = traced(
        "import os, pathlib, subprocess, sys\n"
        "subprocess.run([sys.executable, '-c', ''], cwd='child')\n"
        "os.makedirs('there', exist_ok=True); pathlib.Path('deep/down').mkdir(parents=True)\n"
        "os.chdir('work'); os.chdir('..'); os.chdir(os.open('there', os.O_RDONLY))\n"
    )
    assert inside(trace.entered, traced.project) == {"work", "child"}
    assert inside(trace.made, traced.project) == {"there", "deep", "deep/down"}


def test_modules_also_from_a_warm_cache_and_without_a_polite_end(traced):
    (traced.project / "local.py").write_text("VALUE = 1\n")
    py_compile.compile(str(traced.project / "local.py"))
    assert list((traced.project / "__pycache__").glob("local.*.pyc"))
    trace = traced("import os, local; os._exit(0)")
    assert "local.py" in inside(trace.reads, traced.project)
    assert "local" not in trace.modules
    assert traced("import local").modules["local"] == str(traced.project / "local.py")


def test_paths_are_told_in_one_spelling(traced):
    for name in ("a", ".hidden/b", "..c", ".d./e", "from root"):
        (traced.project / name).parent.mkdir(exist_ok=True)
        (traced.project / name).write_text("1")
    names = ("./a", ".hidden/../a", ".hidden//b", ".hidden/./b", "..c", ".d./e")
    trace = traced(
        f"import os\nfor name in {names}:\n    open(name).close(); open(os.getcwd() + '/' + name).close()\n"
        "here = os.getcwd()\nos.chdir('/')\nopen(here[1:] + '/from root').close()\n"
    )
    assert inside(trace.reads, traced.project) == {"a", ".hidden/b", "..c", ".d./e", "from root"}


def test_bytecode_stands_for_its_source_only_where_there_is_one(traced):
    cache = traced.project / "__pycache__"
    cache.mkdir()
    for name in ("here.cpython-311.pyc", "gone.cpython-311.pyc", "odd.pyc"):
        (cache / name).write_text("1")
    for name in ("here.py", "odd.py", "missing.py"):
        (traced.project / name).write_text("1")
    trace = traced(
        "for name in ('here.cpython-311', 'gone.cpython-311', 'odd', 'missing.cpython-311'):\n"
        "    try: open(f'__pycache__/{name}.pyc').close()\n"
        "    except OSError: pass\n"
    )
    assert inside(trace.reads, traced.project) == {
        "here.py", "__pycache__/gone.cpython-311.pyc", "__pycache__/odd.pyc",
    }  # fmt: skip


def test_a_forked_child_has_a_file_of_its_own(traced):
    traced(
        "import os\nopen('parent', 'w').close()\npid = os.fork()\n"
        "open('child', 'w').close() if not pid else os.waitpid(pid, 0)\nos._exit(0)\n"
    )
    files = sorted(path.read_text() for path in traced.trace.glob("*.jsonl"))
    assert [("/parent" in text, "/child" in text) for text in files].count((True, True)) == 0
    assert any("/child" in text for text in files)


def test_only_the_kinds_that_were_asked_for(tmp_path):
    lines = [{"t": 2, "k": "read", "p": '"k":"write"'}, {"t": 1, "k": "write", "p": "/b"}, {"t": 3, "k": "list"}]
    (tmp_path / "1-0.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert trace_lines(tmp_path, ["write", "list"]) == [lines[1]]
    assert trace_lines(tmp_path, ["read", "write"]) == [lines[1], lines[0]]


def test_children_of_every_kind_are_traced(traced):
    for name in ("child", "forked", "spawned"):
        (traced.project / name).write_text("1")
    (traced.project / "spawner.py").write_text("def work(name):\n    open(name).close()\n")
    trace = traced(
        "import os, subprocess, sys, multiprocessing, spawner\n"
        "subprocess.run([sys.executable, '-c', 'open(\"child\").close()'], check=True)\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        "    open('forked').close()\n"
        "    os._exit(0)\n"
        "os.waitpid(pid, 0)\n"
        "process = multiprocessing.get_context('spawn').Process(target=spawner.work, args=('spawned',))\n"
        "process.start(); process.join()\n"
    )
    assert {"child", "forked", "spawned"} <= inside(trace.reads, traced.project)
    assert any("child" in line for line in trace.processes)


def test_network(traced):
    trace = traced(
        "import socket\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "client = socket.create_connection(server.getsockname())\n"
        "client.close(); server.close()\n"
        "socket.socketpair()\n"
    )
    assert len(trace.network) == 1
    assert trace.network[0].startswith("127.0.0.1:")


def test_a_program_may_close_the_descriptor_and_reuse_its_number(traced):
    (traced.project / "after").write_text("1")
    trace = traced(
        "import os\nopen('first', 'w').close()\nos.closerange(3, 256)\n"
        "own = [os.open('own%d' % n, os.O_CREAT | os.O_WRONLY) for n in range(20)]\nopen('after').close()\n"
    )
    assert "after" in inside(trace.reads, traced.project)
    assert all((traced.project / f"own{number}").read_bytes() == b"" for number in range(20))


def test_the_hook_hides_but_stays_for_children(traced):
    source = (
        "import os, sys\n"
        "hook = os.environ['PYTHONPATH'].split(os.pathsep)[0]\n"
        "assert os.path.exists(os.path.join(hook, 'sitecustomize.py'))\n"
        "assert hook not in sys.path and 'sitecustomize' not in sys.modules\n"
        "try:\n    import sitecustomize\nexcept ImportError: pass\nelse: raise SystemExit(5)\n"
    )
    traced(source)


def test_the_environments_own_sitecustomize_runs(traced, tmp_path, monkeypatch):
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("import sys\nsys.own = __file__\nNAME = __name__\n")
    monkeypatch.setenv("PYTHONPATH", str(own))
    traced(
        "import sys, sitecustomize\n"
        f"assert sys.own == sitecustomize.__file__ == {str(own / 'sitecustomize.py')!r}\n"
        f"assert sitecustomize.NAME == 'sitecustomize' and {str(own)!r} in sys.path\n"
    )


def test_a_broken_sitecustomize_is_as_broken_as_without_us(tmp_path, monkeypatch):
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("raise RuntimeError('mine')\n")
    monkeypatch.setenv("PYTHONPATH", str(own))
    with surroundings(Evaluation("script", "x.py", sys.executable, ""), tmp_path, tmp_path) as place:
        done = [
            subprocess.run([sys.executable, "-c", "print('up')"], env=env, capture_output=True, text=True, check=False)
            for env in (place.variables, dict(os.environ))
        ]
    assert done[0].stdout == done[1].stdout == "up\n"
    assert done[0].stderr == done[1].stderr != ""


@pytest.mark.parametrize("trace", ["/no/such/directory", ""])
def test_an_interpreter_starts_whatever_is_wrong_with_the_trace(tmp_path, trace):
    with surroundings(Evaluation("script", "x.py", sys.executable, ""), tmp_path, tmp_path) as place:
        variables = {**place.variables, "REPRO_TRACE": trace}
        done = subprocess.run(
            [sys.executable, "-c", "print('up')"], env=variables, capture_output=True, text=True, check=False
        )
    assert (done.stdout, done.stderr, done.returncode) == ("up\n", "", 0)


def test_a_trace_directory_that_vanishes_is_no_concern_of_the_program(traced):
    traced("import os, shutil\nshutil.rmtree(os.environ['REPRO_TRACE'])\nopen('x', 'w').close()")
    assert (traced.project / "x").exists()


def test_torn_and_foreign_lines_are_passed_over(tmp_path):
    lines = [
        {"t": 5, "k": "read", "p": "/b"},
        {"t": 3, "k": "read", "p": "/a"},
        {"t": 9, "k": "read", "p": "/a"},
        {"k": "read", "p": "/no time"},
        {"t": 1, "k": "module", "p": "/no name"},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "1-0.jsonl").write_text(text + '{"t": 10, "k": "read", "p": "/to')
    (tmp_path / "2-0.jsonl").write_bytes(b"\xff\x00\n" + json.dumps({"t": 1, "k": "read", "p": "/b"}).encode())
    assert read_trace(tmp_path) == Trace(reads={"/b": 1, "/a": 3})


def test_a_name_that_is_not_utf8(traced):
    name = b"caf\xe9.txt"
    (traced.project / os.fsdecode(name)).write_text("1")
    trace = traced("open(b'caf\\xe9.txt').close()")
    assert inside(trace.reads, traced.project) == {os.fsdecode(name)}


def test_libraries_with_thread_pools_can_be_asked_for_anywhere(traced):
    traced(
        "import sys\n"
        "found = sys.modules['_repro_hook']._load('repro_libraries').libraries()\n"
        "assert isinstance(found, list) and '_repro_threadpoolctl' not in sys.modules\n"
    )
