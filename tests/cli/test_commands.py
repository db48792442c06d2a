"""Commands as functions of their arguments: what they ask of the stages, what they print, how they exit."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from repro import __version__
from repro.capture.findings import Finding, Place
from repro.capture.request import CaptureRequest, CaptureResult
from repro.capture.review import Tell
from repro.cli import main
from repro.cli.diagnosis import _kernels
from repro.cli.group import _COMMANDS
from repro.digest import Digest
from repro.engines.model import ImageInfo
from repro.errors import CaptureError, ExitCode, InfrastructureError, TimedOutError
from repro.lock import Lock, render_body, render_lock
from repro.progress import Progress
from repro.runner.documents import MeasuredMetric
from repro.verify.document import parse_verdict
from tests.verify.samples import NAME, MemoryEngine, baked_files, engine_of, good_record, sample_lock


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a lock, from whose notebooks the command is run."""
    root = tmp_path / "my projekt ü"
    (root / "notebooks").mkdir(parents=True)
    (root / "repro.lock").write_bytes(render_lock(sample_lock()))
    monkeypatch.chdir(root / "notebooks")
    return root


def use(monkeypatch: pytest.MonkeyPatch, engine: MemoryEngine) -> MemoryEngine:
    for module in ("verify", "inspect"):
        monkeypatch.setattr(f"repro.cli.{module}.find_engine", lambda *_: engine)
    return engine


def test_help_is_instant() -> None:
    code = (
        "import sys\nfrom repro.cli import main\nmain(['--help'])\n"
        "heavy = {'docker', 'requests', 'rich', 'nbclient', 'nbformat', 'jupyter_client', 'packaging', 'elftools'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in _COMMANDS:
        assert name in done.stdout


@pytest.mark.parametrize("command", _COMMANDS)
def test_every_command_helps(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "-h"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"Usage: repro {command}")
    assert err == ""
    assert all(option in out for option in ("--quiet", "--progress", "--no-color", "--debug"))


def test_nothing_asked_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "Commands:" in capsys.readouterr().out


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "repro", "--version"], capture_output=True, text=True, check=True, env=os.environ
    )
    assert __version__ in done.stdout


def test_verify_judges_by_the_nearest_lock_and_keeps_the_evidence_beside_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, engine_of(sample_lock()))
    assert main(["verify", NAME, "--report", "json=verdict.json"]) == ExitCode.OK
    out, err = capsys.readouterr()
    assert out.splitlines()[-1].startswith("✓ verified")
    assert str(project / "repro.lock") in err
    assert len(list((project / ".repro/runs").iterdir())) == 1
    verdict = parse_verdict(Path("verdict.json").read_bytes())
    assert verdict.lock is not None
    assert verdict.lock.source == "file"


