"""Verdicts as text, against golden files. UPDATE_GOLDEN=1 writes them anew: read the difference before committing."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from repro.report.style import Style, human_size, human_time, printable
from repro.report.terminal import verdict_text
from repro.verify.model import Finding, Outcome, RunSummary
from tests.report.samples import VERDICTS, verdict

GOLDEN = Path(__file__).parent / "golden"
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
COLOR = re.compile(r"\x1b\[[0-9;]*m")


def golden(name: str, text: str) -> str:
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", VERDICTS)
def test_eighty_columns_without_colour(name: str) -> None:
    text = verdict_text(VERDICTS[name], Style(80))
    assert text == golden(name, text)


def test_one_line_each_where_there_is_room() -> None:
    text = verdict_text(VERDICTS["every-status"], Style(160))
    assert text == golden("every-status-wide", text)


def test_ascii_where_there_is_no_more() -> None:
    text = verdict_text(VERDICTS["verified"], Style(80, unicode=False))
    assert text == golden("verified-ascii", text)
    assert text.isascii()


@pytest.mark.parametrize("name", VERDICTS)
@pytest.mark.parametrize("width", [40, 80, 200])
def test_colour_adds_nothing_but_colour(name: str, width: int) -> None:
    colored = verdict_text(VERDICTS[name], Style(width, color=True))
    assert colored != COLOR.sub("", colored)
    assert COLOR.sub("", colored) == verdict_text(VERDICTS[name], Style(width))


@pytest.mark.parametrize("name", VERDICTS)
def test_nothing_that_a_container_said_takes_effect_on_the_screen(name: str) -> None:
    assert not CONTROL.search(verdict_text(VERDICTS[name], Style(80)))


@pytest.mark.parametrize("name", VERDICTS)
def test_the_last_line_says_the_outcome(name: str) -> None:
    last = verdict_text(VERDICTS[name], Style(80)).splitlines()[-1]
    assert str(VERDICTS[name].outcome).replace("-", " ") in last
    assert printable(VERDICTS[name].reason) in last
    assert last.startswith("✓" if VERDICTS[name].outcome is Outcome.VERIFIED else "✗")


def test_another_lock_need_not_be_tampering() -> None:
    last = verdict_text(VERDICTS["tampered"], Style(80)).splitlines()[-1]
    assert last == "✗ tampered or outdated: the image was made from another lock"


def test_a_changed_runner_is_tampering() -> None:
    finding = Finding("runner", "error", "another runner")
    text = verdict_text(verdict(Outcome.TAMPERED, "another runner", findings=(finding,)), Style(80))
    assert text.splitlines()[-1] == "✗ tampered: another runner"


def test_the_limit_of_memory_is_shown() -> None:
    run = RunSummary(3.0, 0, memory=7_500_000_000)
    assert "at most 7.5 GB of memory" in verdict_text(verdict(Outcome.VERIFIED, "fine", run=run), Style(80))


def test_every_digit_of_every_value_is_there() -> None:
    text = verdict_text(VERDICTS["every-status"], Style(80))
    for number in ("0.30000000000000004", "-5.55112e-17", "-0.0", "nan", "inf", "1e-300"):
        assert f" {number} " in text.replace("\n", " \n")


def test_a_name_longer_than_the_screen_is_still_whole() -> None:
    name = "a.very." + "long." * 30 + "name"
    comparison = VERDICTS["verified"].metrics[0]
    renamed = type(comparison)(**{**vars(comparison), "name": name})
    assert name in verdict_text(verdict(Outcome.VERIFIED, "fine", metrics=(renamed,)), Style(80))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü 数", "plain ü 数"),
        ("a\tb", "a    b"),
        ("a\nb", "a\\nb"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\x9b31m", "\\x9b31m"),
        ("\udce9", "\\udce9"),
    ],
)
def test_text_is_made_safe(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(("size", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (1234567, "1.2 MB")])
def test_sizes(size: int, text: str) -> None:
    assert human_size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (75.4, "1 min 15 s"), (7260, "2 h 1 min")]
)
def test_times(seconds: float, text: str) -> None:
    assert human_time(seconds) == text


def test_samples_that_came_out_otherwise_are_counted_below_the_table() -> None:
    item = replace(VERDICTS["explained"].metrics[0], samples=285, flips=1, ulps=12)
    text = verdict_text(verdict(Outcome.MISMATCH, "moved", metrics=(item,)), Style(80))
    assert "  auc: 1 of 285 samples flipped\n" in text
    assert "ulp" not in text
    between = replace(item, status="moved", passed=False, measured=0.5, flips=None)
    text = verdict_text(verdict(Outcome.MISMATCH, "moved", metrics=(between,)), Style(80))
    assert "  auc: 0.5 is no whole number of 285 samples\n" in text


def test_a_single_cause_is_not_a_ranking() -> None:
    one = verdict(Outcome.MISMATCH, "moved", causes=VERDICTS["explained"].causes[:1])
    assert "what may explain it:\n" in verdict_text(one, Style(80))
