"""What a lock may say of indexes and repositories."""

from pathlib import Path

import pytest

from repro.capture.packages.sources import index_source, repository_source
from tests.capture.packages.installed import git

COMMIT = "f" * 40


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("file:///home/anna/index.html", "local index index.html"),
        ("file:///home/anna/my%20wheels/", "local index my wheels"),
        ("https://pypi.org/simple", "https://pypi.org/simple"),
        ("https://u:p@example.org/simple", "https://example.org/simple"),
        (
            "https://dl.cloudsmith.io/nbIZ5DPLTeUFXFWH/acme/ml/python/simple",
            "https://dl.cloudsmith.io/***/acme/ml/python/simple",
        ),
        ("https://pypi.fury.io/1aBcD-x7Yk29LmQpR4tWz8/acme", "https://pypi.fury.io/***/acme"),
        (
            "https://example.org/machine-learning-py3-packages/simple",
            "https://example.org/machine-learning-py3-packages/simple",
        ),
        ("https://download.pytorch.org/whl/cu121", "https://download.pytorch.org/whl/cu121"),
        (
            f"https://example.org/packages/ab/12/{'0123456789' * 6}/a",
            f"https://example.org/packages/ab/12/{'0123456789' * 6}/a",
        ),
        (
            f"https://example.org/packages/ab/12/{'0a1b2c3d4e' * 6}/a",
            f"https://example.org/packages/ab/12/{'0a1b2c3d4e' * 6}/a",
        ),
    ],
)
def test_an_index_names_no_path_of_this_machine_and_no_token(url: str, source: str) -> None:
    assert index_source(url) == source


@pytest.mark.parametrize(
    ("remote", "source"),
    [
        ("https://anna:secret@example.org/lib.git", f"git+https://example.org/lib.git@{COMMIT}"),
        ("git@example.org:team/lib.git", f"git+ssh://git@example.org/team/lib.git@{COMMIT}"),
        ("ssh://git@example.org/team/lib.git", f"git+ssh://git@example.org/team/lib.git@{COMMIT}"),
        ("/home/anna/lib", f"local git repository lib at {COMMIT}"),
        ("file:///home/anna/lib", f"local git repository lib at {COMMIT}"),
        (None, f"local git repository lib at {COMMIT}"),
    ],
)
def test_a_local_repository_names_its_remote(remote: str | None, source: str, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    if remote:
        git(tmp_path, "remote", "add", "origin", remote)
    assert repository_source(tmp_path, "lib", "git", COMMIT) == source


def test_other_systems_are_not_asked(tmp_path: Path) -> None:
    assert repository_source(tmp_path, "lib", "hg", "1") == "local hg repository lib at 1"
