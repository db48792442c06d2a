"""The lock that is already there: it is compared as a whole, and never that of another subject or unreadable."""

from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from repro.capture.project import Previous, left_over, open_project, previous_lock
from repro.capture.request import CaptureRequest, CaptureResult
from repro.digest import Digest
from repro.errors import IntegrityError, UsageError
from repro.lock import LockedFile, Subject, lock_body, render_body, render_lock
from tests.lock.samples import full_lock, plain_lock


@pytest.fixture
def subject(tmp_path: Path) -> Path:
    (tmp_path / "repro.toml").touch()
    path = tmp_path / "evaluate.py"
    path.touch()
    return path


def test_the_previous_lock_is_the_whole_file(subject: Path) -> None:
    project = open_project(CaptureRequest(subject))
    assert previous_lock(project) == Previous()
    data = render_lock(replace(full_lock(), subject=Subject("script", "evaluate.py")))
    project.output.write_bytes(data)
    assert previous_lock(project).data == data
    assert lock_body(data) != data


def test_the_lock_of_another_subject_is_not_replaced(subject: Path) -> None:
    project = open_project(CaptureRequest(subject))
    project.output.write_bytes(render_lock(full_lock()))
    with pytest.raises(UsageError, match=r"not for evaluate\.py"):
        previous_lock(project)


def test_a_lock_that_can_not_be_read_is_not_replaced(subject: Path) -> None:
    project = open_project(CaptureRequest(subject))
    project.output.write_bytes(b"version = ")
    with pytest.raises(IntegrityError, match=r"repro\.lock"):
        previous_lock(project)


def test_packages_may_be_allowed_in_the_settings_and_on_the_command_line(subject: Path) -> None:
    (subject.parent / "repro.toml").write_text('[packages]\nallow-patched = ["six"]\n')
    assert open_project(CaptureRequest(subject)).config.allow_patched == ("six",)
    assert open_project(CaptureRequest(subject, allow_patched=("attrs",))).config.allow_patched == ("six", "attrs")


def test_data_is_kept_out_of_the_image_by_the_settings_and_on_the_command_line(subject: Path) -> None:
    (subject.parent / "repro.toml").write_text("[files]\nmount = ['data/**']\n", encoding="utf-8")
    assert open_project(CaptureRequest(subject)).config.files.mount == ("data/**",)
    assert open_project(CaptureRequest(subject, mount=("*.bin",))).config.files.mount == ("data/**", "*.bin")


def test_the_digest_of_a_capture_is_that_of_the_body() -> None:
    lock = full_lock()
    result = CaptureResult(lock, lock_body(render_lock(lock)), Path("repro.lock"), True, (), None, 1.0)
    assert result.digest == Digest.of(render_body(lock))


def test_the_packages_of_the_lock_before_are_known_by_name() -> None:
    lock = plain_lock()
    assert Previous().packages == {}
    assert Previous(render_lock(lock), lock).packages == {package.name: package for package in lock.packages}


def test_what_an_earlier_run_left_for_this_one_is_told() -> None:
    lock = replace(full_lock(), outputs=("cache/features.parquet", "metrics.json"))
    read = [LockedFile(path, "data", Digest.of(b"x"), 1) for path in ("cache/features.parquet", "data/raw.csv")]
    (warning,) = left_over(Previous(render_lock(lock), lock).outputs, read)
    assert "cache/features.parquet; " in warning
    assert "data/raw.csv" not in warning
    assert left_over(Previous().outputs, read) == ()


@pytest.mark.parametrize("cells", [(), ("markdown",), ("blank",)])
def test_a_notebook_without_code_is_told_before_anything_is_looked_up(tmp_path: Path, cells: tuple[str, ...]) -> None:
    made = {"markdown": new_markdown_cell("# Results"), "blank": new_code_cell("  \n")}
    path = tmp_path / "notes.ipynb"
    path.write_text(nbformat.writes(new_notebook(cells=[made[cell] for cell in cells])), encoding="utf-8")
    with pytest.raises(UsageError, match="no code to run") as caught:
        open_project(CaptureRequest(path))
    assert caught.value.fix == "Name the notebook that evaluates the model; if this is it, save it again in Jupyter."


def test_a_name_that_is_nearly_right_is_offered(tmp_path: Path) -> None:
    (tmp_path / "evaluate.ipynb").write_text("{}")
    with pytest.raises(UsageError) as caught:
        open_project(CaptureRequest(tmp_path / "evalute.ipynb"))
    assert caught.value.fix == f"Did you mean {tmp_path / 'evaluate.ipynb'}?"
    with pytest.raises(UsageError) as caught:
        open_project(CaptureRequest(tmp_path / "train.ipynb"))
    assert caught.value.fix == "There is: evaluate.ipynb."
