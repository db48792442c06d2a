"""Which files a run used: real processes under the real trace and the real watcher, then the verdict on them."""

import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import repro.runner.hook
from repro.capture.config import FileRules
from repro.capture.inputs import InputReport, collect_inputs
from repro.capture.model import Interpreter
from repro.capture.outside import Outside
from repro.capture.roles import matches, role_of
from repro.capture.snapshot import FileState, Snapshot, take_snapshot
from repro.capture.static_inputs import static_inputs, string_paths, without_magics
from repro.capture.tracing.file_evidence import FileEvidence
from repro.capture.watch import FileEvents, WatchedFiles, watch_files
from repro.digest import Digest
from repro.runner.trace import Trace, read_trace
from repro.store.hashing import Outcome, hash_files
from tests.capture.packages.installed import Venv

HOOK = Path(repro.runner.hook.__file__).parent


@dataclass
class Project:
    """A project in a folder and a way to run scripts in it under observation."""

    root: Path
    home: Path
    interpreter: Interpreter
    watching: bool = True

    def write(self, files: Mapping[str, str]) -> None:
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    def run(self, source: str, rules: FileRules | None = None, own: tuple[Path, ...] = ()) -> InputReport:
        """Run a script `main.py` that is already there; its content is `source`."""
        self.write({"main.py": source})
        traces = self.home / "trace"
        traces.mkdir(exist_ok=True)
        variables = {"REPRO_TRACE": str(traces), "PYTHONPATH": str(HOOK), "HOME": str(self.home)}
        before = take_snapshot(self.root)
        with watch_files(self.root) as watcher:
            command = [self.interpreter.executable, "main.py"]
            subprocess.run(command, cwd=self.root, env={**os.environ, **variables}, check=True)
        evidence = FileEvidence(
            read_trace(traces), watcher.seen() if self.watching else WatchedFiles(), before, take_snapshot(self.root)
        )
        return self.collect(evidence, rules, own)

    def collect(
        self, evidence: FileEvidence, rules: FileRules | None = None, own: tuple[Path, ...] = ()
    ) -> InputReport:
        outside = Outside(self.interpreter, own, {"XDG_CACHE_HOME": str(self.home / ".cache")})
        return collect_inputs(self.root, "main.py", evidence, rules=rules or FileRules(), outside=outside)


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Venv:
    made = Venv(tmp_path_factory.mktemp("science") / "venv")
    made.uv("pyarrow")
    return made


@pytest.fixture(params=[True, False], ids=["watched", "unwatched"])
def project(request: pytest.FixtureRequest, venv: Venv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    home = tmp_path / "home"
    root = home / "my project ü"
    root.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))  # else all of pytest's folders are temporary
    monkeypatch.setattr("repro.capture.outside._TEMPORARY", ())
    return Project(root.resolve(), home, venv.interpreter(), request.param)


def roles(report: InputReport) -> dict[str, str]:
    return {file.path: file.role for file in report.files}


def test_a_project_is_sorted_into_roles_and_outputs(project: Project) -> None:
    project.write(
        {
            "data/train set ü.csv": "a\n1\n",
            "models/clf.json": "{}",
            "model.pkl": "pickle",
            "settings.yaml": "seed: 1\n",
            "package/__init__.py": "",
            "package/sub/__init__.py": "from package.sub.deep import VALUE\n",
            "package/sub/deep.py": "VALUE = 1\n",
            "package/unused.py": "",
            "helper.py": "import package.sub\n",
            "never_read.csv": "x",
            "old_output.txt": "from the last run",
        }
    )
    source = """
import helper
for name in ("data/train set ü.csv", "models/clf.json", "model.pkl", "settings.yaml"):
    open(name).read()
open("metrics.json", "w").write("{}")
open("metrics.json").read()
open("old_output.txt", "w").write("new")
open("old_output.txt").read()
"""
    first, second = project.run(source), project.run(source)

    assert first.problems == ()
    assert roles(first) == {
        "data/train set ü.csv": "data",
        "helper.py": "code",
        "main.py": "code",
        "model.pkl": "model",
        "models/clf.json": "model",
        "package/__init__.py": "code",
        "package/sub/__init__.py": "code",
        "package/sub/deep.py": "code",
        "settings.yaml": "config",
    }
    assert first.outputs == ("metrics.json", "old_output.txt")
    assert (second.files, second.outputs) == (first.files, first.outputs), "a second run finds bytecode and outputs"
    data = next(file for file in first.files if file.role == "data")
    content = (project.root / data.path).read_bytes()
    assert (data.sha256.hex, data.size, data.executable) == (hashlib.sha256(content).hexdigest(), len(content), False)


