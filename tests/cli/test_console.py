"""Progress and results on their streams."""

import io
import re
import sys
from types import SimpleNamespace

import pytest

from repro.cli.console import Console, PlainProgress
from repro.cli.live import LiveProgress
from repro.cli.settings import Settings
from repro.report.style import Style

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


class Screen(io.StringIO):
    """A terminal of some encoding."""

    def __init__(self, *, screen: bool = True, encoding: str = "utf-8") -> None:
        super().__init__()
        self._screen = screen
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return self._screen


def plain(**options: bool) -> tuple[PlainProgress, io.StringIO]:
    stream = io.StringIO()
    return PlainProgress(stream, Style(), **options), stream


def test_a_long_task_is_a_few_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("repro.cli.console.time", SimpleNamespace(monotonic=lambda: 100.0))  # no second goes by
    progress, stream = plain()
    task = progress.start("Fetching wheels", 1_000_000, "bytes")
    for _ in range(1000):
        task.advance(1000, "numpy.whl")
    task.finish("fetched 3 wheels")
    assert stream.getvalue().splitlines() == [
        "Fetching wheels (1.0 MB)",
        "Fetching wheels: 20 %",
        "Fetching wheels: 40 %",
        "Fetching wheels: 60 %",
        "Fetching wheels: 80 %",
        "fetched 3 wheels",
    ]


def test_bytes_that_take_long_come_with_their_rate_and_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("repro.cli.console.time.monotonic", lambda: now[0])
    progress, stream = plain()
    task = progress.start("Hashing", 1e12, "bytes")
    task.advance(2e11)
    now[0] += 200
    task.advance(2e11)
    assert stream.getvalue().splitlines()[1:] == ["Hashing: 20 %", "Hashing: 40 %, 2.0 GB/s, 5:00 left"]


@pytest.mark.parametrize(("total", "first"), [(None, "Looking"), (3, "Looking (3 cells)"), (1, "Looking (1 cell)")])
def test_a_short_task_is_two_lines(total: int | None, first: str) -> None:
    progress, stream = plain()
    task = progress.start("Looking", total, "cells")
    task.advance(1)
    task.finish()
    assert stream.getvalue().splitlines() == [first, "Looking: done"]


def test_no_control_characters_whatever_is_said() -> None:
    progress, stream = plain(verbose=True)
    evil = "\x1b[2J\rover\x07\x9b31m\u2028"
    progress.note(evil)
    progress.warn(evil)
    task = progress.start(evil, 100)
    task.advance(50, evil)
    task.finish(evil)
    assert not CONTROL.search(stream.getvalue())
    assert stream.getvalue().endswith("\n")


def test_quiet_leaves_only_warnings() -> None:
    progress, stream = plain(quiet=True)
    progress.note("a")
    progress.start("b", 100).advance(99)
    progress.warn("c")
    assert stream.getvalue() == "warning: c\n"


def test_verbose_names_each_item() -> None:
    progress, stream = plain(verbose=True)
    progress.start("b", 2).advance(1, "numpy")
    assert "numpy" in stream.getvalue()


def test_ascii_streams_get_ascii() -> None:
    stream = io.StringIO()
    PlainProgress(stream, Style(unicode=False)).note("a → b … ±1")
    assert stream.getvalue() == "a -> b ... +/-1\n"


def test_a_screen_is_left_clean_with_a_line_for_each_task() -> None:
    stream = Screen()
    live = LiveProgress(stream, Style(color=False))
    first, second = live.start("Fetching", 2e6, "bytes"), live.start("Looking")
    first.advance(1e6, "numpy \x07.whl")
    live.note("a line")
    first.finish("fetched")
    second.advance()
    second.finish()
    text = stream.getvalue()
    assert "✓ fetched" in text
    assert "✓ Looking" in text
    assert "a line" in text
    assert "\x07" not in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # cursor hidden, cursor back


def test_a_display_that_is_stopped_midway_gives_the_cursor_back() -> None:
    stream = Screen()
    live = LiveProgress(stream, Style(color=False))
    task = live.start("Fetching", 2)
    live.stop()
    task.advance()
    assert stream.getvalue().rstrip().endswith("\x1b[?25h") or "\x1b[?25h" in stream.getvalue()


@pytest.mark.parametrize(
    ("environ", "options", "screen", "mode"),
    [
        ({}, {}, True, "tty"),
        ({}, {}, False, "plain"),
        ({"CI": "true"}, {}, True, "plain"),
        ({"TERM": "dumb"}, {}, True, "plain"),
        ({"CI": "true"}, {"progress": "tty"}, False, "tty"),
        ({}, {"json": True}, False, "quiet"),
        ({}, {"json": True}, True, "tty"),
        ({}, {"quiet": True, "progress": "tty"}, True, "quiet"),
    ],
)
def test_how_progress_is_shown(environ: dict[str, str], options: dict[str, object], screen: bool, mode: str) -> None:
    settings = Settings.from_environment(environ)
    for name, value in options.items():
        setattr(settings, name, value)
    assert settings.mode(Screen(screen=screen)) == mode


@pytest.mark.parametrize(
    ("environ", "screen", "color"),
    [({}, True, True), ({}, False, False), ({"NO_COLOR": "1"}, True, False), ({"TERM": "dumb"}, True, False)],
)
def test_when_colours_are_used(environ: dict[str, str], screen: bool, color: bool) -> None:
    assert Settings.from_environment(environ).style(Screen(screen=screen)).color is color


@pytest.mark.parametrize(
    ("encoding", "unicode"), [("utf-8", True), ("UTF8", True), ("latin-1", False), ("ascii", False)]
)
def test_when_more_than_ascii_is_used(encoding: str, unicode: bool) -> None:
    assert Settings().style(Screen(encoding=encoding)).unicode is unicode


def test_results_and_progress_go_to_their_own_streams(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Console(Settings()) as console:
        console.progress.note("working")
        console.show("result\n")
    assert capsys.readouterr() == ("result\n", "working\n")


def test_the_display_is_gone_before_an_error_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)

    def broken() -> None:
        with Console(Settings(color=False)) as console:
            console.progress.start("Working", 3)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert screen.getvalue().count("\x1b[?25l") == screen.getvalue().count("\x1b[?25h") == 1
