"""A build that lacks a file with a source says which command fetches it."""

from pathlib import Path

import pytest

from repro.build.project import check_project
from repro.errors import IntegrityError
from repro.store import project_store
from tests.sources.projects import locked


def test_a_missing_file_with_a_source_is_said_to_be_pullable(root: Path) -> None:
    files = [locked("a.csv", b"a", "s3://bucket/a.csv"), locked("b.csv", b"b")]
    with pytest.raises(IntegrityError) as raised:
        check_project(files, root, project_store(root))
    assert ["`repro pull` can fetch it" in problem for problem in raised.value.problems] == [True, False]
