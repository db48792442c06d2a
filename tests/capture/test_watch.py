"""What the system tells of a run: real processes in a real folder, seen through inotify."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from repro.capture.snapshot import FileState, ignored, take_snapshot
from repro.capture.watch import BlindWatcher, FileEvents, FileWatcher, WatchedFiles, watch_files
from tests.capture.packages.installed import Venv

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


def run(root: Path, source: str, python: Path | str = sys.executable) -> WatchedFiles:
    with watch_files(root) as watcher:
        subprocess.run([python, "-c", source], cwd=root, check=True)
    return watcher.seen()


def files(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}\n")
    return root


def test_reading_writing_and_making_are_told_apart(tmp_path: Path) -> None:
    root = files(
        tmp_path, "read.csv", "data/deep/Größe 1.csv", "untouched.csv", "overwritten.csv", "appended.log", "both.txt"
    )
    seen = run(
        root,
        """
open("read.csv").read()
open("data/deep/Größe 1.csv").read()
open("overwritten.csv", "w").write("new")
open("overwritten.csv").read()
open("appended.log", "a").write("more")
open("both.txt").read()
open("both.txt", "w").write("new")
open("made.txt", "w").write("new")
""",
    )
    assert seen.complete
    assert seen.warnings == ()
    assert seen.files["read.csv"] == FileEvents(opens_before=1, read_before=True)
    assert seen.files["data/deep/Größe 1.csv"].read_before
    assert "untouched.csv" not in seen.files
    assert seen.files["overwritten.csv"] == FileEvents(opens_before=1, opens_after=1, changed=True)
    assert seen.files["appended.log"] == FileEvents(opens_before=1, changed=True)
    assert seen.files["both.txt"] == FileEvents(opens_before=2, read_before=True, changed=True)
    made = seen.files["made.txt"]
    assert made.changed
    assert made.replaced
    assert not made.read_before


def test_folders_that_appear_during_the_run_are_watched(tmp_path: Path) -> None:
    seen = run(
        tmp_path,
        """
