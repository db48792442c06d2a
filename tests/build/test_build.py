"""From a lock on disk to an image: everything is checked before the builder gets to work."""

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from repro.build import BuildRequest, Output, Sources, build, builder_names, check_project, emit
from repro.build.build import default_tag
from repro.digest import Digest
from repro.engines import DockerEngine, ImageInfo
from repro.errors import ExitCode, InfrastructureError, IntegrityError, UsageError
from repro.lock import Lock, PackedPython, render_lock
from repro.plan import layout
from repro.store import ObjectStore, project_store
from tests.builders import projects

FILES = {
    "evaluate.py": b"print(1)\n",
    "src/features.py": b"X = 1\n",
    "data/test set ü.csv": b"a,b\n1,2\n",
    "model.bin": bytes(1000),
}


class Project:
    """A project with its lock on disk; wheels lie beside it, the installer comes by its URL."""

    def __init__(self, folder: Path, wheels: dict[str, Path], base: ImageInfo = projects.NO_IMAGE) -> None:
        self.root = folder / "My Project ü"
        self.path = self.root / "repro.lock"
        self.cache = ObjectStore(folder / "cache")
        self.wheels = wheels
        projects.write_files(self.root, FILES)
        self.lock = projects.make_lock(
            base,
            projects.package(wheels["installer"]),
            files=[projects.locked(name, data, "data" if "data" in name else "code") for name, data in FILES.items()],
            packages=[projects.package(wheels["six"])],
        )
        self.write(self.lock)

    def write(self, lock: Lock) -> None:
        self.lock = lock
        self.path.write_bytes(render_lock(lock))

    def emit(self, name: str = "out") -> Path:
        request = BuildRequest(self.path, builder="docker")
        return emit(request, self.root.parent / name, Sources(cache=self.cache))

    def fails(self) -> IntegrityError:
        with pytest.raises(IntegrityError) as caught:
            self.emit()
        assert caught.value.exit_code == ExitCode.TAMPERED
        assert not (self.root.parent / "out").exists()
        return caught.value


@pytest.fixture
def project(tmp_path: Path, wheels: dict[str, Path]) -> Project:
    return Project(tmp_path, wheels)


def test_emit_writes_everything_that_a_build_by_hand_needs(project: Project) -> None:
    dockerfile = project.emit()
    assert dockerfile.name == "Dockerfile"
    found = dockerfile.parent
    for name, data in FILES.items():
        assert [path.read_bytes() for path in found.glob(f"layers/*/opt/project/{name}")] == [data]
    for name in ("installer", "six"):
        copies = list(found.rglob(project.wheels[name].name))
        assert [path.read_bytes() for path in copies] == [project.wheels[name].read_bytes()]


@pytest.mark.parametrize("name", list(FILES))
def test_one_changed_byte_stops_the_build_and_names_the_file(project: Project, name: str) -> None:
    data = bytearray(FILES[name])
    data[-1] ^= 1
    (project.root / name).write_bytes(data)
    error = project.fails()
    (problem,) = error.problems
    assert problem.startswith(f"{name}: has changed: the lock has {Digest.of(FILES[name])} ({len(data)} bytes), ")
    assert problem.endswith(f"found {Digest.of(bytes(data))} ({len(data)} bytes)")
    assert error.where == str(project.root)


def test_all_problems_are_told_at_once(project: Project) -> None:
    root = project.root
    (root / "evaluate.py").unlink()
    (root / "src/features.py").unlink()
    (root / "src/features.py").symlink_to("/etc/hostname")
    (root / "data/test set ü.csv").unlink()
    (root / "data/test set ü.csv").mkdir()
    (root / "model.bin").unlink()
    (root / "model.bin").symlink_to("gone")
    assert {problem.partition(": ")[0]: problem.partition(": ")[2] for problem in project.fails().problems} == {
        "evaluate.py": f"is missing; the lock has {Digest.of(FILES['evaluate.py'])}",
        "src/features.py": "is a symbolic link that leads out of the project",
        "data/test set ü.csv": "is not a regular file",
        "model.bin": "is a broken link",
    }


def test_an_unreadable_file_is_named(wheels: dict[str, Path]) -> None:
    me = os.geteuid()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        project = Project(Path(folder), wheels)
        (project.root / "model.bin").chmod(0)
        os.seteuid(65534 if me == 0 else me)  # root may read everything
        try:
            with pytest.raises(IntegrityError) as caught:
                check_project(project.lock.files, project.root, project_store(project.root))
        finally:
            os.seteuid(me)
    assert caught.value.problems == ("model.bin: Permission denied",)


def test_a_link_inside_the_project_is_followed(project: Project) -> None:
    (project.root / "elsewhere.bin").write_bytes(FILES["model.bin"])
    (project.root / "model.bin").unlink()
    (project.root / "model.bin").symlink_to("elsewhere.bin")
    found = project.emit().parent / "layers/code/opt/project/model.bin"
    assert not found.is_symlink()
    assert found.read_bytes() == FILES["model.bin"]


def test_a_missing_file_is_taken_from_the_object_store(project: Project) -> None:
    project_store(project.root).add_bytes(FILES["model.bin"])
    (project.root / "model.bin").unlink()
    found = project.emit().parent / "layers/code/opt/project/model.bin"
    assert found.read_bytes() == FILES["model.bin"]


