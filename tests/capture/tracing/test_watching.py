"""A run under all eyes, from the hooks to the verdict on its files."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from repro.capture.config import FileRules
from repro.capture.inputs import InputReport, collect_inputs
from repro.capture.outside import Outside
from repro.capture.probe import probe
from repro.capture.tracing.watching import Watched, run_watched
from repro.runner.documents import Evaluation
from repro.runner.execute import execute
from repro.runner.observed import load_observed

READ_ALL = """\
import os, subprocess
from pathlib import Path
DATA = Path("../data")
subprocess.run(["cat", DATA / "outside.csv", "linked/a.csv", "plain.csv", "away/c.csv"], check=True)
open("made.csv", "w").write(os.environ.get("WHERE", ""))
"""

Watch = Callable[[], tuple[Watched, InputReport]]


@pytest.fixture
def watch(make_files) -> Watch:
    """Runs a script that lets another program read, and sorts what was seen."""
    base = make_files("p/real/a.csv", "p/plain.csv", "p/unread.csv", "data/outside.csv", "store/c.csv")
    root, out = base / "p", base / "out"
    (root / "linked").symlink_to("real")
    (root / "away").symlink_to("../store")
    (root / "s.py").write_text(READ_ALL)
    evaluation = Evaluation("script", "s.py", sys.executable, "")
    outside = Outside(probe(Path(sys.executable), cwd=root, env=os.environ), [out])

    def run() -> tuple[Watched, InputReport]:
        watched = run_watched(
            lambda hooks: execute(evaluation, root, out, hooks=hooks),
            [READ_ALL],
            root=root,
            workdir=root,
            out=out,
            outside=outside,
            environ=os.environ,
        )
        assert watched.record.failure is None, watched.record.failure
        return watched, collect_inputs(root, "s.py", watched.files, rules=FileRules(), outside=outside)

    return run


def states(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Mode, size and time of a folder and of all that is in it; what is beside it may change."""
    found = {str(path): path.lstat() for path in (folder, *folder.rglob("*"))}
    return {path: (info.st_mode, info.st_size, info.st_mtime_ns) for path, info in found.items()}


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
def test_what_other_programs_read_is_locked_or_refused_by_name(watch: Watch, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("WHERE", "here")
    watched, report = watch()
    assert [file.path for file in report.files] == ["linked/a.csv", "plain.csv", "real/a.csv", "s.py"]
    assert report.outputs == ("made.csv",)
    assert len(report.problems) == 2
    assert f"{tmp_path.resolve()}/data/outside.csv lies outside the project" in report.problems[0]
    assert report.problems[1].startswith("away is a link that leads out of the project")
    assert watched.observed == load_observed(tmp_path / "out")
    assert "WHERE" in {one.name for one in watched.observed.missing_variables([])}
    assert any("cat" in one.what for one in watched.observed.processes)


def test_where_the_system_tells_nothing_files_that_the_sources_name_are_locked(watch: Watch, monkeypatch) -> None:
    platform = sys.platform
    monkeypatch.setattr("repro.capture.watch.sys.platform", "darwin")
    watched, report = watch()
    monkeypatch.setattr("repro.capture.watch.sys.platform", platform)
    assert [file.path for file in report.files] == ["linked/a.csv", "plain.csv", "s.py"]
    assert "include" in report.warnings[0]
    assert not watched.files.watched.complete


def test_the_project_is_as_before_but_for_what_the_run_wrote(watch: Watch, tmp_path: Path) -> None:
    before = states(tmp_path / "p" / "real")
    watch()
    assert states(tmp_path / "p" / "real") == before
    assert sorted(os.listdir(tmp_path / "p")) == [  # noqa: PTH208
        "away", "linked", "made.csv", "plain.csv", "real", "s.py", "unread.csv",
    ]  # fmt: skip
