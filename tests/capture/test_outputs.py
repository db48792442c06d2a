"""Declared outputs: which files they are, and their content beside the lock."""

from collections.abc import Mapping
from pathlib import Path

import nbformat
import pytest

from repro.capture import outputs as module
from repro.capture.config import OutputPolicy, load_config
from repro.capture.outputs import Declared, Kept, Written, declared_outputs, keep_baseline, stored_outputs
from repro.digest import Digest
from repro.errors import CaptureError, UsageError
from repro.lock import ComparedOutput
from repro.outputs.kinds import DELIMITERS, FEATHER, PARQUET, RECORDS

TABLES = (*DELIMITERS, *RECORDS, *PARQUET, *FEATHER)

NONE = Kept(Path("nowhere"))


def policies(tmp_path: Path, text: str) -> Mapping[str, OutputPolicy]:
    (tmp_path / "repro.toml").write_text(text, encoding="utf-8")
    return load_config(tmp_path).outputs


def files(root: Path, **contents: str) -> None:
    for name, content in contents.items():
        path = root / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def test_settings_follow_the_kind(tmp_path: Path) -> None:
    text = """
    [outputs."p.csv"]
    key = ["id"]
    [outputs."q.csv"]
    exact = true
    [outputs."w.npy"]
    absolute = 0.5
    [outputs."f.png"]
    [outputs."g.png"]
    absolute = 0
    gate = true
    [outputs."n.txt"]
    [outputs."m.txt"]
    sanitize = false
    [outputs."model.pkl"]
    [outputs."t.csv"]
    kind = "bytes"
    gate = false
    """
    assert policies(tmp_path, text) == {
        "p.csv": OutputPolicy("table", 1e-9, 1e-6, ("id",)),
        "q.csv": OutputPolicy("table"),
        "w.npy": OutputPolicy("array", 0.5),
        "f.png": OutputPolicy("figure", 2.0, gate=False),
        "g.png": OutputPolicy("figure", 0.0),
        "n.txt": OutputPolicy("text", sanitize=True),
        "m.txt": OutputPolicy("text"),
        "model.pkl": OutputPolicy("bytes"),
        "t.csv": OutputPolicy("bytes", gate=False),
    }


def test_every_fault_of_the_settings_is_named(tmp_path: Path) -> None:
    text = """
    [outputs."../p.csv"]
    [outputs."a.csv"]
    sanitize = true
    exact = true
    relative = 0.1
    [outputs."b.pkl"]
    absolute = 1
    [outputs."c.txt"]
    kind = "table"
    [outputs."d.csv"]
    kind = "model"
    [outputs."e.csv"]
    keys = ["id"]
    """
    with pytest.raises(UsageError) as caught:
        policies(tmp_path, text)
    assert caught.value.problems == (
        "outputs.../p.csv: must be a path inside the project, relative to its root, not '../p.csv'",
        "outputs.a.csv.sanitize: is for outputs of kind text; this one is table",
        "outputs.a.csv.exact: can't be combined with absolute or relative",
        "outputs.b.pkl.absolute: is for outputs of kind table or array or figure; this one is bytes",
        f"outputs.c.txt.kind: table is for files that end in {', '.join(TABLES)}",
        "outputs.d.csv.kind: must be one of table, array, figure, text, bytes",
        "outputs.e.csv.keys: unknown field",
    )


def test_paths_go_before_globs(tmp_path: Path) -> None:
    files(tmp_path, out__a_csv="x\n1\n", out__b_csv="x\n2\n", log_txt="")
    said = policies(tmp_path, '[outputs."out/*.csv"]\nexact = true\n[outputs."out/b.csv"]\nabsolute = 1.0\n')
    found = declared_outputs(said, Written(tmp_path, ["out/a.csv", "out/b.csv", "log.txt"]), NONE, "evaluate.py")
    assert found.outputs == (
        ComparedOutput("out/a.csv", "table", Digest.of(b"x\n1\n"), 4),
        ComparedOutput("out/b.csv", "table", Digest.of(b"x\n2\n"), 4, absolute=1.0),
    )
    assert found.warnings == ()


def test_all_that_cannot_be_locked_is_told_at_once(tmp_path: Path) -> None:
    files(tmp_path, a_csv="x\n1\n", old_csv="x\n1\n")
    (tmp_path / "link.csv").symlink_to(tmp_path / "a.csv")
    said = policies(
        tmp_path,
        '[outputs."a.csv"]\nkey = ["id"]\n[outputs."old.csv"]\n[outputs."*.npy"]\n[outputs."link.csv"]\n',
    )
    with pytest.raises(CaptureError) as caught:
        declared_outputs(said, Written(tmp_path, ["a.csv", "link.csv"]), NONE, "evaluate.py")
    assert caught.value.problems == (
        "outputs.'old.csv': the run wrote no such file",
        "outputs.'*.npy': the run wrote no such file",
        "a.csv: no column id to tell rows by",
        "link.csv: is a link, or gone: an output is a file of the project",
    )
    assert caught.value.details == "The run wrote: a.csv, link.csv"


def test_content_that_cannot_be_compared_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files(tmp_path, a_npy="no array", b_csv="x\n" + "1\n" * 20)
    monkeypatch.setattr(module, "MOST_BYTES", 10)
    said = policies(tmp_path, '[outputs."*.*"]\nkind = "bytes"\n[outputs."a.npy"]\n[outputs."b.csv"]\n')
    found = declared_outputs(said, Written(tmp_path, ["a.npy", "b.csv"]), NONE, "evaluate.py")
    assert found.warnings == (
        "output a.npy is held to the same bits, because it is no .npy file",
        "output b.csv has 42 bytes, and contents are kept and compared up to 0 MiB: it is held to the same bits",
    )


