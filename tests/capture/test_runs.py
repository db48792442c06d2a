"""Several runs of the same work: which start from the same files, and what is told of how they differ."""

import base64
import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from repro.capture.evidence import Evidence, run_evaluation
from repro.capture.findings import Finding, Place, Run, find, notebook_source, script_source, settle
from repro.capture.project import Project, open_project
from repro.capture.request import CaptureRequest
from repro.capture.runs.causes import likely_causes
from repro.capture.runs.model import Repeats, Spread, spreads
from repro.capture.runs.repeat import reruns
from repro.capture.runs.state import KEPT_UP_TO, kept_state
from repro.errors import UsageError
from repro.outputs.compare import OutputDifference, output_differences, text_difference
from repro.outputs.sanitize import sanitized
from repro.progress import Silent
from repro.report.repeats import repeat_lines, repeats_json
from repro.report.style import Style
from repro.runner.documents import Evaluation, MeasuredMetric
from repro.runner.observed import GeneratorFact, Happened, Observed
from repro.runner.observed import Place as Seen

SAME = [
    ("<object at 0x7f3a5c1b2d90>", "<object at 0x7fe0aa1b2d10>"),
    ("CPU times: user 1.2 s, sys: 8 ms, total: 1.21 s", "CPU times: user 913 ms, sys: 2 ms, total: 915 ms"),
    ("Wall time: 12.3 ms", "Wall time: 1min 2s"),
    ("12.3 ms ± 456 µs per loop (mean ± std. dev. of 7 runs, 100 loops each)", "9 ms ± 1.2 ms per loop (mean"),
    ("fit took 3.21 seconds", "fit took 4 seconds"),
    ("run 3f2b1c4d-0000-4000-8000-1234567890ab", "run aaaaaaaa-1111-4222-8333-bbbbbbbbbbbb"),
    ("/tmp/ipykernel_123/4567.py:3: FutureWarning", "/tmp/ipykernel_9/81.py:3: FutureWarning"),
    ("/home/a/.venv/lib/python3.11/site-packages/x.py:9: W", "/opt/env/lib/python3.11/site-packages/x.py:9: W"),
    ("saved to /tmp/tmpab12/model.bin", "saved to /tmp/tmpzz99/m.bin"),
    ("Time:                        15:15:44", "Time:                        09:01:02"),
    ("Date:                Sat, 21 Nov 2026", "Date:                Sun, 22 Nov 2026"),
    ("at 2026-11-21T15:15:44.123Z", "at 2026-11-21 15:16:01"),
    (" 50%|█████     | 5/10 [00:01<00:01, 4.9it/s]", " 50%|█████     | 5/10 [00:09<00:08, 0.5it/s]"),
    ("loading 1 %\rloading 90 %\rdone", "loading 7 %\rdone"),
    ("\x1b[31mred\x1b[0m", "red"),
    ("10/10 - 1s 12ms/step - loss: 0.5", "10/10 - 2s 15ms/step - loss: 0.5"),
]
DIFFERENT = [
    ("auc 0.91", "auc 0.92"),
    ("real interest rates are 3", "real interest rates are 4"),
    ("3 times as many", "4 times as many"),
    ("{'a', 'b'}", "{'b', 'a'}"),
    ("from 2020-01-01 on", "from 2020-01-02 on"),
    ("time constant 3 of 5 steps", "time constant 4 of 5 steps"),
    ("data/one.csv", "data/two.csv"),
    ("0x1f", "0x2f"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_differs_in_every_run_is_passed_over(one: str, other: str) -> None:
    assert sanitized(one).splitlines()[0][:40] == sanitized(other).splitlines()[0][:40]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_means_something_stays(one: str, other: str) -> None:
    assert sanitized(one) != sanitized(other)


def test_made_up_ids_in_html_and_svg_are_passed_over() -> None:
    for text in (
        '<style>#T_{}_row0_col1 {{}}</style><td id="T_{}_row0_col1">',
        '<clipPath id="p{0}{0}"><use href="#m{0}{0}"/>',
        "<dc:date>{}T15:15:44</dc:date>",
    ):
        one, other = text.format("a1b2c", "a1b2c"), text.format("9f8e7", "9f8e7")
        assert one != other
        assert sanitized(one, markup=True) == sanitized(other, markup=True)


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def shown(**data: object) -> dict[str, Any]:
    return {"output_type": "display_data", "data": {key.replace("_", "/"): value for key, value in data.items()}}


def executed(*outputs: list[dict[str, Any]]) -> dict[str, Any]:
    cells: list[dict[str, Any]] = [{"cell_type": "markdown", "source": "# Title"}]
    for number, one in enumerate(outputs, 1):
        cells.append({"cell_type": "code", "source": f"\nstep_{number}()\n", "outputs": one, "execution_count": number})
    return {"cells": cells}


def test_the_first_cell_with_other_outputs_is_told_with_line_and_both_outputs() -> None:
    first = executed([stream("same\n")], [stream("a\nb 1\n")], [stream("later 1")])
    other = executed([stream("same\n")], [stream("a\nb 2\n")], [stream("later 2")])
    found = list(output_differences(first, other))
    assert found[0] == OutputDifference(2, "step_2()", "stdout", 2, "b 1", "b 2")
    assert [one.cell for one in found] == [2, 3]


def test_how_a_stream_was_cut_into_pieces_and_mixed_with_another_means_nothing() -> None:
    first = executed([stream("a\n"), stream("oh\n", "stderr"), stream("b\n")])
    other = executed([stream("oh\n", "stderr"), stream("a\nb\n")])
    assert not list(output_differences(first, other))


def test_pictures_are_compared_by_their_bytes_and_not_by_how_base64_is_wrapped() -> None:
    picture = base64.b64encode(bytes(range(200))).decode()
    wrapped = base64.encodebytes(bytes(range(200))).decode()
    assert not list(output_differences(executed([shown(image_png=picture)]), executed([shown(image_png=wrapped)])))
    other = base64.b64encode(bytes(range(1, 201))).decode()
    (found,) = output_differences(executed([shown(image_png=picture)]), executed([shown(image_png=other)]))
    assert (found.kind, found.line) == ("image/png", None)
    assert found.baseline.startswith("200 bytes, sha256 ")
    assert found.baseline != found.other


def test_an_output_that_one_run_lacks_and_an_error_count() -> None:
    (found,) = output_differences(executed([shown(text_plain="7")]), executed([]))
    assert (found.kind, found.baseline, found.other) == ("text/plain", "7", "")
    error = {"output_type": "error", "ename": "ValueError", "evalue": "2", "traceback": ["…"]}
    (found,) = output_differences(executed([error]), executed([{**error, "evalue": "3"}]))
    assert (found.baseline, found.other) == ("ValueError: 2", "ValueError: 3")


def test_json_outputs_are_compared_whatever_the_order_of_keys_and_ids() -> None:
    one = {"b": 1, "a": {"model_id": "0123456789abcdef0123456789abcdef"}}
    same = {"a": {"model_id": "fedcba9876543210fedcba9876543210"}, "b": 1}
    key = "application_vnd.x+json"
    assert not list(output_differences(executed([shown(**{key: one})]), executed([shown(**{key: same})])))
    assert list(output_differences(executed([shown(**{key: one})]), executed([shown(**{key: {**same, "b": 2}})])))


def test_long_lines_are_cut_to_where_they_differ() -> None:
    start = "x" * 5000
    found = text_difference(f"{start} 1 end", f"{start} 2 end")
    assert found is not None
    assert "1 end" in found.baseline
    assert "2 end" in found.other
    assert len(found.baseline) < 200


def test_a_script_has_no_cells_but_a_line() -> None:
    assert text_difference("a\nb\n", "a\nb\n") is None
    assert text_difference("a\nb\n", "a\nc\n") == OutputDifference(None, "", "output", 2, "b", "c")


def content(root: Path) -> dict[str, str | None]:
    paths = (path for path in root.rglob("*") if ".repro" not in path.parts)
    return {
        path.relative_to(root).as_posix(): path.read_text() if path.is_file() and not path.is_symlink() else None
        for path in paths
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = (tmp_path / "project").resolve()
    (root / "data").mkdir(parents=True)
    (root / "data" / "in.csv").write_text("1,2\n")
    (root / "log.txt").write_text("old\n")
    (root / "gone.txt").write_text("here\n")
    os.utime(root / "log.txt", ns=(10**18, 10**18))
    return root


def one_run(root: Path, number: int) -> None:
    with (root / "log.txt").open("a") as log:
        log.write(f"run {number}\n")
    (root / "made" / "deep").mkdir(parents=True)
    (root / "made" / "deep" / "out.txt").write_text(f"out {number}")
    for name in ("log.txt", "made/deep/out.txt"):  # of one size: a run takes longer than the file system's clock
        os.utime(root / name, ns=(number, number))
    (root / "gone.txt").unlink()
    if number > 1:
        (root / f"only-{number}").write_text("")
        (root / "data" / "in.csv").write_text("changed by the second run only\n")


def test_each_run_starts_from_the_files_that_the_first_one_found(root: Path) -> None:
    before = content(root)
    with kept_state(root, root / ".repro" / "kept") as state:
        one_run(root, 1)
        first = content(root)
        state.first_run_ended()
        for number in (2, 3):
            state.restore()
            assert content(root) == before
            assert (root / "log.txt").stat().st_mtime_ns == 10**18
            one_run(root, number)
    assert content(root) == first
    assert not (root / ".repro" / "kept").exists()
    assert state.lost == set()


@pytest.mark.skipif(sys.platform == "win32", reason="making links is a privilege there")
def test_links_are_put_back_as_links(root: Path) -> None:
    (root / "latest").symlink_to("data")
    with kept_state(root, root / ".repro" / "kept") as state:
        (root / "latest").unlink()
        (root / "latest").symlink_to("elsewhere")
        (root / "new").symlink_to("log.txt")
        state.first_run_ended()
        state.restore()
        assert (root / "latest").readlink() == Path("data")
        assert not (root / "new").is_symlink()
    assert (root / "latest").readlink() == Path("elsewhere")
    assert (root / "new").readlink() == Path("log.txt")
    assert (root / "data" / "in.csv").read_text() == "1,2\n"


def test_an_interrupt_leaves_what_the_first_run_left(root: Path) -> None:
    def interrupted() -> None:
        with kept_state(root, root / ".repro" / "kept") as state:
            one_run(root, 1)
            state.first_run_ended()
            state.restore()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (root / "made" / "deep" / "out.txt").read_text() == "out 1"
    assert not (root / ".repro" / "kept").exists()


def test_a_large_file_that_a_run_changes_in_place_is_named(root: Path) -> None:
    with (root / "large.bin").open("wb") as large:
        large.truncate(KEPT_UP_TO + 1)
    with kept_state(root, root / ".repro" / "kept") as state:
        with (root / "large.bin").open("r+b") as large:
            large.write(b"changed")
        os.utime(root / "large.bin", ns=(1, 1))
        state.first_run_ended()
        state.restore()
    assert state.lost == {"large.bin"}


def metric(name: str, value: float | str) -> MeasuredMetric:
    return MeasuredMetric(name, value, "metrics.json")


def test_metrics_are_compared_bit_for_bit_by_name() -> None:
    nan = float("nan")
    first = [metric("auc", 0.9), metric("n", 3), metric("nothing", nan), metric("gone", 1.0)]
    second = [metric("n", 3.0), metric("auc", math.nextafter(0.9, 1)), metric("nothing", nan), metric("new", "x")]
    found = {one.name: one for one in spreads([first, second])}
    assert {name for name, one in found.items() if not one.same} == {"auc", "n", "gone", "new"}
    assert found["auc"].width == math.nextafter(0.9, 1) - 0.9
    assert found["gone"].width is None
    assert found["new"].values == (None, "x")


def differing(baseline: str, other: str, cell: int | None = 2) -> Repeats:
    return Repeats(2, (), OutputDifference(cell, "", "stdout", 1, baseline, other), 1)


def test_last_digits_and_order_are_told_from_the_outputs() -> None:
    (digits,) = likely_causes(differing("auc 0.123456789012", "auc 0.123456789019"), Observed(), ())
    assert "only the last digits differ" in digits
    moved = Repeats(2, (Spread("auc", (0.5, math.nextafter(0.5, 1))),))
    assert likely_causes(moved, Observed(), ())[0] == digits
    (order,) = likely_causes(differing("{'a', 'b'}", "{'b', 'a'}"), Observed(), ())
    assert "another order" in order
    assert likely_causes(differing("auc 0.1", "auc 0.2"), Observed(), ()) == ()


def test_what_the_run_did_up_to_the_first_cell_that_differs_counts() -> None:
    draws = tuple(GeneratorFact("numpy.random", fixed=False, place=Seen(cell)) for cell in (2, 5))
    fixed = GeneratorFact("random", fixed=True, place=Seen(1))
    observed = Observed(draws=(fixed, *draws), network=(Happened("example.org:443", 1), Happened("late.org:80", 9)))
    found = likely_causes(differing("1", "7"), observed, ())
    assert found == (
        "numpy.random draws without a fixed seed in cell 2",
        "it reads from the network (example.org:443)",
    )


def test_a_generator_of_a_local_module_is_told_at_its_file() -> None:
    made = GeneratorFact("numpy.random", fixed=False, place=Seen(2, "lib/noise.py", 19, "project"))
    found = likely_causes(differing("1", "7"), Observed(entropy=(made,)), ())
    assert found == ("numpy.random draws without a fixed seed in lib/noise.py, line 19",)


def test_what_the_source_says_counts_the_likeliest_first() -> None:
    source = script_source("job.py", "import time, random\nprint(time.time())\nprint(random.random())\n")
    found = likely_causes(differing("1", "7", None), Observed(), find(source))
    assert "random.random" in found[0]
    assert any("time.time" in one for one in found[1:])


def test_a_draw_is_told_once_and_with_the_call_that_the_source_shows() -> None:
    cell = {"cell_type": "code", "source": "import random\nprint(random.random())", "metadata": {}}
    findings = find(notebook_source("nb.ipynb", {"cells": [cell]}))
    observed = Observed(draws=(GeneratorFact("random", fixed=False, place=Seen(1)),))
    (cause,) = likely_causes(differing("1", "7", 1), observed, findings)
    assert cause.startswith("nb.ipynb: cell 1, line 2: `random.random`")


def settled(repeats: Repeats | None) -> list[Finding]:
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "source": text, "metadata": {}} for text in ("x = 1", "\nprint(x)")
    ]
    source = notebook_source("nb.ipynb", {"cells": cells})
    return [one for one in settle(source, (), Run(repeats=repeats)) if one.rule == "not-deterministic"]


def test_runs_that_agree_and_a_single_run_give_no_finding() -> None:
    assert settled(None) == []
    assert settled(Repeats(3, (Spread("auc", (0.5, 0.5, 0.5)),))) == []


def test_findings_name_metrics_the_first_cell_files_failures_and_the_reason() -> None:
    repeats = Repeats(
        runs=3,
        metrics=(Spread("auc", (0.5, 0.75, 0.5)), Spread("n", (3, 3, 3))),
        cell=OutputDifference(2, "print(x)", "stdout", 4, "b 1", "b 2"),
        cells=2,
        files=("out/plot.png",),
        failures=("run 3: nb.ipynb, cell 2: ValueError: no",),
        causes=("random draws without a fixed seed in cell 2",),
        kept_changes=("big.bin",),
    )
    found = settled(repeats)
    text = "\n".join(map(str, found))
    assert "1 of 2 metrics differ from run to run: auc 0.5, 0.75, 0.5 (apart by 0.25)" in text
    assert (
        "nb.ipynb: cell 2: is the first cell that shows something else in another run (print(x)): stdout, line 4"
        in text
    )
    assert "'b 1', then 'b 2'; 1 more after it" in text
    assert "files that it writes differ from run to run: out/plot.png" in text
    assert "a run from the same files fails: run 3: nb.ipynb, cell 2: ValueError: no" in text
    assert text.count("likely because random draws without a fixed seed in cell 2") == 1
    assert {one.level for one in found} == {"warning", "note"}
    assert found[-1].place == Place("nb.ipynb")
    assert "big.bin" in found[-1].what


def test_the_summary_tells_what_runs_had_in_common_or_each_value() -> None:
    style = Style()
    assert repeat_lines(None, style) == []
    (line,) = repeat_lines(Repeats(2, (Spread("auc", (0.5, 0.5)),)), style)
    assert "2 runs from the same files: the same metrics, outputs and written files" in line
    repeats = Repeats(2, (Spread("auc", (0.5, 0.75)), Spread("n", (1, 1))), files=("a",))
    head, values = repeat_lines(repeats, style)
    assert "differ: 1 of 2 metrics, 1 written file" in head
    assert "0.5, 0.75, apart by 0.25" in values


def test_json_has_every_value_exactly() -> None:
    assert repeats_json(None) is None
    data = repeats_json(Repeats(2, (Spread("auc", (0.5, None)),), differing("a", "b").cell, 1))
    assert data is not None
    assert data["metrics"][0]["values"] == [{"type": "float", "text": "0.5", "number": 0.5}, None]
    assert (data["same"], data["cell"]["cell"]) == (False, 2)
    assert json.dumps(data)


SCRIPT = """\
import json, os, random
print("begin")
os.mkdir("made")
with open("log.txt", "a") as log:
    log.write("line\\n")
json.dump({"lines": len(open("log.txt").readlines())}, open("metrics.json", "w"))
"""
CHANCE = """\
value = random.random()
open("made/value.txt", "w").write(str(value))
print(value)
json.dump({"value": value}, open("metrics.json", "w"))
"""


def script(root: Path, source: str) -> Project:
    (root / "job.py").write_text(source)
    (root / "repro.toml").write_text("")
    return open_project(CaptureRequest(root / "job.py"))


def run_again(project: Project, runs: int) -> Repeats | None:
    out = project.root / ".repro" / "runs" / "1"
    version = ".".join(map(str, sys.version_info[:3]))
    files = project.metrics_files
    evaluation = Evaluation("script", project.path, sys.executable, version, metrics_files=files, timeout=60)
    with reruns(project, evaluation, out, runs=runs, progress=Silent()) as again:
        record = run_evaluation(evaluation, project.root, out, Silent())
        return again(Evidence(record.metrics, (), (), ()))


@pytest.fixture
def chance(root: Path) -> tuple[Project, Repeats]:
    project = script(root, SCRIPT + CHANCE)
    repeats = run_again(project, 2)
    assert repeats is not None
    return project, repeats


def test_a_second_run_doesnt_see_what_the_first_one_wrote(root: Path) -> None:
    repeats = run_again(script(root, SCRIPT), 2)
    assert repeats is not None
    assert repeats.failures == ()
    assert repeats.same
    assert repeats.metrics == (Spread("lines", (2, 2)),)
    assert (root / "log.txt").read_text() == "old\nline\n"


def test_a_script_that_draws_without_a_seed_is_told_with_line_files_and_reason(chance: tuple[Project, Repeats]) -> None:
    project, repeats = chance
    assert [spread.name for spread in repeats.moved] == ["value"]
    assert repeats.cell is not None
    assert (repeats.cell.cell, repeats.cell.line) == (None, 2)
    assert repeats.files == ("made/value.txt", "metrics.json")
    assert any("random.random" in cause for cause in repeats.causes)
    first = repeats.moved[0].values[0]
    assert json.loads((project.root / "metrics.json").read_text()) == {"value": first}
    assert (project.root / "made" / "value.txt").read_text() == str(first)


def test_a_later_run_that_fails_is_told_and_not_raised(root: Path) -> None:
    once = root.parent / "once"
    project = script(root, f"import os\n{SCRIPT}if os.path.exists({str(once)!r}): raise SystemExit('no')\n"
                     f"open({str(once)!r}, 'w')\n")  # fmt: skip
    repeats = run_again(project, 2)
    assert repeats is not None
    assert len(repeats.failures) == 1
    assert repeats.failures[0].startswith("run 2: job.py")
    assert not repeats.same
    assert (root / "metrics.json").is_file()


def test_runs_without_a_run_are_refused(root: Path) -> None:
    (root / "job.py").write_text(SCRIPT)
    with pytest.raises(UsageError, match="--runs"):
        open_project(CaptureRequest(root / "job.py", rerun=False, runs=2))


def test_one_run_keeps_nothing_and_compares_nothing(root: Path) -> None:
    assert run_again(script(root, SCRIPT), 1) is None
    assert not list((root / ".repro").rglob("before"))
