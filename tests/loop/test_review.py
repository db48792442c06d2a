"""A real lock under review: true right after its capture; what changes is named by `repro check` and `repro diff`."""

import json
import shutil
from pathlib import Path

import nbformat
import pytest

from tests.loop.conftest import Captured, repro

pytestmark = pytest.mark.engine


@pytest.fixture
def copy(captured: Captured, tmp_path: Path) -> Path:
    """The project, of which nothing but its place is another."""
    return Path(shutil.copytree(captured.root, tmp_path / "elsewhere", symlinks=True))


def test_a_lock_is_true_right_after_its_capture_and_wherever_it_lies(captured: Captured, copy: Path) -> None:
    for root in (captured.root, copy):
        done = repro(root, "check", "--strict", "--json")
        assert done.code == 0, done
        items = {item["name"]: item for item in json.loads(done.out)["items"]}
        assert items["environment"]["status"] == "true", items
        assert not any(item["findings"] for item in items.values()), items
    for before, after in ((captured.lock, copy / "repro.lock"), (captured.tag, captured.lock)):
        done = repro(copy, "diff", before, after)
        assert done.code == 0, done


def test_what_changed_since_an_image_was_made_is_named_by_cell(captured: Captured, copy: Path) -> None:
    notebook = nbformat.read(copy / "evaluate me.ipynb", as_version=4)
    notebook.cells[2].source += "\nerror = error * 2"
    nbformat.write(notebook, copy / "evaluate me.ipynb")
    text = (copy / "helpers.py").read_text(encoding="utf-8")
    (copy / "helpers.py").write_text(f"# a comment\n{text}", encoding="utf-8")
    done = repro(copy, "check", "--json")
    assert done.code == 1, done
    files = next(item for item in json.loads(done.out)["items"] if item["name"] == "files")
    assert [one["path"] for one in files["findings"]] == ["evaluate me.ipynb", "helpers.py"]
    done = repro(copy, "diff", captured.tag, "--json")
    assert done.code == 1, done
    code = next(section for section in json.loads(done.out)["sections"] if section["group"] == "code")
    assert [(one["what"], one["aspect"], one["moves"], one["details"]) for one in code["changes"]] == [
        ("evaluate me.ipynb", "content", True, ["cell 3: changed", "  + error = error * 2"]),
        ("helpers.py", "comments", False, []),
    ]