def notebook(*texts: str) -> bytes:
    cells = [nbformat.v4.new_code_cell(f"show({text!r})") for text in texts]
    for cell, text in zip(cells, texts, strict=True):
        cell.outputs = [
            nbformat.v4.new_output("stream", name="stderr", text="a warning"),
            nbformat.v4.new_output("stream", name="stdout", text="printed"),
            nbformat.v4.new_output("execute_result", {"text/plain": text, "text/html": "<b>"}, execution_count=1),
        ]
    whole = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# no code"), *cells])
    return nbformat.writes(whole).encode()


def test_what_a_cell_shows_is_an_output(tmp_path: Path) -> None:
    run, root = tmp_path / "run", tmp_path / "project"
    run.mkdir()
    root.mkdir()
    (run / "executed.ipynb").write_bytes(notebook("auc 0.9", "größe"))
    written = Written(root, (), run)
    found = declared_outputs(policies(root, '[outputs."cell:2"]\n'), written, NONE, "e.ipynb").outputs
    text = "printed\ngröße\n".encode()
    assert found == (ComparedOutput("cell:2", "text", Digest.of(text), len(text), sanitize=True),)
    keep_baseline(Kept(root / "repro.baseline"), written, found)
    assert (root / "repro.baseline" / "cell-2.txt").read_bytes() == text
    keep_baseline(Kept(root / "repro.baseline", found), written, ())
    assert not (root / "repro.baseline").exists()
    for where in (written, Written(root, ())):
        with pytest.raises(CaptureError) as caught:
            declared_outputs(policies(root, '[outputs."cell:3"]\n'), where, NONE, "e.ipynb")
        assert caught.value.problems == ("outputs.'cell:3': the run has no such code cell",)
    with pytest.raises(UsageError) as wrong:
        policies(root, '[outputs."cell:3"]\nkind = "table"\n')
    assert wrong.value.problems == ("outputs.cell:3.kind: must be text: that is what a cell shows",)


def output(root: Path, path: str, kind: str = "table") -> ComparedOutput:
    data = (root / path).read_bytes()
    return ComparedOutput(path, kind, Digest.of(data), len(data))  # type: ignore[arg-type]


def test_content_is_kept_beside_the_lock_and_left_alone_when_it_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "repro.baseline"
    files(tmp_path, out__a_csv="1", b_txt="2", m_pkl="3")
    first = (output(tmp_path, "out/a.csv"), output(tmp_path, "b.txt", "text"), output(tmp_path, "m.pkl", "bytes"))
    keep_baseline(Kept(folder, ()), Written(tmp_path, ()), first)
    assert {path.name: path.read_text() for path in folder.rglob("*.*")} == {"a.csv": "1", "b.txt": "2"}
    before = (folder / "b.txt").stat()
    files(tmp_path, out__a_csv="other")
    second = (output(tmp_path, "out/a.csv"), first[1])
    keep_baseline(Kept(folder, first), Written(tmp_path, ()), second)
    assert (folder / "out" / "a.csv").read_text() == "other"
    assert (folder / "b.txt").stat() == before
    (folder / "mine.txt").write_text("not ours")
    keep_baseline(Kept(folder, second), Written(tmp_path, ()), ())
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


def test_a_file_that_changed_after_the_run_is_not_kept(tmp_path: Path) -> None:
    files(tmp_path, a_csv="1")
    known = output(tmp_path, "a.csv")
    files(tmp_path, a_csv="2")
    with pytest.raises(CaptureError, match="changed after the run"):
        keep_baseline(Kept(tmp_path / "repro.baseline"), Written(tmp_path, ()), (known,))
    assert not (tmp_path / "repro.baseline" / "a.csv").exists()


def test_an_output_of_other_bits_and_the_same_content_leaves_lock_and_folder_alone(tmp_path: Path) -> None:
    said = policies(tmp_path, '[outputs."a.txt"]\n[outputs."b.csv"]\n[outputs."c.csv"]\n')
    written, kept = Written(tmp_path, ["a.txt", "b.csv", "c.csv"]), Kept(tmp_path / "repro.baseline")
    files(tmp_path, a_txt="took 3 s", b_csv="x\n1\n", c_csv="x\n1.5\n")
    first = declared_outputs(said, written, kept, "evaluate.py").outputs
    keep_baseline(kept, written, first)
    files(tmp_path, a_txt="took 5 s", b_csv="x\n2\n", c_csv="x\n1.5000000001\n")
    second = declared_outputs(said, written, Kept(kept.folder, first), "evaluate.py").outputs
    assert [one == other for one, other in zip(first, second, strict=True)] == [True, False, False]
    keep_baseline(Kept(kept.folder, first), written, second)
    assert (kept.folder / "a.txt").read_text() == "took 3 s"
    assert (kept.folder / "c.csv").read_text() == "x\n1.5000000001\n"
    looser = policies(tmp_path, '[outputs."a.txt"]\nsanitize = false\n')
    (third,) = declared_outputs(looser, written, Kept(kept.folder, second), "evaluate.py").outputs
    assert third.sha256 == Digest.of(b"took 5 s")


def test_where_nothing_was_run_no_output_is_part_of_the_baseline(tmp_path: Path) -> None:
    assert stored_outputs({}) == Declared()
    (warning,) = stored_outputs(policies(tmp_path, '[outputs."a.csv"]\n')).warnings
    assert warning.startswith("nothing was run")
