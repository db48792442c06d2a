"""The project's own path, as far as its code names it."""

from pathlib import Path

import pytest

from repro.capture import absolute
from repro.capture.absolute import named_root
from repro.digest import Digest
from repro.lock import LockedFile

ROOT = Path("/home/ada/churn")


@pytest.mark.parametrize(
    "source",
    ["open('/home/ada/churn/data/x.csv')", "os.chdir('/home/ada/churn')", "x = '/home/ada/churns:/home/ada/churn'"],
)
def test_a_named_project_is_kept_working_and_told(source: str) -> None:
    root, (warning,) = named_root(ROOT, ["import os", source], ())
    assert root == "/home/ada/churn"
    assert "/home/ada/churn" in warning


@pytest.mark.parametrize("source", ["open('data/x.csv')", "open('/home/ada/churn-2/x')", "open('/home/ada/churn.csv')"])
def test_other_paths_are_none(source: str) -> None:
    assert named_root(ROOT, [source], ()) == (None, ())


def test_configuration_is_looked_into(tmp_path: Path) -> None:
    (tmp_path / "paths.yaml").write_text(f"data: {tmp_path}/data\n")
    file = LockedFile("paths.yaml", "config", Digest.of(b""), 10)
    assert named_root(tmp_path, [], [file])[1]


@pytest.mark.parametrize("root", ["/tmp/churn", "/work/churn", "/opt/churn"])
def test_places_that_an_image_cannot_have_are_told(root: str) -> None:
    found, (warning,) = named_root(Path(root), [f"open('{root}/x')"], ())
    assert found is None
    assert "something else" in warning


@pytest.fixture
def linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that people reach by a link, as with `/home` on a file server. Temporary folders count as homes."""
    monkeypatch.setattr(absolute, "_TAKEN", frozenset({"work"}))
    (tmp_path / "server" / "ada" / "churn" / "data").mkdir(parents=True)
    (tmp_path / "my home").symlink_to(tmp_path / "server")
    return tmp_path.resolve()


@pytest.mark.parametrize("source", ["open('{}/data/x.csv')", 'BASE = "{}"', "%cd {}/data\n!ls", "data: {}/data"])
def test_a_project_named_by_the_link_that_leads_to_it_is_kept_working_there(linked: Path, source: str) -> None:
    by_link = f"{linked}/my home/ada/churn"
    root, (warning,) = named_root(linked / "server/ada/churn", [source.format(by_link)], ())
    assert root == by_link
    assert by_link in warning


def test_an_image_has_the_project_at_one_place_only(linked: Path) -> None:
    project, by_link = linked / "server/ada/churn", f"{linked}/my home/ada/churn"
    root, told = named_root(project, [f"open('{project}/a'); open('{by_link}/b')"], ())
    assert root == str(project)
    assert len(told) == 2
    assert f"{by_link}, which the image doesn't have" in told[1]


@pytest.mark.parametrize("source", ["/ ", "//", "x = '/\0'", "/" + "y/" * 3000, "1 / 2 / 3", "'/'", "'/no/where'"])
def test_odd_texts_name_no_project(tmp_path: Path, source: str) -> None:
    assert named_root(tmp_path.resolve(), [source], ()) == (None, ())
