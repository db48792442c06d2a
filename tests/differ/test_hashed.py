"""Locked files as they are now, and pointers that stand for what was never fetched."""

import hashlib
from dataclasses import replace
from pathlib import Path

from repro.differ.hashed import Files, hash_now
from repro.digest import Digest
from repro.lock import LockedFile
from repro.progress import Silent
from tests.differ import projects

FILE = projects.locked("data/x.csv", b"1,2\n", "data")


def look(root: Path, file: LockedFile) -> Files:
    return hash_now(root, [file], Silent(), {})


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8", newline="\n")


def pointer(data: bytes) -> str:
    return (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{hashlib.sha256(data).hexdigest()}\nsize {len(data)}\n"
    )


def test_a_pointer_of_lfs_stands_for_its_content(tmp_path: Path) -> None:
    write(tmp_path, "data/x.csv", pointer(b"1,2\n"))
    assert look(tmp_path, FILE) == Files((FILE,), (FILE,), ())


def test_a_pointer_of_lfs_to_another_content_is_a_change(tmp_path: Path) -> None:
    write(tmp_path, "data/x.csv", pointer(b"1,2,3\n"))
    (now,) = look(tmp_path, FILE).there
    assert (now.sha256, now.size) == (Digest.of(b"1,2,3\n"), 6)


def test_a_file_that_is_locked_as_a_pointer_is_just_a_file(tmp_path: Path) -> None:
    text = pointer(b"1,2\n")
    write(tmp_path, "data/x.csv", text)
    file = projects.locked("data/x.csv", text.encode(), "data")
    assert look(tmp_path, file) == Files((file,), (), ())


def test_what_dvc_names_by_now_is_compared_with_the_source(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    md5 = hashlib.md5(b"1,2\n").hexdigest()
    file = replace(FILE, source=f"s3://bucket/files/md5/{md5[:2]}/{md5[2:]}")
    write(tmp_path, "data/x.csv.dvc", f"outs:\n- md5: {md5}\n  size: 4\n  hash: md5\n  path: x.csv\n")
    assert look(tmp_path, file) == Files((file,), (file,), ())
    other = hashlib.md5(b"other").hexdigest()
    write(tmp_path, "data/x.csv.dvc", f"outs:\n- md5: {other}\n  size: 4\n  hash: md5\n  path: x.csv\n")
    assert look(tmp_path, file).faults == (f"data/x.csv: DVC names another content than was locked, md5 {other}",)


def test_what_is_gone_is_nowhere_and_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert look(tmp_path, FILE) == Files((), (), ())
    (tmp_path / "data" / "x.csv").mkdir(parents=True)
    assert look(tmp_path, FILE).faults == ("data/x.csv: it can't be read: it is no regular file",)