def test_mounted_files_are_not_looked_for_and_not_in_the_image(project: Project) -> None:
    files = tuple(replace(file, mount=file.path.startswith("data/")) for file in project.lock.files)
    project.write(replace(project.lock, files=files))
    shutil.rmtree(project.root / "data")
    found = project.emit().parent
    assert list(found.glob("layers/*/opt/project/data")) == []
    assert (found / "layers/metadata/opt/mounted").is_dir()


def test_objects_that_exist_nowhere_else_are_named(project: Project) -> None:
    local = projects.package(project.wheels["six"], local=True)
    packed = PackedPython("cpython-3.11.7.tar", Digest.of(b"python"), 6, "2.31", projects.TARGET)
    python = replace(project.lock.python, version="3.11.7", supply="packed", packed=packed)
    project.write(replace(project.lock, packages=(local,), python=python))
    with pytest.raises(InfrastructureError) as caught:
        project.emit()
    assert caught.value.exit_code == ExitCode.INFRASTRUCTURE
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "cpython-3.11.7.tar",
        local.files[0].name,
    ]
    assert "Copy .repro/objects" in (caught.value.fix or "")
    assert "docs/how-to/carry-objects.md" in (caught.value.fix or "")
    store = project_store(project.root)
    store.add_bytes(b"python")
    store.add_file(project.wheels["six"])
    assert project.emit().is_file()


def test_a_changed_object_is_not_a_missing_one(project: Project) -> None:
    local = projects.package(project.wheels["six"], local=True)
    packed = PackedPython("cpython-3.11.7.tar", Digest.of(b"python"), 6, "2.31", projects.TARGET)
    python = replace(project.lock.python, version="3.11.7", supply="packed", packed=packed)
    project.write(replace(project.lock, packages=(local,), python=python))
    store = project_store(project.root)
    path = store.path(store.add_bytes(b"python"))
    path.unlink()
    path.write_bytes(b"Python")
    changed, missing = project.fails().problems
    assert changed.startswith("cpython-3.11.7.tar: an object has changed")
    assert missing.startswith(f"{local.files[0].name}: there is no object")


def test_a_download_with_other_bytes_is_refused(project: Project, tmp_path: Path) -> None:
    changed = tmp_path / project.wheels["six"].name
    shutil.copyfile(project.wheels["six"], changed)
    with changed.open("ab") as stream:
        stream.write(b"!")
    package = project.lock.packages[0]
    file = replace(package.files[0], url=changed.as_uri())
    project.write(replace(project.lock, packages=(replace(package, files=(file,)),)))
    assert changed.name in str(project.fails())


def test_unknown_builders_and_names_are_refused_before_anything_else(project: Project) -> None:
    assert builder_names() == ["docker", "oci"]
    with pytest.raises(UsageError, match="no builder 'kaniko'") as caught:
        build(BuildRequest(project.path, builder="kaniko"), Sources())
    assert caught.value.fix == "Choose one of: docker, oci."
    for tag in ("Upper", "a b", "a:", "-x", "a//b", "a:b:c"):
        with pytest.raises(UsageError, match="not a name"):
            build(BuildRequest(project.path, tags=("fine:1", tag)), Sources())


def test_no_lock(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no lock here"):
        build(BuildRequest(tmp_path / "repro.lock"), Sources())


@pytest.mark.parametrize(
    ("folder", "slug"), [("My Project ü", "my-project-u"), ("--x..y__", "x-y"), ("日本", "project"), ("ok1", "ok1")]
)
def test_the_default_name(tmp_path: Path, folder: str, slug: str) -> None:
    digest = Digest.of(b"")
    assert default_tag(tmp_path / folder / "repro.lock", digest) == f"{slug}:{digest.hex[:12]}"


@pytest.mark.engine
@pytest.mark.parametrize("builder", ["docker", "oci"])
def test_build_makes_the_image_that_the_lock_describes(
    engine: DockerEngine, base_image: ImageInfo, wheels: dict[str, Path], tmp_path: Path, builder: str
) -> None:
    project = Project(tmp_path, wheels, base_image)
    (built,) = build(BuildRequest(project.path, builder=builder), Sources(cache=project.cache))
    image = engine.image(built.id)
    lock_digest = Digest.of(project.path.read_bytes())
    try:
        assert built.tags == (f"my-project-u:{lock_digest.short}",)
        assert image is not None
        assert image.labels[layout.LABEL_LOCK] == str(lock_digest)
        assert engine.read_files(built.id, layout.PROJECT) == FILES
    finally:
        engine.client.api.remove_image(built.tags[0])


@pytest.mark.parametrize(
    ("option", "asked"),
    [
        ("--output", {"outputs": (Output("layout", Path("out")),)}),
        ("--push", {"outputs": (Output("registry"),), "tags": ("localhost:1/a:1",)}),
        ("--layer-encoding", {"encoding": "gzip"}),
        ("--verify-reproducible", {"twice": True}),
        ("--trust-lock", {"trust": True}),
    ],
)
def test_the_docker_builder_builds_in_an_engine_only(
    project: Project, tmp_path: Path, option: str, asked: dict[str, Any]
) -> None:
    request = BuildRequest(project.path, builder="docker", **asked)
    with pytest.raises(UsageError, match=f"in an engine only, .*{option}"):
        build(request, Sources(cache=project.cache))
    with pytest.raises(UsageError, match=f"in an engine only, .*{option}"):
        emit(request, tmp_path / "out", Sources(cache=project.cache))


def test_the_assembler_has_no_recipe_to_write(project: Project, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no recipe"):
        emit(BuildRequest(project.path), tmp_path / "out", Sources(cache=project.cache))