def test_a_lock_at_hand_is_not_forgotten_for_the_images_own(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = sample_lock(outputs=())
    engine = use(monkeypatch, engine_of(other))
    assert main(["verify", NAME]) == ExitCode.TAMPERED
    assert engine.runs == []
    assert str(Digest.of(render_body(other))) in capsys.readouterr().out
    assert main(["verify", NAME, "--baked-lock"]) == ExitCode.OK
    assert "baked into the image" in capsys.readouterr().out


def test_verify_as_json_prints_the_verdict_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = sample_lock()
    record = good_record(lock, metrics=(MeasuredMetric("auc", 0.1, "metrics.json"), *good_record(lock).metrics[1:]))
    use(monkeypatch, engine_of(lock, record))
    assert main(["verify", NAME, "--json"]) == ExitCode.MISMATCH
    out, err = capsys.readouterr()
    assert parse_verdict(out.encode()).metrics[0].measured == 0.1
    assert err == ""


def test_limits_are_read_with_their_units(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = use(monkeypatch, engine_of(sample_lock()))
    assert main(["verify", NAME, "--memory", "1.5g", "--timeout", "2m", "-q"]) == ExitCode.OK
    assert (engine.runs[0].memory, engine.runs[0].timeout) == (3 << 29, 120.0)


def test_whoever_waits_for_a_report_gets_one_when_the_engine_fails(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none(_name: str | None) -> MemoryEngine:
        raise InfrastructureError("no container engine answers", problems=["default socket: refused"])

    monkeypatch.setattr("repro.cli.verify.find_engine", none)
    assert main(["verify", NAME, "--report", "json=verdict.json"]) == ExitCode.INFRASTRUCTURE
    assert json.loads(Path("verdict.json").read_bytes())["outcome"] == "infrastructure-failed"
    assert "default socket: refused" in capsys.readouterr().err


def test_a_damaged_lock_is_reported_as_tampered(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, engine_of(sample_lock()))
    (project / "repro.lock").write_text('version = "9.0"\n', encoding="utf-8")
    assert main(["verify", NAME, "--report", "json=verdict.json"]) == ExitCode.TAMPERED
    assert json.loads(Path("verdict.json").read_bytes())["outcome"] == "tampered"


def test_inspect_a_lock(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "../repro.lock"]) == 0
    assert str(Digest.of(render_body(sample_lock()))) in capsys.readouterr().out
    assert main(["inspect", "../repro.lock", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["digest"] == str(Digest.of(render_body(sample_lock())))


def test_inspect_an_image_runs_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = use(monkeypatch, engine_of(sample_lock()))
    assert main(["inspect", NAME, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["agrees"] is True
    engine.files = {**baked_files(engine.lock), "evaluation.json": b"{}"}
    assert main(["inspect", NAME, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["agrees"] is False
    assert engine.runs == []


def test_inspect_asks_for_the_engine_that_reads_files(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str | None] = []
    engine = engine_of(sample_lock())
    monkeypatch.setattr("repro.cli.inspect.find_engine", lambda name: asked.append(name) or engine)
    main(["inspect", "oci:out"])
    (project / "notebooks/image.tar").write_bytes(b"\x9c")
    assert main(["inspect", "image.tar"]) == ExitCode.USAGE
    assert "say what it is: oci:image.tar or oci-archive:image.tar" in capsys.readouterr().err
    assert asked == ["bubblewrap", None]


def test_inspect_what_is_nowhere(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, engine_of(sample_lock()))
    assert main(["inspect", "nope:1"]) == ExitCode.USAGE
    assert NAME in capsys.readouterr().err


def test_export_to_a_file_and_to_the_screen(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--format", "requirements"]) == 0
    shown = capsys.readouterr().out
    assert "numpy==2.4.1" in shown
    assert main(["export", "--format", "requirements", "-o", "out.txt"]) == 0
    assert capsys.readouterr().out == ""
    assert Path("out.txt").read_text(encoding="utf-8") == shown.replace("./.repro/", "../.repro/")
    assert "\n./.repro/wheels/" in shown
    assert main(["export", "--format", "pylock"]) == 0
    assert "lock-version" in capsys.readouterr().out


class Captures:
    """Stands where the capture stage is and remembers what it was asked for."""

    def __init__(self, lock: Lock) -> None:
        self.lock = lock
        self.requests: list[CaptureRequest] = []

    def __call__(self, request: CaptureRequest, progress: Progress, *, tell: Tell) -> CaptureResult:
        self.requests.append(request)
        tell((FOUND,))
        progress.note("captured")
        body = render_body(self.lock)
        return CaptureResult(self.lock, body, Path("repro.lock"), True, ("careful",), None, 1.0, (FOUND,))


FOUND = Finding("wall-clock", "note", Place("evaluate me.ipynb", 3, 2), "it takes the time of day", "Use a fixed date.")


def test_capture_with_nothing_said_asks_for_defaults(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = Captures(sample_lock())
    monkeypatch.setattr("repro.cli.capture.capture", stage)
    assert main(["capture", "evaluate me.ipynb"]) == 0
    assert stage.requests == [CaptureRequest(Path("evaluate me.ipynb"))]
    assert "repro.lock written" in capsys.readouterr().out


def test_capture_passes_every_option_on(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = Captures(sample_lock())
    monkeypatch.setattr("repro.cli.capture.capture", stage)
    (project / "notebooks/other.toml").write_text("", encoding="utf-8")
    options = "--config other.toml -o out.lock --no-run --timeout 10m --cell-timeout 30 --kernel k --python py"
    more = (
        "--index-url https://i/ --extra-index-url https://a/ --extra-index-url https://b/ --ca-cert ca.pem --base b:1"
    )
    targets = "--platform linux/amd64 --platform linux/arm64 --json"
    assert main(["capture", *f"{options} {more} {targets}".split(), "evaluate.py", "--", "--epochs", "3"]) == 0
    assert stage.requests == [
        CaptureRequest(
            subject=Path("evaluate.py"),
            config=Path("other.toml"),
            output=Path("out.lock"),
            args=("--epochs", "3"),
            rerun=False,
            timeout=600.0,
            cell_timeout=30.0,
            kernel="k",
            python=Path("py"),
            index_url="https://i/",
            extra_index_urls=("https://a/", "https://b/"),
            ca_cert=Path("ca.pem"),
            base="b:1",
            targets=("linux/amd64", "linux/arm64"),
        )
    ]
    assert json.loads(capsys.readouterr().out)["warnings"] == ["careful"]


def test_findings_are_shown_and_written_for_code_hosts(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = Captures(sample_lock())
    monkeypatch.setattr("repro.cli.capture.capture", stage)
    assert main(["capture", "evaluate me.ipynb", "--strict", "--sarif", "found.sarif"]) == 0
    assert stage.requests[0].strict
    assert "evaluate me.ipynb: cell 3, line 2: it takes the time of day" in capsys.readouterr().out
    (result,) = json.loads(Path("found.sarif").read_bytes())["runs"][0]["results"]
    assert result["ruleId"] == "wall-clock"
    assert main(["capture", "evaluate me.ipynb", "--json"]) == 0
    assert [one["rule"] for one in json.loads(capsys.readouterr().out)["findings"]] == ["wall-clock"]
    Path("evaluate me.ipynb").write_text('{"cells": []}', encoding="utf-8")
    assert main(["capture", "evaluate me.ipynb", "--sarif", "evaluate me.ipynb"]) == ExitCode.USAGE
    assert "no SARIF log" in capsys.readouterr().err
    assert len(stage.requests) == 2


def test_sarif_is_there_when_the_capture_fails(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(request: CaptureRequest, progress: Progress, *, tell: Tell) -> CaptureResult:
        tell((FOUND,))
        raise CaptureError("findings stop the capture", problems=["warning: …"])

    monkeypatch.setattr("repro.cli.capture.capture", stopped)
    assert main(["capture", "evaluate.ipynb", "--sarif", "found.sarif"]) == ExitCode.USAGE
    assert len(json.loads(Path("found.sarif").read_bytes())["runs"][0]["results"]) == 1
    assert "findings stop the capture" in capsys.readouterr().err


def test_what_follows_two_dashes_is_the_scripts(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = Captures(sample_lock())
    monkeypatch.setattr("repro.cli.capture.capture", stage)
    assert main(["capture", "evaluate.py", "--", "--json", "-q"]) == 0
    assert stage.requests[0].args == ("--json", "-q")
    assert "repro.lock written" in capsys.readouterr().out


def test_a_capture_that_fails_exits_as_its_error_says(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def slow(request: CaptureRequest, progress: Progress, *, tell: Tell) -> CaptureResult:
        raise TimedOutError("cell 3 took too long", where="evaluate.ipynb, cell 3", details="while True: pass")

    monkeypatch.setattr("repro.cli.capture.capture", slow)
    assert main(["capture", "evaluate.ipynb"]) == ExitCode.TIMED_OUT
    err = capsys.readouterr().err
    assert "evaluate.ipynb, cell 3" in err
    assert "    while True: pass" in err


def test_doctor_says_what_to_do_without_an_engine(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    empty = tmp_path / "index" / "pip"
    empty.mkdir(parents=True)
    (empty / "index.html").write_text(
        "<a href='pip-25.0-py3-none-any.whl'>pip-25.0-py3-none-any.whl</a>", encoding="utf-8"
    )
    (empty / "pip-25.0-py3-none-any.whl").write_bytes(b"wheel")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", empty.parent.as_uri())
    monkeypatch.setattr("repro.cli.diagnosis.Registry", NoRegistry)
    monkeypatch.setattr("repro.cli.diagnosis.shutil.disk_usage", lambda _: SimpleNamespace(free=1 << 40))
    assert main(["doctor", "--json"]) == ExitCode.INFRASTRUCTURE
    document = json.loads(capsys.readouterr().out)
    checks = {check["name"]: check for check in document["checks"]}
    assert document["ok"] is False
    assert checks["engine"]["status"] == "fail"
    assert "/nowhere.sock" in str(checks["engine"]["details"])
    assert checks["base image"]["status"] == "fail"
    assert checks["index"]["status"] == "ok"
    assert checks["disk"]["status"] == "ok"
    assert all(check["fix"] for check in document["checks"] if check["status"] != "ok")


@pytest.mark.parametrize("has_ipykernel", [False, True])
def test_doctor_warns_of_an_environment_that_capture_refuses(
    project: Path, monkeypatch: pytest.MonkeyPatch, *, has_ipykernel: bool
) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    environment = project / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    if has_ipykernel:
        (next(environment.glob("lib/python3*/site-packages")) / "ipykernel.py").write_text("", encoding="utf-8")
    check = _kernels(project)
    python = environment / "bin" / "python"
    line = next(line for line in check.details if str(python) in line)
    assert ("ipykernel is not installed" in line) is not has_ipykernel
    assert check.status == ("ok" if has_ipykernel else "warn")
    if not has_ipykernel:
        assert "ipykernel is not installed" in check.message
        assert f"uv pip install --python '{python}' ipykernel" in (check.fix or "")


class NoRegistry:
    """A registry that is out of reach."""

    def resolve(self, *_: object) -> ImageInfo:
        raise InfrastructureError("the registry can't be reached")
