"""How outputs decide a verdict."""

from dataclasses import replace
from pathlib import Path

import nbformat

from repro.digest import Digest
from repro.lock import ComparedOutput, Lock
from repro.plan.evaluation import make_evaluation
from repro.report.outputs import output_lines
from repro.report.style import Style
from repro.runner.documents import Failure
from repro.runner.outputs import WrittenOutput
from repro.verify.model import Outcome, Verdict
from tests.verify.samples import MemoryEngine, engine_of, good_record, sample_lock
from tests.verify.test_verify import judged

TABLE, FIGURE, MODEL = b"id,p\n1,0.5\n2,0.25\n", b"png", b"weights"


def lock_with_outputs() -> Lock:
    return sample_lock(
        outputs=("f.png", "m.pkl", "out/p.csv"),
        compared=(
            ComparedOutput("f.png", "figure", Digest.of(FIGURE), len(FIGURE), absolute=2.0, gate=False),
            ComparedOutput("m.pkl", "bytes", Digest.of(MODEL), len(MODEL)),
            ComparedOutput("out/p.csv", "table", Digest.of(TABLE), len(TABLE), 1e-9, 1e-6, ("id",)),
        ),
    )


def engine(written: dict[str, bytes], *told: WrittenOutput, **changes: object) -> MemoryEngine:
    lock = lock_with_outputs()
    made = engine_of(lock, good_record(lock, outputs=told, **changes))
    made.collects = {**(made.collects or {}), **{f"outputs/{path}": data for path, data in written.items()}}
    return made


def project(tmp_path: Path, table: bytes = TABLE) -> Path:
    (tmp_path / "repro.baseline" / "out").mkdir(parents=True)
    (tmp_path / "repro.baseline" / "out" / "p.csv").write_bytes(table)
    return tmp_path


def told(verdict: Verdict) -> dict[str, tuple[str, bool]]:
    return {output.name: (output.status, output.passed) for output in verdict.outputs}


def test_the_same_bits_are_verified_without_any_content(tmp_path: Path) -> None:
    verdict = judged(engine({"f.png": FIGURE, "m.pkl": MODEL, "out/p.csv": TABLE}), project=tmp_path)
    assert verdict.outcome is Outcome.VERIFIED
    assert verdict.reason == "3 metrics as on the laptop, bit for bit; 3 outputs the same"
    assert told(verdict) == dict.fromkeys(("f.png", "m.pkl", "out/p.csv"), ("same", True))


def test_a_figure_informs_and_a_table_and_a_model_decide(tmp_path: Path) -> None:
    here = TABLE.replace(b"0.25", b"0.75")
    verdict = judged(engine({"f.png": b"x", "m.pkl": b"x", "out/p.csv": here}), project=project(tmp_path))
    assert verdict.outcome is Outcome.MISMATCH
    assert verdict.reason == "3 metrics as on the laptop, bit for bit, but m.pkl, out/p.csv differ"
    assert told(verdict) == {"f.png": ("unread", True), "m.pkl": ("moved", False), "out/p.csv": ("moved", False)}
    assert "p: 1 of 2 differ, most in id=2 by 0.5: 0.25, here 0.75" in verdict.outputs[2].details
    assert "[outputs]" in (verdict.fix or "")
    lines = output_lines(verdict.outputs, Style())
    assert lines[1].startswith("! f.png: other bits, and the laptop's content isn't at hand")
    assert any(
        line.startswith("✗ out/p.csv: 1 of 4 cells differ, in p (±1e-09 or ±0.0001 %, rows by") for line in lines
    )


def test_baseline_content_of_another_capture_is_none(tmp_path: Path) -> None:
    here = TABLE.replace(b"0.25", b"0.2500000000001")
    written = {"f.png": FIGURE, "m.pkl": MODEL, "out/p.csv": here}
    verdict = judged(engine(written), project=project(tmp_path, here))
    assert verdict.reason == "3 metrics as on the laptop, bit for bit, but out/p.csv differs, and how can't be told"
    (tmp_path / "more").mkdir()
    verdict = judged(engine(written), project=project(tmp_path / "more"))
    assert (verdict.outcome, told(verdict)["out/p.csv"]) == (Outcome.VERIFIED, ("within", True))


def test_what_the_run_did_not_write_is_missing_and_what_was_too_large_is_told_by_its_digest() -> None:
    large = WrittenOutput("m.pkl", 7, Digest.of(MODEL).hex, "too large")
    verdict = judged(engine({"f.png": FIGURE}, large, WrittenOutput("out/p.csv", problem="the run did not write it")))
    assert told(verdict)["m.pkl"] == ("same", True)
    assert told(verdict)["out/p.csv"] == ("missing", False)
    assert verdict.reason.endswith("but out/p.csv is missing")


def test_a_moved_metric_is_told_with_the_outputs() -> None:
    metrics = tuple(replace(one, value=0.1) if one.name == "auc" else one for one in good_record(sample_lock()).metrics)
    verdict = judged(engine({"f.png": FIGURE, "m.pkl": b"x", "out/p.csv": TABLE}, metrics=metrics))
    assert verdict.outcome is Outcome.MISMATCH
    assert verdict.reason == "1 of 3 metrics moved: auc; m.pkl differs"


def test_of_a_run_that_failed_no_output_is_judged() -> None:
    verdict = judged(engine({}, failure=Failure("cell", "it broke")))
    assert (verdict.outcome, verdict.outputs) == (Outcome.EVALUATION_FAILED, ())


def test_what_a_cell_shows_is_compared_as_text(tmp_path: Path) -> None:
    text = b"took 3 s\nauc 0.9\n"
    output = ComparedOutput("cell:1", "text", Digest.of(text), len(text), sanitize=True)
    lock = sample_lock(compared=(output,))
    assert make_evaluation(lock, Digest.of(b"")).outputs == ()
    (tmp_path / "repro.baseline").mkdir()
    (tmp_path / "repro.baseline" / "cell-1.txt").write_bytes(text)
    for shown, status in (("took 5 s\nauc 0.9\n", "same"), ("took 5 s\nauc 0.8\n", "moved")):
        made = engine_of(lock)
        cell = nbformat.v4.new_code_cell("", outputs=[nbformat.v4.new_output("stream", name="stdout", text=shown)])
        notebook = nbformat.writes(nbformat.v4.new_notebook(cells=[cell])).encode()
        made.collects = {**(made.collects or {}), "executed.ipynb": notebook}
        verdict = judged(made, project=tmp_path)
        assert told(verdict) == {"cell:1": (status, status == "same")}
    for garbled in (b"{}", b"[]", b'{"cells": [{"cell_type": "code", "outputs": [1]}]}', b"nothing"):
        made = engine_of(lock)
        made.collects = {**(made.collects or {}), "executed.ipynb": garbled}
        assert told(judged(made, project=tmp_path)) == {"cell:1": ("missing", False)}
