"""Builds at the same time on one engine, which must not touch each other."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from repro_docker import DockerBuilder
from repro_docker.leftovers import Leftovers, Made

from repro.engines import DockerEngine, ImageInfo, find_docker
from repro.plan import Artifacts, BuildPlan, BuiltImage
from repro.progress import Silent, Task
from tests.builders import projects

pytestmark = pytest.mark.engine

TAGS = ("repro-test-together:1", "repro-test-together:2")


def project(root: Path, wheels: dict[str, Path], base: ImageInfo, text: bytes) -> tuple[BuildPlan, Artifacts]:
    projects.write_files(root, {"evaluate.py": text})
    lock = projects.make_lock(
        base,
        projects.package(wheels["installer"]),
        files=[projects.locked("evaluate.py", text)],
        packages=[projects.package(wheels["six"])],
    )
    return projects.plan_of(lock), projects.artifacts(wheels.values(), root, lock)


class Meeting(Silent):
    """Progress that holds a build at its last steps until the other one is there too."""

    def __init__(self, barrier: threading.Barrier) -> None:
        self._barrier = barrier

    def start(self, title: str, total: float | None = None, unit: str = "items") -> Task:  # noqa: ARG002
        return _Meets(self._barrier if title.startswith("building") else None)


class Queueing(Silent):
    """Progress that holds a build at its steps until the other one has told that it waits."""

    def __init__(self, waits: threading.Event) -> None:
        self.notes: list[str] = []
        self._waits = waits

    def note(self, text: str) -> None:
        self.notes.append(text)
        self._waits.set()

    def start(self, title: str, total: float | None = None, unit: str = "items") -> Task:  # noqa: ARG002
        return _Stays(self._waits if title.startswith("building") else None)


class _Stays:
    def __init__(self, waits: threading.Event | None) -> None:
        self._waits = waits

    def advance(self, amount: float = 1, detail: str = "") -> None:  # noqa: ARG002
        if self._waits is not None:
            assert self._waits.wait(300)

    def finish(self, summary: str = "") -> None:
        pass


class _Meets:
    def __init__(self, barrier: threading.Barrier | None) -> None:
        self._barrier = barrier

    def advance(self, amount: float = 1, detail: str = "") -> None:  # noqa: ARG002
        if self._barrier is not None and detail.startswith(("RUN", "COPY --from", "WORKDIR /work")):
            self._barrier.wait(300)

    def finish(self, summary: str = "") -> None:
        pass


@pytest.fixture(autouse=True)
def _nothing_left(engine: DockerEngine) -> Iterator[None]:
    api = engine.client.api

    def all_there() -> tuple[set[str], set[str]]:
        dangling = {item["Id"] for item in api.images(filters={"dangling": True, "label": "dev.repro.stage"})}
        return dangling, {item["Id"] for item in api.containers(all=True, filters={"label": "dev.repro.stage"})}

    before = all_there()
    yield
    for tag in TAGS:
        if engine.image(tag) is not None:
            api.remove_image(tag)
    assert all_there()[0] <= before[0]
    assert all_there()[1] <= before[1]


def build_both(jobs: list[tuple[BuildPlan, Artifacts]], told: Sequence[Meeting | Queueing]) -> tuple[BuiltImage, ...]:
    def one(number: int) -> BuiltImage:
        plan, artifacts = jobs[number]
        return DockerBuilder(find_docker()).build(
            plan, artifacts, tags=[TAGS[number]], progress=told[number], no_cache=True
        )

    with ThreadPoolExecutor(2) as pool:
        return tuple(pool.map(one, range(2)))


def test_two_projects_at_once(
    engine: DockerEngine, base_image: ImageInfo, wheels: dict[str, Path], tmp_path: Path
) -> None:
    jobs = [project(tmp_path / name, wheels, base_image, name.encode()) for name in ("a", "b")]
    barrier = threading.Barrier(2)
    built = build_both(jobs, [Meeting(barrier), Meeting(barrier)])
    for image, tag in zip(built, TAGS, strict=True):
        found = engine.image(tag)
        assert found is not None
        assert found.id == image.id
    assert built[0].id != built[1].id


def test_the_same_lock_at_once_takes_turns(
    engine: DockerEngine, base_image: ImageInfo, wheels: dict[str, Path], tmp_path: Path
) -> None:
    job = project(tmp_path / "a", wheels, base_image, b"same")
    waits = threading.Event()
    told = [Queueing(waits), Queueing(waits)]
    built = build_both([job, job], told)
    assert [engine.image(tag) is not None for tag in TAGS] == [True, True]
    assert all(image.id for image in built)
    assert sorted(len(one.notes) for one in told) == [0, 1]
    assert "waiting for another build of this lock" in [*told[0].notes, *told[1].notes][0]


def test_an_image_without_a_name_that_another_build_made_is_spared(
    engine: DockerEngine, base_image: ImageInfo, wheels: dict[str, Path], tmp_path: Path
) -> None:
    """Finished, with our entry point, and not named yet."""
    plan, artifacts = project(tmp_path / "a", wheels, base_image, b"other")
    api = engine.client.api
    with Leftovers(engine, plan, Made()):
        other = DockerBuilder(engine).build(plan, artifacts, tags=[], progress=Silent(), no_cache=True)
    assert engine.image(other.id) is not None
    api.remove_image(other.id)
