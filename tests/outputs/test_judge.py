"""One output of a lock against what a run left: bits first, then content, in a process that may die of it."""

import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from repro.digest import Digest
from repro.lock import ComparedOutput
from repro.outputs import judge
from repro.outputs.judge import Left, compare_output, compare_pair, is_regular
from repro.outputs.kinds import kind_of
from repro.outputs.model import Content, OutputComparison


def compared(tmp_path: Path, name: str, baseline: bytes, here: bytes, **rule: object) -> OutputComparison:
    for side, data in (("laptop", baseline), ("here", here)):
        (tmp_path / side).mkdir(exist_ok=True)
        (tmp_path / side / name).write_bytes(data)
    return compare_output(
        output(name, baseline, **rule),
        Left(tmp_path / "here" / name),
        tmp_path / "laptop" / name,
        tmp_path / "pictures",
    )


def output(name: str, data: bytes, **rule: object) -> ComparedOutput:
    return replace(ComparedOutput(name, kind_of(name), Digest.of(data), len(data)), **rule)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a/b.csv", "table"),
        ("B.PARQUET", "table"),
        ("a.json", "table"),
        ("w.npz", "array"),
        ("m.safetensors", "array"),
        ("f.jpeg", "figure"),
        ("f.svg", "text"),
        ("notes.md", "text"),
        ("model.pkl", "bytes"),
        ("model.onnx", "bytes"),
        ("noending", "bytes"),
    ],
)
def test_the_name_tells_the_kind(path: str, kind: str) -> None:
    assert kind_of(path) == kind


def test_the_same_bits_need_no_content(tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(b"x")
    found = compare_output(output("m.pkl", b"x"), Left(tmp_path / "m.pkl"), None, tmp_path)
    assert (found.status, found.passed, found.rule, found.summary) == ("same", True, "same bits", "the same bits")


def test_models_are_held_to_their_bits(tmp_path: Path) -> None:
    found = compared(tmp_path, "m.pkl", b"cos\nsystem\n", b"other")
    assert (found.status, found.passed) == ("moved", False)
    assert found.details[1] == f"here:   {Digest.of(b'other')}"


def test_tables_by_content(tmp_path: Path) -> None:
    found = compared(tmp_path, "p.csv", b"id,p\n1,0.5\n2,1\n", b"id,p\r\n2,1\r\n1,0.5\r\n", key=("id",))
    assert (found.status, found.passed, found.rule) == ("same", True, "exact, rows by id")


def test_texts_without_what_differs_in_every_run(tmp_path: Path) -> None:
    one, other = b"<object at 0x7f00aa55cc>\nauc 0.9\n", b"<object at 0x7f00bb55cc>  \r\nauc 0.9"
    assert compared(tmp_path, "a.txt", one, other, sanitize=True).status == "same"
    found = compared(tmp_path, "a.txt", one, other, sanitize=False)
    assert (found.status, found.summary) == ("moved", "differs from line 1 on")
    assert found.details == ("laptop: '<object at 0x7f00aa55cc>'", "here:   '<object at 0x7f00bb55cc>'")


def test_a_figure_that_differs_only_informs(tmp_path: Path) -> None:
    found = compared(tmp_path, "a.png", b"no figure", b"\x89PNG\r\n\x1a\n", absolute=2.0, gate=False)
    assert (found.status, found.passed, found.rule) == ("unread", True, "pixels within 2 of 255; for information")


def test_without_the_laptops_content_the_bits_decide(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes(b"a\n1\n")
    found = compare_output(output("p.csv", b"a\n1.0\n"), Left(tmp_path / "p.csv"), None, tmp_path)
    assert (found.status, found.passed) == ("unread", False)
    assert "isn't at hand" in found.summary


def test_what_the_run_did_not_write_is_missing(tmp_path: Path) -> None:
    found = compare_output(output("p.csv", b""), Left(problem="it is no file"), None, tmp_path)
    assert (found.status, found.passed, found.summary) == ("missing", False, "it is no file")


def test_of_what_was_too_large_to_copy_the_digest_decides(tmp_path: Path) -> None:
    one = output("p.csv", b"large")
    assert compare_output(one, Left(sha256=Digest.of(b"large"), problem="too large"), None, tmp_path).passed
    found = compare_output(one, Left(sha256=Digest.of(b"other"), problem="too large"), None, tmp_path)
    assert (found.status, found.summary) == ("unread", "other bits, and the content wasn't kept: too large")


def test_a_file_that_exhausts_the_process_is_unread_and_harms_nobody(tmp_path: Path) -> None:
    """20 MB of nested brackets, and a stream of zeros where a table should be."""
    nested = compared(tmp_path, "a.json", b"[]", b"[" * 20_000_000)
    assert (nested.status, nested.passed) == ("unread", False)
    zeros = compared(tmp_path, "a.csv", b"a\n1\n", bytes(30_000_000))
    assert zeros.status in {"moved", "unread"}
    assert not zeros.passed


def test_a_process_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "SECONDS", 0.01)
    found = compared(tmp_path, "a.csv", b"a\n1\n", b"a\n2\n")
    assert (found.status, found.passed) == ("unread", False)
    assert "more than 0.01 s" in found.summary


def test_a_file_compared_with_itself_tells_whether_it_can_be(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(b"id,p\n1,0.5\n")
    assert compare_pair(output("p.csv", b"", key=("id",)), path, path).status == "same"
    assert compare_pair(output("p.csv", b"", key=("nr",)), path, path) == Content(
        "moved", "no column nr to tell rows by"
    )
    assert compare_pair(output("p.npz", b"", kind="array"), path, path).status == "unread"


def test_links_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(zlib.compress(b""))
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert is_regular(tmp_path / "a")
    assert not is_regular(tmp_path / "link")
    assert not is_regular(tmp_path)
    assert not is_regular(tmp_path / "nowhere")
    assert not is_regular(Path("a\0b"))
