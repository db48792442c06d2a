"""What the runner keeps of the outputs that it is told of."""

import hashlib
import os
from pathlib import Path

import pytest

from repro.runner import outputs
from repro.runner.outputs import WrittenOutput, keep_outputs


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_outputs_are_copied_under_their_paths_and_what_is_not_there_is_told(tmp_path: Path) -> None:
    root, out = tmp_path / "work", tmp_path / "out"
    (root / "out").mkdir(parents=True)
    (root / "out" / "ü.csv").write_bytes(b"1")
    os.mkfifo(root / "pipe")
    (out / "outputs").mkdir(parents=True)
    (out / "outputs" / "stale.csv").write_bytes(b"of an earlier run")
    found = keep_outputs(root, out, ["out/ü.csv", "gone.csv", "out", "pipe"])
    assert found == (
        WrittenOutput("out/ü.csv", 1, sha256(b"1")),
        WrittenOutput("gone.csv", problem="the run did not write it"),
        WrittenOutput("out", problem="it can't be read: it is no file"),
        WrittenOutput("pipe", problem="it can't be read: it is no file"),
    )
    assert [path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()] == ["outputs/out/ü.csv"]


def test_what_is_too_large_is_told_by_its_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "MOST_BYTES", 10)
    monkeypatch.setattr(outputs, "MOST_IN_ALL", 15)
    for name, size in (("a", 10), ("b", 11), ("c", 6), ("d", 5)):
        (tmp_path / name).write_bytes(b"x" * size)
    found = keep_outputs(tmp_path, tmp_path / "out", "abcd")
    assert [one.problem for one in found] == [
        "",
        "11 bytes are more than is copied out of an image",
        "6 bytes are more than is copied out of an image",
        "",
    ]
    assert found[1].sha256 == sha256(b"x" * 11)
    assert sorted(path.name for path in (tmp_path / "out" / "outputs").iterdir()) == ["a", "d"]
