"""[sources] of repro.toml: files before folders, near folders before far ones, and nothing that can't be used."""

from pathlib import Path

import pytest

from repro.capture.config import load_config
from repro.errors import UsageError
from repro.sources import find_sources
from tests.sources.projects import SESSIONS, locked, plain, sources


def config(root: Path, text: str) -> dict[str, str]:
    (root / "repro.toml").write_text(f"[sources]\n{text}\n")
    return load_config(root).sources


def test_the_nearest_entry_counts(root: Path) -> None:
    entries = config(
        root,
        '"data/" = "s3://bucket/all/"\n"data/big/" = "https://host/big/"\n"data/big/x.csv" = "gs://bucket/x.csv#1"',
    )
    files = [locked(path) for path in ("data/a b.csv", "data/big/sub/y z.csv", "data/big/x.csv", "other.csv")]
    assert sources(root, files, entries) == {
        "data/a b.csv": "s3://bucket/all/a b.csv",
        "data/big/sub/y z.csv": "https://host/big/sub/y%20z.csv",
        "data/big/x.csv": "gs://bucket/x.csv#1",
        "other.csv": None,
    }


def test_an_entry_that_nothing_needs_is_told_and_not_resolved(root: Path) -> None:
    found = find_sources(root, [], declared={"x": "models:/no/1"}, sessions=SESSIONS, environ=plain(root))
    assert found.warnings == ("[sources] names x, which the run did not read",)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('"x" = "ftp://host/x"', "sources.x: must be a URL"),
        ('"x" = "https://host/x?X-Amz-Signature=1"', "credentials"),
        ('"x" = "hf://org/name@main/x"', "commit"),
        ('"data/" = "s3://bucket/x"', "must end with /"),
        ('"../x" = "s3://bucket/x"', "inside the project"),
        ('"/x" = "s3://bucket/x"', "inside the project"),
        ('"a//b" = "s3://bucket/x"', "inside the project"),
        ("x = 7", "must be a string"),
        ('x = ""', "must not be empty"),
    ],
)
def test_entries_that_can_not_be_used_are_faults(root: Path, line: str, fault: str) -> None:
    with pytest.raises(UsageError) as raised:
        config(root, line)
    assert fault in str(raised.value)
