"""From a plan to an image: every layer by what it is made from, the same bytes each time, and nothing made twice."""

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from repro_oci.builder import OciBuilder

from repro.digest import Digest
from repro.errors import IntegrityError
from repro.lock import ImageOptions, PredictedImage, render_body
from repro.oci.image import Image
from repro.oci.streams import open_plain
from repro.plan import BuildPlan, make_plan
from repro.progress import Silent, Task
from tests.builders import projects
from tests.repro_oci import forged

FILES = {"evaluate.py": b"print(1)\n", "data/x.csv": b"a,b\n1,2\n", "run.sh": b"#!/bin/sh\n"}
NUMPY, SIX = "numpy", "six"


class Told(Silent):
    """Keeps what it is told at the end of each task."""

    def __init__(self) -> None:
        self.summaries: list[str] = []

    def start(self, title: str, total: float | None = None, unit: str = "items") -> Task:  # noqa: ARG002 - as in Progress
        return self

    def advance(self, amount: float = 1, detail: str = "") -> None:
        """As in Task."""

    def finish(self, summary: str = "") -> None:
        self.summaries.append(summary)


class Project:
    """A project over real wheels, its supplies, and a base in memory."""

    def __init__(self, home: Path, wheels: dict[str, Path], options: ImageOptions | None = None) -> None:
        self.root = home / "project"
        self.cache = home / "cache"
        self.base = forged.base()
        projects.write_files(self.root, FILES)
        lock = projects.make_lock(
            projects.NO_IMAGE,
            projects.package(wheels["installer"]),
            files=[
                projects.locked(name, data, "data" if "data" in name else "code", executable=name == "run.sh")
                for name, data in FILES.items()
            ],
            packages=[projects.package(wheels[name]) for name in (NUMPY, SIX, "greenlet")],
        )
        self.lock = replace(lock, image=options or ImageOptions(bytecode="none"))
        found = {Digest.of_file(path): path for path in wheels.values()}
        self.stock = forged.Stock({**found, **{file.sha256: self.root / file.path for file in lock.files}})

    @property
    def plan(self) -> BuildPlan:
        return make_plan(self.lock, render_body(self.lock), projects.SOURCES)

    def change(self, code: bytes) -> None:
        projects.write_files(self.root, {"evaluate.py": code})
        files = (file if file.path != "evaluate.py" else projects.locked(file.path, code) for file in self.lock.files)
        self.lock = replace(self.lock, files=tuple(files))
        self.stock = forged.Stock({**self.stock.files, Digest.of(code): self.root / "evaluate.py"})

    def make(self, *, cache: Path | None = None, workers: int = 1, **options: object) -> Image:
        builder = OciBuilder(cache or self.cache, workers)
        return builder.assemble(self.plan, self.base, self.stock, **{"progress": Silent(), **options})  # type: ignore[arg-type]

    def predict(self) -> PredictedImage:
        return OciBuilder(self.cache, 1).predict(self.plan, self.base, self.stock, progress=Silent())


@pytest.fixture
def project(tmp_path: Path, wheels: dict[str, Path]) -> Project:
    return Project(tmp_path, wheels)


def members(image: Image, number: int) -> dict[str, tarfile.TarInfo]:
    with open_plain(image, number) as stream, tarfile.open(fileobj=io.BytesIO(stream.read())) as archive:
        return {member.name: member for member in archive}


def test_the_same_plan_gives_the_same_bytes_in_any_place_with_any_number_of_workers(
    project: Project, tmp_path: Path
) -> None:
    first, second = project.make(workers=2), project.make(cache=tmp_path / "other")
    assert first.manifest == second.manifest
    assert first.config == second.config


def test_every_layer_is_on_top_of_the_base_in_the_plans_order(project: Project) -> None:
    image = project.make()
    assert image.diff_ids[: len(project.base.diff_ids)] == project.base.diff_ids
    assert len(image.diff_ids) == len(image.layers) == len(project.base.layers) + len(project.plan.layers)
    assert image.platform == "linux/amd64"


