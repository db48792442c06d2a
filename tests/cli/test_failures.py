"""Every way a command can end in an error: text, exit code, and nothing else."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest

from repro.cli import main
from repro.cli.failures import BROKEN_PIPE, error_text, guarded
from repro.cli.settings import Settings
from repro.errors import CaptureError, ExitCode, ReproError
from repro.report.style import Style


def test_a_full_disk_is_no_defect_wherever_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(OSError(errno.ENOSPC, "No space left on device", "/data/x")) == ExitCode.INFRASTRUCTURE
    assert run(OSError(errno.ENOSPC, "No space left on device")) == ExitCode.INFRASTRUCTURE
    err = capsys.readouterr().err
    assert err.startswith("error: /data/x: can't write: no space left on the disk\n\n→ Free some space")
    assert "defect" not in err


def test_a_folder_of_somebody_else_is_no_defect_wherever_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(PermissionError(errno.EACCES, "Permission denied", "/root/.x")) == ExitCode.INFRASTRUCTURE
    err = capsys.readouterr().err
    assert err.startswith("error: /root/.x: permission denied\n\n→ Give this user access")
    assert "defect" not in err


def tree(kind: type[ReproError]) -> list[type[ReproError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in tree(child))]


def run(error: BaseException, settings: Settings | None = None) -> int:
    def work() -> int:
        raise error

    return guarded(work, settings or Settings())


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.mark.parametrize("kind", tree(ReproError), ids=lambda kind: kind.__name__)
def test_every_error_has_its_exit_code_and_is_shown_once(
    kind: type[ReproError], capsys: pytest.CaptureFixture[str]
) -> None:
    error = kind("it broke", where="data/ü 1.csv", problems=["one", "two"], details="x = 1\ny = 2", fix="Mend it.")
    assert run(error) == kind.exit_code
    out, err = capsys.readouterr()
    assert out == ""
    assert err == ("error: data/ü 1.csv: it broke\n  - one\n  - two\n\n    x = 1\n    y = 2\n\n→ Mend it.\n")


@pytest.mark.parametrize("kind", tree(ReproError), ids=lambda kind: kind.__name__)
def test_every_error_as_json(kind: type[ReproError], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(kind("it broke", problems=["ü"], fix="Mend it."), Settings(json=True)) == kind.exit_code
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    document = json.loads(line)
    assert document["schema"] == "repro.error/1"
    assert document["error"] == kind.__name__
    assert document["exit_code"] == kind.exit_code
    assert (document["what"], document["problems"], document["fix"]) == ("it broke", ["ü"], "Mend it.")


def test_an_error_with_nothing_but_a_sentence_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    run(ReproError("it broke"))
    assert capsys.readouterr().err == "error: it broke\n"


def test_errors_fit_the_screen_and_can_not_rewrite_it() -> None:
    error = CaptureError("word " * 40, problems=["more " * 40], details="\x1b[2Jgone", fix="step " * 40 + "\n  1. \x07")
    text = error_text(error, Style(60))
    assert max(map(len, text.splitlines())) <= 60
    assert "\x1b" not in text
    assert "\x07" not in text
    assert error_text(error, Style(60, unicode=False)).isascii()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupt_is_said(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(error) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err == "interrupted, nothing was left behind\n"


def test_an_unexpected_error_is_short_and_its_traceback_is_in_a_file(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(ZeroDivisionError("by zero")) == ExitCode.INFRASTRUCTURE
    err = capsys.readouterr().err
    assert "unexpected ZeroDivisionError: by zero" in err
    assert "Traceback" not in err
    (path,) = (state / "repro" / "crashes").iterdir()
    assert str(path) in err
    assert "Traceback" in path.read_text(encoding="utf-8")


def test_debug_shows_the_traceback(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ZeroDivisionError("by zero"), Settings(debug=True)) == ExitCode.INFRASTRUCTURE
    assert "Traceback" in capsys.readouterr().err
    assert not state.exists()


def test_a_state_directory_that_can_not_be_written_shows_the_traceback(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state.write_text("a file in its place", encoding="utf-8")
    assert run(ZeroDivisionError("by zero")) == ExitCode.INFRASTRUCTURE
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(("value", "debug"), [("1", True), ("0", False), ("", False)])
def test_the_environment_can_ask_for_tracebacks(value: str, debug: bool) -> None:
    assert Settings.from_environment({"REPRO_DEBUG": value}).debug is debug


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["frobnicate"], "frobnicate"),
        (["verify"], "IMAGE"),
        (["verify", "x", "--frobnicate"], "--frobnicate"),
        (["verify", "x", "--memory", "lots"], "lots"),
        (["verify", "x", "--memory", "-4g"], "-4g"),
        (["verify", "x", "--memory", "1k"], "'1k': engines take no less than 6m\n"),
        (["verify", "x", "--timeout", "inf"], "inf"),
        (["verify", "x", "--timeout", "0"], "--timeout"),
        (["verify", "x", "--report", "xml=y"], "json"),
        (["verify", "x", "--lock", "nowhere.lock"], "nowhere.lock"),
        (["verify", "x", "--lock", "a", "--baked-lock"], "--baked-lock"),
        (["build"], "repro.lock"),
        (["build", "-f", "nowhere.lock"], "nowhere.lock"),
        (["build", "--platform", "windows/amd64"], "linux/amd64"),
        (["export", "-f", "x"], "Choose from: requirements, pylock"),
        (["export", "--format", "requirements"], "repro.lock"),
        (["inspect", "nowhere.lock"], "nowhere.lock"),
        (["--progress", "loud", "doctor"], "loud"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_what(
    args: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(args) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "→" in err


def test_wrong_usage_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--json", "x", "--frobnicate"]) == ExitCode.USAGE
    assert json.loads(capsys.readouterr().err)["error"] == "UsageError"


# Signals and pipes need a process of their own.


def start(*args: str, **more: object) -> subprocess.Popen[str]:
    env = {**os.environ, **more.pop("env", {})}  # type: ignore[dict-item]
    return subprocess.Popen(
        [sys.executable, "-m", "repro", *args],
        env=env,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        **{"stdout": subprocess.PIPE, **more},  # type: ignore[call-overload]
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_command_with_130(number: signal.Signals, tmp_path: Path) -> None:
    """An engine that accepts and never answers keeps the command waiting."""
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(path))
        engine.listen()
        process = start("inspect", "image:1", env={"DOCKER_HOST": f"unix://{path}"}, start_new_session=True)
        knock, _ = engine.accept()
        with knock:
            request, _ = engine.accept()
            with request:
                assert request.recv(1) == b"G"
                process.send_signal(number)
                out, err = process.communicate(timeout=120)
    assert process.returncode == ExitCode.INTERRUPTED, err
    assert err == "interrupted, nothing was left behind\n"
    assert out == ""


def test_a_reader_that_went_away_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = start("--help", stdout=writer)
    os.close(writer)
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (BROKEN_PIPE, "")
