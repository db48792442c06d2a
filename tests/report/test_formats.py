"""Where reports may go: never over something that isn't one."""

from pathlib import Path

import pytest

from repro.errors import UsageError
from repro.report.dossier import Dossier
from repro.report.formats import FORMATS, parse_report, write_reports
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
