"""The summary for CI jobs: what it says, that nothing in it is markup by accident, and that it always fits."""

import html
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from repro.report.dossier import Dossier
from repro.report.markdown import LIMIT, render, summary
from repro.report.markup import block, code, prose
from repro.report.style import printable
from repro.verify.model import Cause, Finding, Outcome
from tests.report.samples import EVIL, VERDICTS, saying, verdict

GITHUB = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
OURS = {"details", "summary", "code"}


def tokens(text: str) -> list[Token]:
    found: list[Token] = []
    for token in GITHUB.parse(text):
        found += [token, *(token.children or [])]
    return found


def shown(text: str) -> str:
    """The characters that a reader sees of one paragraph, item or cell."""
    parts = (
        token.content for token in tokens(text) if token.type in {"text", "code_inline", "code_block", "softbreak"}
    )
    return "".join(parts).replace("\u200b", "")


def tags(text: str) -> set[str]:
    raw = "".join(token.content for token in tokens(text) if token.type.startswith("html"))
    return set(re.findall(r"<([a-z]+)", re.sub(r"<!--.*?-->", "", raw)))


@settings(deadline=None, max_examples=300)
@given(
    st.text(alphabet=st.sampled_from("ab 1.)-+=*_`[]()<>&|~\\#@!$:/w\n\t'\"\x00\u202e") | st.characters(), max_size=40)
)
def test_any_text_shows_as_it_is(text: str) -> None:
    expected = printable(text)
    assert shown(f"- {prose(text)}") == expected.strip()
    assert shown(f"- x{code(text)}") == f"x{expected}"
    for cell in (prose(text), code(text)):
        table = tokens(f"| a | b |\n|---|---|\n| {cell} | end |\n")
        assert [token.type for token in table].count("td_open") == 2
        assert not {token.type for token in table} & {
            "html_block",
            "link_open",
            "image",
            "em_open",
            "strong_open",
            "s_open",
        }
    assert tags(prose(text)) | tags(code(text)) <= OURS


@settings(deadline=None, max_examples=100)
@given(st.lists(st.text(alphabet="`~ab <", max_size=10), min_size=1, max_size=5))
def test_any_lines_stay_in_their_block(lines: list[str]) -> None:
    (fence,) = GITHUB.parse(block("\n".join(lines)))
    assert fence.type == "fence"
    assert fence.content.splitlines() == "\n".join(lines).splitlines()


@pytest.mark.parametrize("text", ["see @somebody", "org/repo#12", "a@example.org"])
def test_nobody_is_mentioned_and_nothing_referred_to(text: str) -> None:
    assert not re.search(r"[@#]\w", html.unescape(prose(text)))


@pytest.mark.parametrize("text", ["https://example.org/x", "www.example.org", "ftp://a"])
def test_an_address_becomes_no_link(text: str) -> None:
    assert not re.search(r"://|www\.", prose(text))


@pytest.mark.parametrize("name", VERDICTS)
def test_every_verdict_says_its_outcome_first(name: str) -> None:
    one = VERDICTS[name]
    lines = summary(one).splitlines()
    assert lines[1].startswith("## ✅" if one.outcome is Outcome.VERIFIED else "## ❌")
    assert str(one.outcome).replace("-", " ") in lines[1]
    assert tags(summary(one)) <= OURS
    assert "\x1b" not in summary(one)


def test_what_failed_comes_first() -> None:
    rows = [line for line in summary(VERDICTS["every-status"]).splitlines() if line.startswith(("| ✅", "| ❌", "| ▫️"))]
    assert [row.split()[1] for row in rows] == ["❌"] * 7 + ["✅"] * 3 + ["▫️"]


def test_gates_causes_and_runs_are_told() -> None:
    text = summary(VERDICTS["explained"])
    for part in (
        "| ❌ not kept | `auc` | `≥ 0.7` | `0.5` |",
        "1. **likely:** numpy is another version (`package-changed`)",
        "   - laptop: `1.26.4`\n   - here: `2.0.1`",
        "### 3 runs, which first differ in cell 4, output 1",
        "  - here: `0.5, 0.25, —`",
        "| image | `churn:1` `sha256:",
    ):
        assert part in text


def test_outputs_are_told_those_that_failed_first() -> None:
    text = summary(VERDICTS["outputs"])
    assert "- ❌ `out/predictions.csv`: 1 of 9 cells differ, in label (`±1e-09 or ±0.0001 %, rows by id`)\n" in text
    assert "  - `id=3: 'dog', here 'cat'`\n" in text
    assert text.index("`out/predictions.csv`") < text.index("`weights.npz`")


def test_a_hostile_verdict_has_the_same_structure_as_a_tame_one() -> None:
    def structure(text: str) -> list[str]:
        return [token.type for token in GITHUB.parse(text) if token.type not in {"paragraph_open", "paragraph_close"}]

    assert structure(summary(saying(EVIL))) == structure(summary(saying("tame\nline")))


MANY = verdict(
    Outcome.MISMATCH,
    "all moved",
    metrics=tuple(
        replace(VERDICTS["explained"].metrics[0], name=f"metric {number} {'x' * 200}") for number in range(9000)
    ),
    findings=tuple(Finding("run", "warning", f"finding {number}", ("y" * 5000,) * 100) for number in range(900)),
    causes=(Cause("threads", "other threads", "8", "2", "", "likely", "Set them.", ("z" * 600,) * 500),),
)


def test_it_fits_and_says_what_was_left_out() -> None:
    data = render(Dossier(MANY))
    assert len(data) <= LIMIT < 1 << 20
    text = data.decode()
    last = text.splitlines()[-1]
    written = text.count("| ❌ moved |")
    assert f"{9000 - written} metrics" in last
    assert re.search(r"\d+ findings", last)
    assert "other threads" in text
    assert "… and 470 more" in text
    assert "| lock | " in text


@pytest.mark.parametrize("limit", [3_000, 10_000, 100_000])
def test_any_limit_is_kept(limit: int) -> None:
    text = summary(MANY, limit)
    assert len(text.encode()) <= limit
    assert "Left out" in text


def test_nothing_is_left_out_of_what_fits() -> None:
    assert "Left out" not in summary(VERDICTS["every-status"])