def test_a_file_that_only_compiled_code_reads_is_an_input_when_watched(project: Project) -> None:
    make = "import pyarrow as pa, pyarrow.parquet as pq; pq.write_table(pa.table({'a': [1]}), 'x.parquet')"
    subprocess.run([project.interpreter.executable, "-c", make], cwd=project.root, check=True)
    copy = "pq.write_table(pq.read_table('x.parquet'), 'y.parquet')"
    source = f"import pyarrow.parquet as pq\n{copy}\npq.read_table('y.parquet')\n"
    report = project.run(source)
    expected = {"main.py": "code", "x.parquet": "data"} if project.watching else {"main.py": "code"}
    assert roles(report) == expected
    assert report.outputs == ("y.parquet",)
    assert report.problems == ()


@pytest.mark.parametrize(
    "change",
    [
        "open('state.csv').read(); open('state.csv', 'w').write('new')",
        "open('state.csv', 'r+').write('new')",
        "handle = open('state.csv'); open('state.csv', 'w').write('new')",
        "import os; open('state.csv').read(); open('other', 'w').write('new'); os.replace('other', 'state.csv')",
    ],
)
def test_reading_and_then_changing_is_a_problem(change: str, project: Project) -> None:
    project.write({"state.csv": "old content"})
    report = project.run(change)
    assert len(report.problems) == 1
    assert report.problems[0].startswith("state.csv is read and then changed by the run")
    assert "state.csv" not in roles(report)


@pytest.mark.parametrize(
    "change",
    [
        "open('state.csv', 'w').write('new'); open('state.csv').read()",
        "import os; open('other', 'w').write('new'); os.replace('other', 'state.csv'); open('state.csv').read()",
        "import subprocess; subprocess.run('echo new > state.csv', shell=True); open('state.csv').read()",
        "open('state.csv', 'a').write('more')",
        "import os; os.remove('state.csv'); open('state.csv', 'x').write('new'); open('state.csv').read()",
    ],
)
def test_writing_and_then_reading_makes_an_output(change: str, project: Project) -> None:
    project.write({"state.csv": "old content"})
    report = project.run(change)
    assert report.problems == ()
    assert roles(report) == {"main.py": "code"}
    assert report.outputs == ("state.csv",)


def test_opening_for_update_without_a_change_is_reading(project: Project) -> None:
    project.write({"a.csv": "a", "b.csv": "b"})
    report = project.run("open('a.csv', 'r+').read()\nopen('b.csv', 'a')")
    assert roles(report) == {"a.csv": "data", "main.py": "code"}
    assert report.outputs == ()


def test_a_database_that_is_only_queried_is_an_input(project: Project) -> None:
    make = "import sqlite3; c = sqlite3.connect('x.db'); c.execute('create table t (a)'); c.commit()"
    subprocess.run([sys.executable, "-c", make], cwd=project.root, check=True)
    query = "import sqlite3; c = sqlite3.connect('x.db'); c.execute('select * from t').fetchall()\n"
    assert roles(project.run(query)) == {"main.py": "code", "x.db": "data"}
    report = project.run(query + "c.execute('insert into t values (1)'); c.commit()")
    assert report.problems[0].startswith("x.db is read and then changed by the run")


def test_reading_and_then_deleting_is_a_problem_and_temporary_files_are_nothing(project: Project) -> None:
    project.write({"a.csv": "a"})
    report = project.run("import os; open('a.csv').read(); os.remove('a.csv')")
    assert report.problems == ("a.csv is read and then deleted by the run; keep it, or work on a copy of it",)
    report = project.run("import os; open('t', 'w').write('x'); open('t').read(); os.remove('t')")
    assert (report.problems, report.outputs) == ((), ())


def test_files_outside_of_the_project_are_problems_but_the_environments_are_not(
    project: Project, tmp_path: Path
) -> None:
    (project.home / "elsewhere.csv").write_text("x")
    (project.home / ".ipython").mkdir()
    (project.home / ".ipython" / "profile.py").write_text("x")
    (project.home / ".cache" / "matplotlib").mkdir(parents=True)
    (project.home / ".cache" / "matplotlib" / "fonts.json").write_text("x")
    own = tmp_path / "own"
    own.mkdir()
    (own / "evaluation.json").write_text("x")
    (tmp_path / "temporary").mkdir()
    source = f"""
import json, pyarrow, tempfile, pathlib
for path in ("../elsewhere.csv", "../.ipython/profile.py", "../.cache/matplotlib/fonts.json", "/etc/passwd",
             {str(own / "evaluation.json")!r}, pyarrow.__file__):
    open(path).read()
made = pathlib.Path({str(tmp_path)!r}, "made.txt")
made.write_text("x")
made.read_text()
"""
    report = project.run(source, own=(own,))
    assert [problem.split(" lies outside the project; ")[0] for problem in report.problems] == [
        str(project.home / "elsewhere.csv")
    ]
    assert "copy it into" in report.problems[0]
    for glob in ("~/elsewhere.csv", str(project.home / "*.csv"), "elsewhere.csv"):
        assert project.run(source, FileRules(exclude=(glob,)), own=(own,)).problems == ()