def test_layers_hold_what_the_plan_names_and_belong_to_root(project: Project) -> None:
    image = project.make()
    names = [layer.name for layer in project.plan.layers]
    numpy = members(image, len(project.base.layers) + names.index("wheel-numpy"))
    assert "opt/env/lib/python3.11/site-packages/numpy/__init__.py" in numpy
    assert numpy["opt/env/bin/f2py"].mode == 0o755
    code = members(image, len(project.base.layers) + names.index("code"))
    assert {name: member.mode for name, member in code.items() if member.isfile()} == {
        "opt/project/evaluate.py": 0o644,
        "opt/project/run.sh": 0o755,
    }
    places = members(image, len(project.base.layers) + names.index("environment"))
    assert (places["work"].mode, places["out"].mode) == (0o1777, 0o1777)
    assert places["opt/env/bin/python"].linkname == "/usr/bin/python3.11"
    for member in (*numpy.values(), *code.values(), *places.values()):
        assert (member.uid, member.gid, member.uname, member.mtime) == (0, 0, "", 315532800)


def test_a_second_build_asks_for_nothing(project: Project) -> None:
    project.make()
    project.stock.asked.clear()
    project.make()
    assert project.stock.asked == []


def test_a_changed_file_makes_its_layer_and_the_metadata_anew(project: Project) -> None:
    before = project.make().diff_ids
    changed = b"print(2)\n"
    project.change(changed)
    after = project.make().diff_ids
    names = [layer.name for layer in project.plan.layers]
    assert [names[at - 1] for at in range(1, len(after)) if before[at] != after[at]] == ["code", "metadata"]
    assert Digest.of(changed) in project.stock.asked
    assert projects.package  # the wheels were not asked for again
    assert not {file.sha256 for package in project.lock.packages for file in package.files} & set(project.stock.asked)


def test_what_was_made_and_what_was_there_is_told_apart(project: Project) -> None:
    told = Told()
    project.make(progress=told)
    project.make(progress=told)
    project.change(b"print(2)\n")
    project.make(progress=told)
    layers = len(project.plan.layers)
    assert told.summaries == [f"assembled {layers} layers", f"assembled 2 layers, took {layers - 2} from the cache"]


def test_no_cache_makes_everything_again(project: Project) -> None:
    first = project.make()
    project.stock.asked.clear()
    assert project.make(no_cache=True).manifest == first.manifest
    assert project.stock.asked


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "tar"])
def test_the_encoding_changes_blobs_but_neither_files_nor_image_id(
    project: Project, tmp_path: Path, wheels: dict[str, Path], encoding: str
) -> None:
    other = Project(tmp_path / "other", wheels)
    plan = replace(project.plan, encoding=encoding)  # type: ignore[arg-type]
    first = project.make()
    second = OciBuilder(other.cache, 1).assemble(plan, project.base, project.stock, progress=Silent())
    assert first.config == second.config
    assert {layer.digest for layer in first.layers[1:]}.isdisjoint(layer.digest for layer in second.layers[1:])
    for number in range(len(first.layers)):
        with open_plain(second, number) as stream:
            assert Digest.of(stream.read()) == first.diff_ids[number]


def test_a_file_that_changed_meanwhile_is_refused_and_leaves_no_layer(project: Project) -> None:
    projects.write_files(project.root, {"evaluate.py": b"print(9)\n"})
    with pytest.raises(IntegrityError, match=r"evaluate\.py"):
        project.make()
    projects.write_files(project.root, FILES)
    project.make()


def test_a_directory_where_the_base_has_a_link_is_refused(project: Project) -> None:
    project.base = forged.base({"real": None, "opt": "real"})
    with pytest.raises(IntegrityError) as caught:
        project.make()
    assert "/opt from" in caught.value.problems[0]
    with pytest.raises(IntegrityError):  # also where every layer is in the cache by now
        project.make()


