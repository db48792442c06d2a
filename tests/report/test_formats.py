"""Where reports may go: never over something that isn't one."""

from pathlib import Path

import pytest

from repro.errors import UsageError
from repro.report.formats import parse_report


@pytest.mark.parametrize("content", [b"version = '1.0'\n", b"{}", b'{"schema": "something/1"}', b"\xff"])
def test_a_file_that_is_no_verdict_is_never_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "repro.lock"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="no verdict"):
        parse_report(f"json={path}")
    assert path.read_bytes() == content


def test_a_new_an_empty_and_a_special_file_are_fine(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for path in (tmp_path / "new.json", tmp_path / "empty", Path("/dev/null")):
        assert parse_report(f"json={path}").path == path