def test_a_module_outside_of_the_project_is_a_problem(project: Project) -> None:
    (project.home / "shared").mkdir()
    (project.home / "shared" / "common_code.py").write_text("X = 1\n")
    report = project.run("import sys; sys.path.insert(0, '../shared'); import common_code")
    assert len(report.problems) == 1
    assert "common_code.py lies outside the project" in report.problems[0]


def test_links(project: Project) -> None:
    project.write({"data/real.csv": "inside", ".repro/objects/ab": "stored"})
    (project.home / "far.csv").write_text("outside")
    (project.home / "folder").mkdir()
    (project.home / "folder" / "a.csv").write_text("outside")
    (project.root / "near.csv").symlink_to("data/real.csv")
    (project.root / "stored.csv").symlink_to(".repro/objects/ab")
    (project.root / "far.csv").symlink_to(project.home / "far.csv")
    (project.root / "raw").symlink_to(project.home / "folder")
    report = project.run("[open(name).read() for name in ('near.csv', 'stored.csv', 'far.csv', 'raw/a.csv')]")
    locked = {file.path: file.sha256 for file in report.files if file.role == "data"}
    assert locked["near.csv"] == Digest.of(b"inside")
    assert locked["stored.csv"] == Digest.of(b"stored")
    assert "far.csv" not in locked
    assert len(report.problems) == 2
    assert f"far.csv is a link that leads out of the project, to {project.home / 'far.csv'}" in report.problems[0]
    assert f"raw is a link that leads out of the project, to {project.home / 'folder'}" in report.problems[1]


def test_globs_include_exclude_and_give_roles(project: Project) -> None:
    project.write({"a.csv": "a", "b.csv": "b", "notes/c.txt": "c", "weights.bin": "w", "cache/d.txt": "d"})
    rules = FileRules(
        include=("notes/**", "out.txt"),
        exclude=("b.csv", "cache", "*.log"),
        roles={"model": ("a.*",), "config": ("*.bin",)},
    )
    source = """
for name in ("a.csv", "b.csv", "weights.bin", "cache/d.txt"): open(name).read()
for name in ("out.txt", "x.log"): open(name, "w").write("x")
"""
    report = project.run(source, rules)
    assert roles(report) == {"a.csv": "model", "main.py": "code", "notes/c.txt": "data", "weights.bin": "config"}
    assert report.outputs == ("out.txt",)
    assert report.warnings == ("out.txt is included by repro.toml, but the run writes it: it is not locked",)


def test_the_subject_must_hold_still(project: Project) -> None:
    report = project.run("open('main.py', 'a').write('# more')")
    assert any(problem.startswith("main.py changed while it ran") for problem in report.problems)


def test_names_that_are_not_unicode_are_problems(project: Project) -> None:
    (project.root / os.fsdecode(b"caf\xe9.csv")).write_text("x")
    report = project.run("import os; [open(name).read() for name in os.listdir(b'.') if name.endswith(b'.csv')]")
    assert report.problems == (r"caf\udce9.csv: its name is not UTF-8; rename it, or exclude it in repro.toml",)
    report = project.run("open(b'\\xff.out', 'w').write('x')", FileRules(exclude=("*.csv",)))
    assert report.problems == (r"\udcff.out: its name is not UTF-8; rename it, or exclude it in repro.toml",)
    assert report.outputs == ()


def test_what_can_not_be_read_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests may run as root, whom no mode keeps out: a socket can't be opened by anyone."""
    project.write({"main.py": "", "gone.csv": "x", "changed.csv": "x"})
    monkeypatch.chdir(project.root)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
    now = take_snapshot(project.root)
    states = {**now.files, "socket": FileState(0, 0, 0, 0), "vanished.csv": FileState(1, 1, 1, 1)}
    states["changed.csv"] = FileState(9, 9, 9, 9)
    snapshot = Snapshot(states, now.taken_ns)
    reads = {str(project.root / name): 1 for name in ("gone.csv", "socket", "vanished.csv", "changed.csv")}
    report = project.collect(FileEvidence(Trace(reads=reads), WatchedFiles(), snapshot, snapshot))
    assert roles(report) == {"gone.csv": "data", "main.py": "code"}
    assert [problem.split(";")[0] for problem in report.problems] == [
        "changed.csv changed after the run, while it was being hashed",
        "socket can't be read: it is no regular file",
        "vanished.csv can't be read: No such file or directory",
    ]