import os
os.makedirs("new/deeper")
open("new/deeper/a.txt", "w").write("a")
os.rename("new", "moved")
open("moved/deeper/b.txt", "w").write("b")
os.makedirs("__pycache__")
open("__pycache__/c.pyc", "w").write("c")
""",
    )
    assert seen.complete
    assert seen.files["moved/deeper/a.txt"].changed
    assert seen.files["moved/deeper/b.txt"].changed
    assert not any("__pycache__" in path for path in seen.files)


def test_replaced_and_removed_files_count_as_changed(tmp_path: Path) -> None:
    root = files(tmp_path, "replaced.csv", "removed.csv", "new")
    seen = run(root, 'import os; os.replace("new", "replaced.csv"); os.remove("removed.csv")')
    for name in ("replaced.csv", "removed.csv"):
        assert seen.files[name].changed
        assert seen.files[name].replaced


def test_ignored_folders_and_editors_files_are_not_reported(tmp_path: Path) -> None:
    names = [
        ".git/config",
        ".venv/pyvenv.cfg",
        ".venv/lib/a.py",
        "conda/conda-meta/history",
        "node_modules/a.js",
        "a.txt~",
        ".a.txt.swp",
    ]
    seen = run(files(tmp_path, *names, "b.txt"), f"[open(name).read() for name in {[*names, 'b.txt']!r}]")
    assert set(seen.files) == {"b.txt"}


def test_what_happened_before_and_after_is_not_reported(tmp_path: Path) -> None:
    root = files(tmp_path, "a.txt")
    (root / "a.txt").read_text()
    with FileWatcher(root) as watcher:
        pass
    (root / "a.txt").read_text()
    assert watcher.seen() == WatchedFiles()


def test_a_run_with_very_many_files_is_seen_whole(tmp_path: Path) -> None:
    root = files(tmp_path, *(f"part-{number % 7}/{number}.csv" for number in range(3000)))
    seen = run(root, 'import pathlib; [path.read_bytes() for path in pathlib.Path(".").rglob("*.csv")]')
    assert seen.complete
    assert len(seen.files) == 3000


def test_lost_events_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue is filled while nobody reads it: what the system itself then sends is what is tested."""
    root = files(tmp_path, "a.txt", "b.txt")
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    monkeypatch.setattr(FileWatcher, "_listen", lambda self: os.read(self._wake, 1))
    with watch_files(root) as watcher:
        for _ in range(most // 4 + 1):
            for name in ("a.txt", "b.txt"):
                os.close(os.open(root / name, os.O_RDONLY))
    seen = watcher.seen()
    assert not seen.complete
    assert "include" in seen.warnings[0]


def test_a_system_that_does_not_tell_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with BlindWatcher("nothing to see") as watcher:
        pass
    assert watcher.seen() == WatchedFiles(complete=False, warnings=("nothing to see",))
    monkeypatch.setattr(sys, "platform", "darwin")
    blind = watch_files(tmp_path)
    assert isinstance(blind, BlindWatcher)
    assert "include" in blind.seen().warnings[0]


def test_a_refused_watch_is_told_and_the_run_goes_on(tmp_path: Path) -> None:
    """The limit of open files makes the system refuse for real, in a process of its own."""
    script = """
import resource, sys
from pathlib import Path
from repro.capture.watch import watch_files
with watch_files(Path(sys.argv[1])) as watcher:
    pass
assert watcher.seen().complete
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
with watch_files(Path(sys.argv[1])) as watcher:
    pass
assert "Too many open files" in watcher.seen().warnings[0], watcher.seen()
"""
    subprocess.run([sys.executable, "-c", script, tmp_path], check=True)


@pytest.fixture(scope="module")
def science(tmp_path_factory: pytest.TempPathFactory) -> Venv:
    venv = Venv(tmp_path_factory.mktemp("science") / "venv")
    venv.uv("pyarrow")
    return venv


@pytest.mark.parametrize(
    ("make", "read"),
    [
        (
            "import pyarrow as pa, pyarrow.parquet as pq; pq.write_table(pa.table({'a': [1]}), 'd/x.parquet')",
            "import pyarrow.parquet as pq; assert pq.read_table('d/x.parquet').num_rows == 1",
        ),
        (
            "import sqlite3; c = sqlite3.connect('d/x.db'); c.execute('create table t (a)'); c.commit()",
            "import sqlite3; sqlite3.connect('d/x.db').execute('select * from t').fetchall()",
        ),
        ("open('d/x.bin', 'wb').write(bytes(9))", "import subprocess; subprocess.run(['cat', 'd/x.bin'], check=True)"),
    ],
    ids=["pyarrow", "sqlite3", "child process"],
)
def test_files_that_compiled_code_reads_are_seen(make: str, read: str, science: Venv, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    subprocess.run([science.python, "-c", make], cwd=tmp_path, check=True)
    seen = run(tmp_path, read, science.python)
    name = next(path.name for path in (tmp_path / "d").iterdir())
    assert seen.files[f"d/{name}"].opens_before
    assert not seen.files[f"d/{name}"].changed


def test_the_audit_hook_alone_does_not_see_pyarrow(science: Venv, tmp_path: Path) -> None:
    """The reason for this module: should it ever fail, the watcher could go."""
    script = """
import sys, pyarrow as pa, pyarrow.parquet as pq
pq.write_table(pa.table({'a': [1]}), 'x.parquet')
seen = []
sys.addaudithook(lambda event, args: seen.append(str(args[0])) if event == 'open' else None)
pq.read_table('x.parquet')
sys.exit(any('x.parquet' in path for path in seen))
"""
    subprocess.run([science.python, "-c", script], cwd=tmp_path, check=True)


def test_a_snapshot_tells_change(tmp_path: Path) -> None:
    root = files(tmp_path, "a.txt", "b c/ü.txt", ".git/x", "env/pyvenv.cfg", "env/y", "__pycache__/z.pyc", "repro.lock")
    (root / "link").symlink_to("a.txt")
    before = take_snapshot(root)
    assert set(before.files) == {"a.txt", "b c/ü.txt"}
    info = (root / "a.txt").stat()
    while (root / "a.txt").stat().st_ctime_ns == info.st_ctime_ns:  # the file system's clock may be a slow one
        (root / "a.txt").write_text("CONTENT OF a.txt\n")
    os.utime(root / "a.txt", ns=(info.st_atime_ns, info.st_mtime_ns))
    after = take_snapshot(root)
    assert before.files["a.txt"] != after.files["a.txt"]
    assert before.files["a.txt"].same_content(after.files["a.txt"])
    assert before.files["b c/ü.txt"] == after.files["b c/ü.txt"]
    assert before.taken_ns <= after.taken_ns
    assert FileState.of((root / "a.txt").stat()) == after.files["a.txt"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.txt", False),
        (".git/config", True),
        ("a/.repro/b", True),
        ("deep/env/lib/x.py", True),
        ("a/.DS_Store", True),
        (".a.py.swp", True),
        ("notes.ipynb", False),
        ("repro.lock", True),
        ("#draft#", True),
        ("#draft", False),
        (".a.swc", True),
        ("a.swc", False),
        (".~lock.ods", True),
        ("data~", True),
    ],
)
def test_ignored_paths(path: str, expected: bool, tmp_path: Path) -> None:
    files(tmp_path, "deep/env/pyvenv.cfg")
    assert ignored(tmp_path, path) is expected
