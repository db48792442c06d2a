"""A lock that was edited contradicts the images that it predicts."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from repro_oci.config import MadeLayer, image_config
from repro_oci.keys import FORMAT

from repro.differ.check import check
from repro.differ.check.foretold import foretold_findings
from repro.differ.tree import TreeOptions
from repro.digest import Digest
from repro.lock import Base, Lock, PredictedImage, PredictedLayer, parse_lock, render_body, render_lock
from repro.oci.image import LAYER, Descriptor
from repro.oci.sources import SourceImage
from repro.plan import make_plan, runner_sources
from repro.progress import Silent
from repro.store import ObjectStore, artifact_cache
from tests.differ import projects
from tests.lock.samples import package

TARGET = "linux/amd64"
DIFF = Digest.of(b"layer of the base")
CONFIG = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [str(DIFF)]}}
BASE = json.dumps(CONFIG).encode()


def predicted() -> Lock:
    """A lock with the prediction that a capture would have written."""
    base = Base("base:1", Digest.of(BASE), "engine", "3.11.2", "/usr/bin/python3.11", "2.36")
    python = replace(projects.lock().python, version="3.11.2")
    runner = replace(projects.lock().runner, packages=(package("installer"),))
    lock = parse_lock(render_body(replace(projects.lock(), base=base, python=python, runner=runner)))
    plan = make_plan(lock, render_body(lock), runner_sources(), TARGET)
    made = [
        MadeLayer(one.name, one.comment, Digest.of(one.name.encode()), Descriptor(LAYER, DIFF, 1))
        for one in plan.layers
    ]
    on = SourceImage(b"", BASE, (), (DIFF,), TARGET, lambda layer: pytest.fail(f"opened {layer}"))
    layers = tuple(PredictedLayer(one.name, one.diff_id, None, None) for one in made)
    config = Digest.of(image_config(plan, on, made))
    return replace(lock, predicted=(PredictedImage(TARGET, FORMAT, config, None, layers),))


@pytest.fixture
def cache(tmp_path: Path) -> ObjectStore:
    store = ObjectStore(tmp_path / "cache")
    store.add_bytes(BASE)
    return store


def problems(lock: Lock, cache: ObjectStore) -> list[str]:
    return [one.what for one in foretold_findings(lock, render_body(lock), cache)]


def test_what_capture_wrote_agrees(cache: ObjectStore) -> None:
    assert problems(predicted(), cache) == []


def test_an_edited_metric_shows(cache: ObjectStore) -> None:
    lock = predicted()
    better = replace(lock.metrics[0], value=0.99)
    (problem,) = problems(replace(lock, metrics=(better,)), cache)
    assert "was edited" in problem


def test_an_edited_prediction_shows(cache: ObjectStore) -> None:
    lock = predicted()
    image = lock.predicted[0]
    assert problems(replace(lock, predicted=(replace(image, config=Digest.of(b"other")),)), cache)
    assert problems(replace(lock, predicted=(replace(image, layers=image.layers[1:]),)), cache)


def test_nothing_is_claimed_where_it_cannot_be_told(cache: ObjectStore, tmp_path: Path) -> None:
    lock = predicted()
    edited = replace(lock, metrics=(replace(lock.metrics[0], value=0.99),))
    assert problems(edited, ObjectStore(tmp_path / "empty")) == []
    assert problems(replace(edited, runner=replace(lock.runner, sha256=Digest.of(b"x"))), cache) == []
    other = replace(edited.predicted[0], format=FORMAT + 1)
    assert problems(replace(edited, predicted=(other,)), cache) == []


def test_a_check_says_that_the_lock_was_edited(tmp_path: Path) -> None:
    artifact_cache().add_bytes(BASE)
    lock = predicted()
    path = projects.write(tmp_path, lock)
    options = TreeOptions(surroundings=False, environ={"PATH": ""})
    assert not check(path, options, Silent()).edited
    path.write_bytes(render_lock(lock).replace(b"value = 0.1", b"value = 0.2"))
    assert check(path, options, Silent()).edited
