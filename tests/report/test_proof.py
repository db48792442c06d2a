"""Explanations and searches as text and as JSON."""

import json
from dataclasses import replace

from repro.proof.bisection import Answer
from repro.proof.changes import Change
from repro.proof.explanation import Conclusion, TrialRun
from repro.report.bisect import bisection_json, bisection_text
from repro.report.proof import explanation_json, explanation_text
from repro.report.style import Style
from tests.report.proofs import CAUSAL, FOUND, SUSPECTED

STYLE = Style(width=100)


def test_a_proof_shows_what_was_swapped_and_what_came_of_it() -> None:
    text = explanation_text(CAUSAL, STYLE)
    lines = text.splitlines()
    assert "✓ the OpenBLAS kernel: causal: moves it both ways, twice each" in lines
    assert "    as on the laptop (Haswell): auc 0.9, 0.9" in lines
    assert "    set back (SkylakeX): auc 0.8, 0.8" in lines
    assert "    as on the laptop (sorted, which is only tried): it failed: KeyError: x" in lines
    assert "    the hash seed  the same on both sides: 0" in lines
    assert "✓ proved: the OpenBLAS kernel (Haswell on the laptop, SkylakeX here) moves auc, both ways" in text


def test_without_trials_the_causes_are_shown() -> None:
    text = explanation_text(SUSPECTED, STYLE)
    assert "BLAS chose other code for this CPU" in text
    assert "→ Prove it." in text
    assert text.splitlines()[-1].startswith("· 1 of 1 metrics moved: auc")


def test_unexplained_is_said_and_marked_so() -> None:
    found = replace(
        CAUSAL, conclusion=Conclusion.UNEXPLAINED, reason="unexplained: no factor", trials=CAUSAL.trials[1:]
    )
    assert explanation_text(found, STYLE).splitlines()[-1] == "! unexplained: no factor"
    assert found.exit_code == 1


def test_a_proof_as_json_keeps_every_bit() -> None:
    data = json.loads(explanation_json(CAUSAL))
    assert (data["schema"], data["conclusion"], data["exit_code"]) == ("repro.explanation/1", "causal", 0)
    assert data["trials"][0]["forward"][0]["values"] == [{"type": "float", "text": "0.9", "number": 0.9}]
    assert data["trials"][1]["forward"] == [{"values": [None], "failure": "KeyError: x"}]
    assert data["verdict"]["schema"] == "repro.verdict/1"


def test_a_search_shows_the_set_and_the_way_back() -> None:
    lines = bisection_text(FOUND, STYLE).splitlines()
    assert "    numpy 1.26.4 → 2.1.0" in lines
    assert "  runs                   4 images, 1 result kept from an earlier search, 1 mixture that can't be" in lines
    assert "  way back               all other changes without these leave it as with A" in lines
    assert "    data data/test.csv" in lines
    assert lines[-1] == "✓ no single package moves auc: these 2 do together"


def test_a_search_that_was_stopped_shows_what_is_left() -> None:
    many = tuple(Change(f"p{number}", "changed", "1", "2") for number in range(30))
    text = bisection_text(replace(FOUND, answer=Answer.STOPPED, reason="stopped", changes=many, confirmed=None), STYLE)
    assert "still suspected:" in text
    assert "and 10 more" in text
    assert text.splitlines()[-1] == "! stopped"


def test_text_of_others_cannot_rewrite_the_screen() -> None:
    evil = replace(FOUND, beside=("data \x1b[2J",), metric="a\x1bb", before=None, after=None)
    assert "\x1b" not in bisection_text(evil, STYLE)
    trial = replace(CAUSAL.trials[0], forward=(TrialRun((None,), "\x1b[2J"),))
    assert "\x1b" not in explanation_text(replace(CAUSAL, trials=(trial,)), STYLE)


def test_a_search_as_json() -> None:
    data = json.loads(bisection_json(FOUND))
    assert (data["schema"], data["answer"], data["exit_code"]) == ("repro.bisect/1", "several", 0)
    assert data["changes"][0] == {"name": "numpy", "kind": "changed", "before": "1.26.4", "after": "2.1.0"}
    assert data["steps"][2]["value"] is None
