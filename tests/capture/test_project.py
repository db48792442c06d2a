"""The lock that is already there: it is compared as a whole, and never that of another subject or unreadable."""

from dataclasses import replace
from pathlib import Path

import pytest

from repro.capture.project import locked_packages, open_project, previous_lock
from repro.capture.request import CaptureRequest, CaptureResult
from repro.digest import Digest
from repro.errors import IntegrityError, UsageError
from repro.lock import Subject, lock_body, render_body, render_lock
from tests.lock.samples import full_lock, plain_lock


@pytest.fixture
def subject(tmp_path: Path) -> Path:
    (tmp_path / "repro.toml").touch()
    path = tmp_path / "evaluate.py"
    path.touch()
    return path


def test_the_previous_lock_is_the_whole_file(subject: Path) -> None:
    project = open_project(CaptureRequest(subject))
    assert previous_lock(project) is None
    data = render_lock(replace(full_lock(), subject=Subject("script", "evaluate.py")))
    project.output.write_bytes(data)
    assert previous_lock(project) == data
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
    assert locked_packages(None) == {}
    assert locked_packages(render_lock(lock)) == {package.name: package for package in lock.packages}