def test_a_file_that_changes_while_it_is_hashed_is_named(project: Project) -> None:
    project.write({"main.py": "", "a.csv": "x"})
    now = take_snapshot(project.root)
    hashed: list[str] = []

    def slow(paths: Sequence[str]) -> list[Outcome]:
        hashed.extend(Path(path).name for path in paths)
        found = hash_files(paths)
        (project.root / "a.csv").write_text("another content")
        return [replace(one, after=Path(path).stat()) for path, one in zip(paths, found, strict=True)]

    evidence = FileEvidence(Trace(reads={str(project.root / "a.csv"): 1}), WatchedFiles(), now, now)
    outside = Outside(project.interpreter)
    report = collect_inputs(project.root, "main.py", evidence, rules=FileRules(), outside=outside, hash_all=slow)
    assert sorted(hashed) == ["a.csv", "main.py"]
    assert len(report.problems) == 1
    assert report.problems[0].startswith("a.csv changed after the run")


def test_what_only_the_watcher_saw_is_told_apart(project: Project) -> None:
    names = ("main.py", "c.csv", "python.csv", "real.csv", "wanted.csv", "module.py")
    project.write(dict.fromkeys(names, "x"))
    (project.root / "link.csv").symlink_to("real.csv")
    now = take_snapshot(project.root)
    watched = WatchedFiles(dict.fromkeys(now.files, FileEvents(1, read_before=True)))
    reads = {str(project.root / name): 1 for name in ("python.csv", "link.csv")}
    trace = Trace(reads=reads, modules={"module": str(project.root / "module.py")})
    report = project.collect(FileEvidence(trace, watched, now, now), FileRules(include=("wanted.*",)))
    assert set(roles(report)) == {*now.files, "link.csv"}
    assert report.only_watched == ("c.csv",)
    report = project.collect(FileEvidence(trace, WatchedFiles(), now, now))
    assert report.only_watched == ()


def test_what_an_editable_install_leaves_in_the_project_never_counts(project: Project) -> None:
    left = ("src/thing.egg-info/SOURCES.txt", "thing.egg-info/PKG-INFO", "build/thing-1.0.dist-info/METADATA")
    project.write({"main.py": "", "a.csv": "x", "notes.egg-info": "a file", **dict.fromkeys(left, "x")})
    assert set(take_snapshot(project.root).files) == {"main.py", "a.csv", "notes.egg-info"}
    report = project.run(f"[open(name).read() for name in {('a.csv', *left)!r}]")
    assert roles(report) == {"a.csv": "data", "main.py": "code"}
    assert (report.problems, report.outputs) == ((), ())


def test_data_in_folders_that_never_count_is_not_dropped_in_silence(project: Project) -> None:
    project.write({"data/a.csv": "1", "data/.ipynb_checkpoints/a-checkpoint.csv": "1", "data/a.csv~": "1"})
    reading = "from pathlib import Path\n[path.read_text() for path in Path('data').rglob('*.csv*')]"
    report = project.run(reading)
    assert [problem.partition(" is read, but ")[0] for problem in report.problems] == [
        "data/.ipynb_checkpoints/a-checkpoint.csv",
        "data/a.csv~",
    ]
    excluded = project.run(reading, FileRules(exclude=(".ipynb_checkpoints", "*~")))
    assert excluded.problems == ()
    assert [file.path for file in excluded.files] == ["data/a.csv", "main.py"]


def test_a_run_that_reads_its_repository_is_told_that_no_image_has_one(project: Project) -> None:
    project.write({".git/HEAD": "ref: refs/heads/main"})
    report = project.run("open('.git/HEAD').read()")
    assert report.problems == ()
    assert [warning.split()[3] for warning in report.warnings] == [".git,"]


def test_a_folder_of_jupyters_among_listed_ones_is_told(project: Project) -> None:
    project.write({"data/cats/1.txt": "1", "data/.ipynb_checkpoints/x": "1"})
    report = project.run("import os\nos.listdir('data')\nopen('data/cats/1.txt').read()")
    assert [warning.partition(",")[0] for warning in report.warnings] == ["the run lists data/"]


