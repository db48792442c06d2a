"""Places outside of the project, and links, seen through inotify by really reading with another program."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from repro.capture.tracing.beyond import Beyond
from repro.capture.tracing.seen import WatchedFiles
from repro.capture.watch import watch_files

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


def cat(root: Path, *paths: str, beyond: Beyond | None = None) -> WatchedFiles:
    with watch_files(root, beyond) as watcher:
        subprocess.run(["cat", *paths], cwd=root, check=True, capture_output=True)
    return watcher.seen()


def test_named_places_outside_are_watched_with_what_is_below_them(make_files) -> None:
    base = make_files("p/a.txt", "data/deep/b.txt", "data/c.txt", "alone/d.txt", "alone/e.txt")
    beyond = Beyond((str(base / "data"), str(base / "alone/d.txt")))
    paths = ("a.txt", "../data/deep/b.txt", "../data/c.txt", "../alone/d.txt", "../alone/e.txt")
    seen = cat(base / "p", *paths, beyond=beyond)
    assert set(seen.files) == {"a.txt"}
    assert set(seen.outside) == {str(base / name) for name in ("data/deep/b.txt", "data/c.txt", "alone/d.txt")}
    assert all(events.read_before for events in seen.outside.values())
    assert seen.complete


def test_the_projects_own_parent_and_what_does_not_count_are_not_watched(make_files) -> None:
    base = make_files("p/a.txt", "b.txt", "system/c.txt")
    beyond = Beyond((str(base), str(base / "p"), str(base / "system")), lambda place: "system" not in place)
    seen = cat(base / "p", "a.txt", "../b.txt", "../system/c.txt", beyond=beyond)
    assert (set(seen.files), seen.outside) == ({"a.txt"}, {})


def test_links_lead_to_what_is_watched(make_files) -> None:
    base = make_files("p/real/a.txt", "store/b.txt", "single.txt")
    root = base / "p"
    (root / "inside").symlink_to("real")
    (root / "outside").symlink_to("../store")
    (root / "one.txt").symlink_to("../single.txt")
    (root / "broken").symlink_to("nowhere")
    seen = cat(root, "inside/a.txt", "outside/b.txt", "one.txt")
    assert set(seen.files) == {"real/a.txt"}
    assert set(seen.outside) == {str(base / "store/b.txt"), str(base / "single.txt")}
    assert seen.links == {
        "inside": str(root / "real"),
        "outside": str(base / "store"),
        "one.txt": str(base / "single.txt"),
    }


def test_a_folder_that_python_lists_during_the_run_is_watched_from_then_on(make_files) -> None:
    base = make_files("p/a.txt", "listed/b.txt", "trace/x.jsonl")
    (base / "trace" / "x.jsonl").write_text("")
    with watch_files(base / "p", Beyond(), base / "trace") as watcher:
        with (base / "trace" / "1-0.jsonl").open("w") as trace:
            trace.write(f'{{"t":1,"k":"list","p":"{base}/listed"}}\n{{"t":2,"k":"list","p":"/torn')
        until = time.monotonic() + 30
        while str(base / "listed/b.txt") not in watcher._records and time.monotonic() < until:
            subprocess.run(["cat", str(base / "listed/b.txt")], check=True, capture_output=True)
            time.sleep(0.02)
    assert watcher.seen().outside[str(base / "listed/b.txt")].read_before


def test_too_many_folders_outside_are_told(make_files, monkeypatch) -> None:
    monkeypatch.setattr("repro.capture.tracing.file_watcher._MOST_OUTSIDE", 3)
    base = make_files("p/a.txt", *(f"data/{number}/b.txt" for number in range(9)))
    seen = cat(base / "p", "a.txt", beyond=Beyond((str(base / "data"),)))
    assert not seen.complete
    assert "move the data into the project" in seen.warnings[0]


def test_the_systems_limit_of_watched_folders_is_told_and_the_run_goes_on(make_files) -> None:
    """In a user namespace of its own, where the limit can be set to a few."""
    base = make_files(*(f"p/{number}/b.txt" for number in range(30)))
    script = """
import os, subprocess, sys
from pathlib import Path
from repro.capture.watch import watch_files
Path("/proc/sys/user/max_inotify_watches").write_text("9")
with watch_files(Path(sys.argv[1])) as watcher:
    subprocess.run(["cat", f"{sys.argv[1]}/0/b.txt"], check=True)
print(watcher.seen().complete, watcher.seen().warnings)
"""
    command = ["unshare", "--user", "--map-root-user", sys.executable, "-c", script, str(base / "p")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": "."})
    if "unshare" in done.stderr or "Permission" in done.stderr:
        pytest.skip(done.stderr)
    assert "False" in done.stdout, done.stderr
    assert "fs.inotify.max_user_watches" in done.stdout
    assert done.stdout.count("max_user_watches") == 1
