"""`repro pull` as a command: which files it means, what it prints, how it exits."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from repro.cli import main
from repro.digest import Digest
from repro.lock import LockedFile, render_lock
from tests.http.servers import Server, serve
from tests.lock.samples import plain_lock


def locked(path: str, body: bytes, source: str | None) -> LockedFile:
    return LockedFile(path, "data", Digest.of(body), len(body), source=source)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "my projekt ü"
    (root / "notebooks").mkdir(parents=True)
    monkeypatch.chdir(root / "notebooks")
    return root


def write_lock(root: Path, server: Server) -> None:
    """Two files with a source, and a notebook that is here."""
    files = [
        locked(f"data/{name}.csv", name.encode(), server.add(f"/{name}", name.encode())) for name in ("one", "two")
    ]
    (root / "notebooks" / "n.ipynb").write_bytes(b"{}")
    lock = replace(plain_lock(), files=(*files, locked("notebooks/n.ipynb", b"{}", None)))
    (root / "repro.lock").write_bytes(render_lock(lock))


def test_everything_that_has_a_source_is_pulled(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve() as server:
        write_lock(project, server)
        assert main(["pull", "--dry-run"]) == 0
        assert "2 files would be fetched, 6 bytes" in capsys.readouterr().out
        assert main(["pull"]) == 0
        out = capsys.readouterr().out
        assert "data/one.csv, 3 bytes, from http://localhost" in out
        assert "2 files fetched, 6 bytes" in out
        assert main(["pull"]) == 0
        assert "2 files here already" in capsys.readouterr().out
    assert (project / "data" / "two.csv").read_bytes() == b"two"


def test_paths_are_those_of_the_place_it_is_called_from(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve() as server:
        write_lock(project, server)
        assert main(["pull", "../data/two.csv", "n.ipynb", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "repro.pull/1"
    assert {file["path"]: file["status"] for file in document["files"]} == {
        "data/two.csv": "fetched",
        "notebooks/n.ipynb": "present",
    }
    assert not (project / "data" / "one.csv").exists()


def test_a_folder_means_what_is_in_it(project: Path) -> None:
    with serve() as server:
        write_lock(project, server)
        assert main(["pull", "../data", "--quiet"]) == 0
    assert len(list((project / "data").iterdir())) == 2


def test_a_path_that_is_not_locked_is_a_mistake(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve() as server:
        write_lock(project, server)
        assert main(["pull", "../data/three.csv"]) == 2
    assert "data/three.csv" in capsys.readouterr().err


def test_problems_are_told_with_their_cure_and_set_the_exit_code(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve() as server:
        write_lock(project, server)
        (project / "data").mkdir()
        (project / "data" / "one.csv").write_bytes(b"mine")
        assert main(["pull"]) == 2
        out = capsys.readouterr().out
        assert "data/one.csv: something else is there" in out
        assert "--force" in out
        assert "1 file fetched, 3 bytes; 1 file not as locked" in out
        assert main(["pull", "--force"]) == 0
        (project / "notebooks" / "n.ipynb").unlink()
        assert main(["pull"]) == 4
        assert "notebooks/n.ipynb: it is missing, and the lock knows no source of it" in capsys.readouterr().out
        server.routes.clear()
        server.add("/one", b"ONE")
        (project / "data" / "one.csv").unlink()
        assert main(["pull", "../data/one.csv"]) == 5


def test_files_of_one_content_and_cures_by_file(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve() as server:
        files = [locked(f"data/{name}.csv", b"one", server.add(f"/{name}", b"one")) for name in ("a", "b")]
        gone = locked("data/c.csv", b"gone", f"{server.url}/gone")
        lost = locked("data/d.csv", b"lost", "file:///nowhere/d.csv")
        (project / "repro.lock").write_bytes(render_lock(replace(plain_lock(), files=(*files, gone, lost))))
        assert main(["pull"]) == 4
    lines = capsys.readouterr().out.splitlines()
    assert "✓ data/b.csv, 3 bytes, the same as data/a.csv" in lines
    marks = [line[:12] for line in lines if line.startswith(("✗ data/", "→"))]
    assert [mark[0] for mark in marks] == ["✗", "→", "✗", "→"]