def test_a_prediction_is_proved(project: Project) -> None:
    predicted = project.predict()
    image = project.make(predicted=predicted)
    assert predicted.manifest == Digest.of(image.manifest)
    assert predicted.config == Digest.of(image.config)
    assert [layer.name for layer in predicted.layers] == [layer.name for layer in project.plan.layers]


def test_a_prediction_that_does_not_come_true_names_the_layer(project: Project) -> None:
    predicted = project.predict()
    layers = [replace(one, diff_id=Digest.of(b"x")) if one.name == "code" else one for one in predicted.layers]
    for trust in (False, True):
        with pytest.raises(IntegrityError, match="not the one that the lock predicts") as caught:
            project.make(predicted=replace(predicted, layers=tuple(layers)), trust=trust)
        (problem,) = caught.value.problems
        assert problem.startswith(f"layer code, files: predicted {Digest.of(b'x')}, made sha256:")


def forged_diff_id(predicted: PredictedImage, name: str) -> PredictedImage:
    layers = [replace(one, diff_id=Digest.of(b"x")) if one.name == name else one for one in predicted.layers]
    return replace(predicted, layers=tuple(layers))


def test_a_predicted_layer_is_not_unpacked_and_the_same(project: Project, tmp_path: Path) -> None:
    predicted = project.predict()
    fast, slow = tmp_path / "fast", tmp_path / "slow"
    image = project.make(cache=fast, predicted=predicted, workers=2)
    assert image.manifest == project.make(cache=slow, predicted=predicted, no_cache=True).manifest
    assert records(fast) == {True}
    assert records(slow) == {False}
    project.stock.asked.clear()
    project.make(cache=fast, predicted=predicted)
    assert project.stock.asked == []


def records(cache: Path) -> set[bool]:
    """Whether the layers of a cache were left unread."""
    return {json.loads(path.read_bytes())["unread"] for path in (cache / "layers").glob("records/*/*.json")}


def test_what_was_only_predicted_is_no_source_of_predictions(project: Project, tmp_path: Path) -> None:
    predicted = project.predict()
    cache = tmp_path / "fast"
    project.make(cache=cache, predicted=predicted)
    project.stock.asked.clear()
    assert OciBuilder(cache, 1).predict(project.plan, project.base, project.stock, progress=Silent()) == predicted
    assert project.stock.asked
    assert records(cache) == {False}


def test_a_forged_diff_id_is_found_out_and_stays_in_nobodys_cache(project: Project, tmp_path: Path) -> None:
    predicted = project.predict()
    with pytest.raises(IntegrityError, match="not the one that the lock predicts") as caught:
        project.make(cache=tmp_path / "fast", predicted=forged_diff_id(predicted, "wheel-numpy"))
    (problem,) = caught.value.problems
    assert problem.startswith(f"layer wheel-numpy, files: predicted {Digest.of(b'x')}, made sha256:")
    assert project.make(cache=tmp_path / "fast", predicted=predicted).manifest == project.make().manifest


def test_a_prediction_of_another_format_is_not_compared_but_refused(project: Project) -> None:
    predicted = replace(project.predict(), format=99)
    with pytest.raises(IntegrityError, match="format 99"):
        project.make(predicted=predicted)


def test_a_trusted_image_is_made_when_a_layer_is_opened_and_not_before(project: Project, tmp_path: Path) -> None:
    predicted = project.predict()
    project.stock.asked.clear()
    image = project.make(cache=tmp_path / "empty", predicted=predicted, trust=True)
    assert Digest.of(image.manifest) == predicted.manifest
    assert project.stock.asked == []
    with image.open_layer(1) as stream:
        assert Digest.of(stream.read()) == image.layers[1].digest
    assert project.stock.asked


def test_two_makings_from_nothing_are_compared(project: Project) -> None:
    digest = OciBuilder(project.cache, 2).check_reproducible(
        project.plan, project.base, project.stock, progress=Silent()
    )
    assert digest == Digest.of(project.make().manifest)
