"""Where reports may go: never over something that isn't one."""

import os
import sys
from pathlib import Path

import pytest

from repro.errors import InfrastructureError, UsageError
from repro.report.dossier import Dossier
from repro.report.formats import FORMATS, ReportFile, parse_report, parse_reports, write_reports
from tests.report.samples import VERDICTS

OTHERS = [
    b"version = '1.0'\n",
    b"{}",
    b'{"schema": "something/1"}',
    b"\xff",
    b"# Notes",
    b"<html></html>",
    b'<testsuites name="pytest tests"/>',
]


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("content", OTHERS)
def test_a_file_that_is_no_report_is_never_replaced(tmp_path: Path, content: bytes, format_: str) -> None:
    path = tmp_path / "repro.lock"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="no report of repro's"):
        parse_report(f"{format_}={path}")
    assert path.read_bytes() == content


def test_a_new_an_empty_and_a_special_file_are_fine(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for path in (tmp_path / "new.json", tmp_path / "empty", Path("/dev/null")):
        assert parse_report(f"json={path}").path == path


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("name", VERDICTS)
def test_a_report_replaces_an_earlier_one_of_any_verdict(tmp_path: Path, format_: str, name: str) -> None:
    report = parse_report(f"{format_}={tmp_path / 'report'}")
    write_reports(Dossier(VERDICTS[name]), [report])
    before = report.path.read_bytes()
    write_reports(Dossier(VERDICTS[name]), [parse_report(f"{format_}={report.path}")])
    assert report.path.read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="has no such files")
@pytest.mark.parametrize("format_", FORMATS)
def test_pipes_and_devices_are_written_to_and_stay(tmp_path: Path, format_: str) -> None:
    pipe, device = tmp_path / "pipe", tmp_path / "device"
    os.mkfifo(pipe)
    device.symlink_to("/dev/null")
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        write_reports(Dossier(VERDICTS["verified"]), parse_reports([f"{format_}={device}"]))
        assert device.is_symlink()
        if format_ != "html":  # larger than a pipe
            write_reports(Dossier(VERDICTS["verified"]), parse_reports([f"{format_}={pipe}"]))
            assert pipe.is_fifo()
            assert FORMATS[format_].mark in os.read(reader, 1 << 16)
    finally:
        os.close(reader)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="has no such folder")
def test_what_a_process_has_open_is_added_to(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    with log.open("ab") as opened:
        link = tmp_path / "stdout"
        link.symlink_to(f"/proc/self/fd/{opened.fileno()}")
        write_reports(Dossier(VERDICTS["verified"]), parse_reports([f"json={link}"]))
    assert log.read_text().startswith("before\n{")
    assert link.is_symlink()


def test_two_reports_of_one_path_are_refused(tmp_path: Path) -> None:
    texts = [f"html={tmp_path / 'report'}", f"junit={tmp_path / 'x' / '..' / 'report'}"]
    with pytest.raises(UsageError, match="several reports"):
        parse_reports(texts)
    assert len(parse_reports([texts[0], f"junit={tmp_path / 'other'}"])) == 2


def test_a_path_that_nothing_can_be_written_to_is_told_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="can't be written there"):
        parse_reports([f"json={tmp_path / 'file' / 'report.json'}"])


def test_a_report_that_the_disk_refuses_keeps_no_other_back(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    reports = [ReportFile("json", tmp_path / "file" / "r.json"), ReportFile("markdown", tmp_path / "r.md")]
    with pytest.raises(InfrastructureError, match="can't write"):
        write_reports(Dossier(VERDICTS["verified"]), reports)
    assert reports[1].path.is_file()
