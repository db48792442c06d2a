"""One build, several destinations and platforms; what was delivered is what the lock says, wherever it is."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from repro_oci.builder import OciBuilder

from repro.build import BuildRequest, Output, Sources, build, emit, parse_output
from repro.build.prepare import open_project, prepare
from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError, UsageError
from repro.lock import ImageOptions, Lock, Package, PredictedImage, render_lock
from repro.oci.archives import open_archive
from repro.oci.layouts import open_layout
from repro.oci.stores import project_images
from repro.oci.streams import open_plain
from repro.oci.write_layout import write_layout
from repro.progress import Silent
from repro.store import ObjectStore
from tests.builders import projects
from tests.repro_oci import forged

TARGETS = ("linux/amd64", "linux/arm64")
FILES = {"evaluate.py": b"print(1)\n"}
TAG = "team/model:1"


def no_engine() -> None:
    raise InfrastructureError("no container engine answers")


class Project:
    """A project for two platforms, over a base for both, without an engine."""

    def __init__(self, home: Path, wheels: dict[str, Path]) -> None:
        self.home = home
        self.path = home / "project" / "repro.lock"
        bases = [forged.base(platform=target) for target in TARGETS]
        index = write_layout(bases, home / "base", references=["base:1"])
        projects.write_files(self.path.parent, FILES)
        lock = projects.make_lock(
            projects.NO_IMAGE,
            for_all(projects.package(wheels["installer"])),
            files=[projects.locked(name, data) for name, data in FILES.items()],
            packages=[for_all(projects.package(wheels["six"]))],
        )
        base = replace(lock.base, source="layout", reference="base:1", digest=index)
        self.write(replace(lock, targets=TARGETS, base=base, image=ImageOptions(bytecode="none")))

    def write(self, lock: Lock) -> None:
        self.lock = lock
        self.path.write_bytes(render_lock(lock))

    @property
    def sources(self) -> Sources:
        cache = ObjectStore(self.home / "cache")
        return Sources(cache=cache, base=f"oci:{self.home / 'base'}", find=no_engine)  # type: ignore[arg-type]

    def build(self, *outputs: Output, targets: tuple[str, ...] = TARGETS[:1], **options: object) -> list[str]:
        """Digests of what was built."""
        request = BuildRequest(self.path, tags=(TAG,), targets=targets, outputs=outputs, **options)  # type: ignore[arg-type]
        return [str(image.digest) for image in build(request, self.sources)]

    def predict(self, target: str) -> PredictedImage:
        project = open_project(self.path, Silent())
        prepared = prepare(project, target, self.sources, Silent())
        base = open_layout(self.home / "base", "base:1", target)
        return OciBuilder().predict(prepared.plan, base, prepared.supplies, progress=Silent())


def for_all(package: Package) -> Package:
    return replace(package, files=tuple(replace(file, targets=TARGETS) for file in package.files))


@pytest.fixture
def project(tmp_path: Path, wheels: dict[str, Path]) -> Project:
    return Project(tmp_path, wheels)


@pytest.mark.parametrize("target", TARGETS)
def test_a_layout_and_an_archive_hold_the_same_image_for_any_platform(project: Project, target: str) -> None:
    layout, archive = project.home / "layout", project.home / "x.tar"
    digests = project.build(Output("layout", layout), Output("archive", archive), targets=(target,))
    images = [open_layout(layout, TAG, target), open_archive(archive, TAG, target)]
    assert digests == [str(Digest.of(image.manifest)) for image in images]
    assert len(set(digests)) == 1
    assert json.loads(images[0].config)["architecture"] == target.partition("/")[2]
    for number, diff_id in enumerate(images[0].diff_ids):
        with open_plain(images[0], number) as stream:
            assert Digest.of(stream.read()) == diff_id


def test_a_name_without_a_tag_is_its_latest(project: Project) -> None:
    layout = Output("layout", project.home / "layout")
    build(BuildRequest(project.path, tags=("host:5000/x",), targets=TARGETS[:1], outputs=(layout,)), project.sources)
    assert open_layout(project.home / "layout", "host:5000/x:latest", TARGETS[0])


def test_several_platforms_are_one_index(project: Project) -> None:
    layout = project.home / "layout"
    digests = project.build(Output("layout", layout), targets=TARGETS)
    assert len(set(digests)) == 1
    images = [open_layout(layout, TAG, target) for target in TARGETS]
    assert [image.platform for image in images] == list(TARGETS)
    assert images[0].config != images[1].config


def test_the_index_is_the_same_however_its_platforms_are_named(project: Project) -> None:
    orders = (TARGETS, TARGETS[::-1], (*TARGETS, TARGETS[0]))
    places = [Output("archive", project.home / f"{number}.tar") for number in range(len(orders))]
    assert len({project.build(place, targets=order)[0] for place, order in zip(places, orders, strict=True)}) == 1


def test_an_engine_holds_one_platform_under_a_name(project: Project) -> None:
    with pytest.raises(UsageError, match="an engine holds one platform"):
        project.build(Output("engine"), targets=TARGETS)


def test_what_can_not_be_an_archive_is_found_out_first(project: Project) -> None:
    pipe = project.home / "pipe"
    os.mkfifo(pipe)
    for place in (pipe, project.home):
        with pytest.raises(UsageError, match="not a regular file"):
            project.build(Output("archive", place))
    assert pipe.is_fifo()


def test_without_an_engine_the_image_goes_to_the_projects_own(project: Project) -> None:
    (digest,) = project.build()
    image = open_layout(project_images(project.path.parent), TAG, TARGETS[0])
    assert str(Digest.of(image.manifest)) == digest


def test_the_prediction_of_each_platform_is_proved(project: Project) -> None:
    predicted = tuple(project.predict(target) for target in TARGETS)
    project.write(replace(project.lock, predicted=predicted))
    layout = Output("layout", project.home / "layout")
    assert project.build(layout, targets=TARGETS[1:]) == [str(predicted[1].manifest)]
    layers = tuple(replace(layer, diff_id=Digest.of(b"x")) for layer in predicted[1].layers)
    project.write(replace(project.lock, predicted=(predicted[0], replace(predicted[1], layers=layers))))
    project.build(Output("layout", project.home / "other"))
    with pytest.raises(IntegrityError, match="not the one that the lock predicts"):
        project.build(Output("layout", project.home / "never"), targets=TARGETS[1:])
    assert not (project.home / "never").exists()


def test_another_encoding_is_proved_by_its_files(project: Project) -> None:
    project.write(replace(project.lock, predicted=(project.predict(TARGETS[0]),)))
    archive = Output("archive", project.home / "x.tar")
    (digest,) = project.build(archive, encoding="gzip")
    assert digest != str(project.lock.predicted[0].manifest)
    layers = tuple(replace(layer, diff_id=Digest.of(b"x")) for layer in project.lock.predicted[0].layers)
    project.write(replace(project.lock, predicted=(replace(project.lock.predicted[0], layers=layers),)))
    with pytest.raises(IntegrityError, match="not the one that the lock predicts"):
        project.build(archive, encoding="gzip")


@pytest.mark.parametrize("emitting", [False, True])
def test_the_docker_builder_says_that_it_can_not_use_a_layout(project: Project, emitting: bool) -> None:
    request = BuildRequest(project.path, tags=(TAG,), targets=TARGETS[:1], builder="docker")
    with pytest.raises(UsageError, match="no engine can be asked for") as caught:
        emit(request, project.home / "out", project.sources) if emitting else build(request, project.sources)
    assert "default builder" in (caught.value.fix or "")


def test_a_layer_that_was_damaged_in_the_cache_is_made_anew(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPRO_CACHE_DIR", str(tmp_path / "own"))
    made = project.build(Output("layout", tmp_path / "one"))
    layers = [path for path in (tmp_path / "own/layers/blobs").rglob("*") if path.is_file()]
    assert layers
    for path in layers:
        path.chmod(0o600)
        path.write_bytes(b"X" + path.read_bytes()[1:])
    assert project.build(Output("layout", tmp_path / "two")) == made
    assert open_layout(tmp_path / "two", TAG, TARGETS[0]).manifest


def test_two_makings_are_compared_on_demand(project: Project) -> None:
    assert project.build(Output("archive", project.home / "x.tar"), twice=True)


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("engine", Output("engine")),
        ("registry", Output("registry")),
        ("oci:a/b", Output("layout", Path("a/b"))),
        ("oci-archive:a.tar", Output("archive", Path("a.tar"))),
    ],
)
def test_destinations_are_written_as_other_tools_write_them(text: str, output: Output) -> None:
    assert parse_output(text) == output


@pytest.mark.parametrize("text", ["", "a.tar", "oci:", "docker-daemon:x", "engine:x"])
def test_other_destinations_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a destination"):
        parse_output(text)
