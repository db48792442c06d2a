"""The build context: the same bytes always, and never bytes that the plan doesn't name."""

import io
import json
import os
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from repro_docker import DockerBuilder
from repro_docker.context import context_size, stream_context
from repro_docker.layout import manifest

from repro.digest import Digest
from repro.errors import ExitCode, IntegrityError, UsageError
from repro.plan import Artifacts, BuildPlan, layout
from tests.builders import projects

FILES = {"evaluate.py": b"print(1)\n", "data/test set ü\n.csv": b"1,2\n" * 600_000}


@pytest.fixture
def project(tmp_path: Path) -> tuple[BuildPlan, Artifacts, Path]:
    """A plan with a pretended wheel: nothing is installed here."""
    root = tmp_path / "project"
    wheel = tmp_path / "installer-1.0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    projects.write_files(root, FILES)
    files = [projects.locked(name, data, executable=name.endswith(".py")) for name, data in FILES.items()]
    lock = projects.make_lock(projects.NO_IMAGE, projects.package(wheel), files=files)
    return projects.plan_of(lock), projects.artifacts([wheel], root, lock), root


def context(plan: BuildPlan, artifacts: Artifacts) -> bytes:
    return b"".join(stream_context(plan, artifacts, lambda _: None))


def test_the_same_plan_makes_the_same_bytes(project: tuple[BuildPlan, Artifacts, Path]) -> None:
    plan, artifacts, root = project
    first = context(plan, artifacts)
    for path in root.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700)
    umask = os.umask(0o077)
    try:
        assert context(plan, artifacts) == first
    finally:
        os.umask(umask)


def test_what_is_installed_is_told_by_digest_and_whether_somebody_asked_for_it(tmp_path: Path) -> None:
    wheels = [tmp_path / f"{name}-1.0-py3-none-any.whl" for name in ("installer", "asked", "needed")]
    for path in wheels:
        path.write_bytes(path.name.encode())
    installer, asked, needed = map(projects.package, wheels)
    packages = (replace(asked, requested=True), needed)
    plan = projects.plan_of(projects.make_lock(projects.NO_IMAGE, installer, packages=packages, runner=[asked]))
    told = [wheel for layer in json.loads(manifest(plan))["layers"] for wheel in layer["wheels"]]
    assert {(wheel["sha256"], wheel["prefix"], wheel["requested"]) for wheel in told} == {
        (asked.files[0].sha256.hex, "/opt/env", True),
        (needed.files[0].sha256.hex, "/opt/env", False),
        (asked.files[0].sha256.hex, str(layout.RUNNER_PACKAGES), False),
    }


def test_modes_owners_and_times(project: tuple[BuildPlan, Artifacts, Path]) -> None:
    plan, artifacts, _ = project
    with tarfile.open(fileobj=io.BytesIO(context(plan, artifacts))) as archive:
        members = {member.name: member for member in archive}
        names = archive.getnames()
    assert names == sorted(names, key=lambda name: name.split("/"))
    assert {(member.uid, member.gid, member.mtime) for member in members.values()} == {(0, 0, 315532800)}
    assert members["layers/code/opt/project/evaluate.py"].mode == 0o755
    assert members["layers/code/opt/project/data/test set ü\n.csv"].mode == 0o644
    assert members["layers/environment/work"].mode == 0o1777
    assert members["layers/environment/opt/env/bin/python"].linkname == "/usr/bin/python3.11"
    assert all(member.mode == 0o755 for member in members.values() if member.isdir() and member.mode != 0o1777)
    assert sum(member.size for member in members.values()) == context_size(plan)


@pytest.mark.parametrize("change", [b"1,3\n", b"", b"longer" * 10], ids=["one byte", "empty", "longer"])
@pytest.mark.parametrize("name", list(FILES), ids=["small", "large"])
def test_a_file_that_changes_after_its_check_stops_the_stream(
    project: tuple[BuildPlan, Artifacts, Path], name: str, change: bytes
) -> None:
    plan, artifacts, root = project
    data = FILES[name]
    end = context(plan, artifacts).index(data) + len(data)
    (root / name).write_bytes(data + change if len(change) > 4 else data[: -len(b"1,2\n")] + change)
    sent = 0
    with pytest.raises(IntegrityError) as caught:  # noqa: PT012 - what was sent until then matters
        for block in stream_context(plan, artifacts, lambda _: None):
            sent += len(block)
    assert caught.value.where == name
    assert str(Digest.of(data).hex) in str(caught.value)
    assert caught.value.exit_code == ExitCode.TAMPERED
    assert sent < end, "the file went out whole"


def test_an_export_is_the_context_and_needs_an_empty_place(
    project: tuple[BuildPlan, Artifacts, Path], tmp_path: Path
) -> None:
    plan, artifacts, _ = project
    target = tmp_path / "new" / "folder"
    assert DockerBuilder().export(plan, artifacts, target) == target / "Dockerfile"
    with tarfile.open(fileobj=io.BytesIO(context(plan, artifacts))) as archive:
        for member in archive:
            path = target / member.name
            assert path.is_symlink() == member.issym()
            if not member.issym():
                assert path.stat().st_mode & 0o7777 == member.mode
            if member.isreg():
                stream = archive.extractfile(member)
                assert stream is not None
                assert path.read_bytes() == stream.read()
        assert len(list(target.rglob("*"))) == len(archive.getnames())
    with pytest.raises(UsageError, match="something here already"):
        DockerBuilder().export(plan, artifacts, target)


def test_an_export_that_fails_leaves_nothing(project: tuple[BuildPlan, Artifacts, Path], tmp_path: Path) -> None:
    plan, artifacts, root = project
    (root / "evaluate.py").write_bytes(b"print(2)\n")
    with pytest.raises(IntegrityError):
        DockerBuilder().export(plan, artifacts, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises(IntegrityError):
        DockerBuilder().export(plan, artifacts, tmp_path / "empty")
    assert list((tmp_path / "empty").iterdir()) == []