def test_warnings_of_the_watcher_are_passed_on(project: Project) -> None:
    project.write({"main.py": ""})
    now = take_snapshot(project.root)
    watched = WatchedFiles({"main.py": FileEvents(1)}, complete=False, warnings=("blind",))
    assert project.collect(FileEvidence(Trace(), watched, now, now)).warnings == ("blind",)


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("nb.ipynb", "notebook"),
        ("data/x.py", "code"),
        ("src/a.so", "code"),
        ("data/meta.json", "data"),
        ("data/x.pkl", "data"),
        ("params.json", "config"),
        ("models/booster.json", "model"),
        ("out/Model.PT", "model"),
        (".env.local", "config"),
        ("x.parquet", "data"),
        ("LICENSE", "data"),
    ],
)
def test_roles_by_name(path: str, role: str) -> None:
    assert role_of(path, FileRules()) == role


@pytest.mark.parametrize(
    ("glob", "path", "expected"),
    [
        ("*.csv", "deep/a.csv", True),
        ("data/*.csv", "data/a.csv", True),
        ("data/*.csv", "data/deep/a.csv", False),
        ("data/*.csv", "other/data/a.csv", False),
        ("data/**", "data/deep/a.csv", True),
        ("data/**/a.csv", "data/a.csv", True),
        ("data/", "data/deep/a.csv", True),
        ("./data/a.csv", "data/a.csv", True),
        ("part-[0-3].csv", "part-2.csv", True),
        ("part-[!0-3].csv", "part-2.csv", False),
        ("a?.csv", "ab.csv", True),
        ("a+b.csv", "aab.csv", False),
        ("part-[z-a].csv", "part-[z-a].csv", True),
        ("part-[z-a].csv", "part-z.csv", False),
        ("[z-a]?.csv", "[z-a]1.csv", True),
        ("/srv/**/*.csv", "/srv/x/y/a.csv", True),
    ],
)
def test_globs(glob: str, path: str, expected: bool) -> None:
    assert matches(path, (glob,)) is expected


CELLS = [
    "%matplotlib inline\n!ls data\nimport pandas as pd, local.part\nfrom pathlib import Path\nfrom helper import value",
    "ROOT = Path('data')\nNAME = 'b'\ndf = pd.read_csv(ROOT / 'a.csv')\nopen(f'data/{NAME}.csv')",
    "%%time\nimport os\nopen(os.path.join('data', 'c.csv'), mode='r')",
    "%%bash\ncat data/shell.csv",
    "files = !ls\ndf.to_csv('data/out.csv')\nopen('data/log.txt', 'a')\nprint('data/out.csv')\ndf.head?",
    "ols('~ C(region)', df); open('~nobody-here/x.csv')",
    "this is (not Python",
]


def test_static_inputs(tmp_path: Path) -> None:
    files = {
        **dict.fromkeys(
            ("data/a.csv", "data/b.csv", "data/c.csv", "data/shell.csv", "data/out.csv", "data/log.txt"), "x"
        ),
        "local/__init__.py": "",
        "local/part.py": "from . import other\n",
        "local/other.py": "from pathlib import Path\nTABLE = Path(__file__).parent / 'table.json'\nTABLE.read_text()\n",
        "local/table.json": "{}",
        "local/unused.py": "",
        "src/helper.py": "import local.part\nvalue = open('data/deep.csv')\n",
        "data/deep.csv": "x",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    found = static_inputs(CELLS, tmp_path, tmp_path)

    names = {str(Path(path).relative_to(tmp_path)) for path in found.reads}
    assert names == {"data/a.csv", "data/b.csv", "data/c.csv", "data/deep.csv", "local/table.json"}
    assert {str(Path(path).relative_to(tmp_path)) for path in found.writes} == {"data/out.csv", "data/log.txt"}
    assert set(found.modules) == {"local", "local.part", "local.other", "helper"}
    assert string_paths(["open('data/a.csv'); 'no such file'"], tmp_path) == {str(tmp_path / "data/a.csv")}


def test_static_inputs_become_locked_files(project: Project) -> None:
    project.write({"main.py": "import helper\nopen('a.csv')\n", "helper.py": "", "a.csv": "a"})
    now = take_snapshot(project.root)
    trace = static_inputs([(project.root / "main.py").read_text()], project.root, project.root)
    report = project.collect(FileEvidence(trace, WatchedFiles(), now, now))
    assert roles(report) == {"a.csv": "data", "helper.py": "code", "main.py": "code"}
    assert (report.outputs, report.problems) == ((), ())


def test_magics_leave_python_that_parses() -> None:
    for cell in CELLS[:-1]:
        compile(without_magics(cell), "cell", "exec")
