"""Conda's packages for builders that can't link them: tars of what the assembler would have made."""

import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from repro_docker import DockerBuilder

from repro.build.system import with_plain_layers
from repro.digest import Digest
from repro.lock import Python, render_body
from repro.oci.image import Image
from repro.plan import Artifacts, BuildPlan, Unpack, make_plan
from repro.store import ObjectStore
from tests.builders import projects
from tests.conda.forged_packages import Forged, Item
from tests.lock.samples import conda_package
from tests.repro_oci.forged import Stock


@pytest.fixture
def artifacts(tmp_path: Path, wheels: dict[str, Path]) -> Artifacts:
    index = {"name": "python", "version": "3.11.4", "build": "h1_0_cpython"}
    python = Forged((Item("bin/python3.11", b"\x7fELF", 0o755),), index=index).write(tmp_path, "python.conda")
    demo = Forged((Item("share/demo", b"1\n"),)).write(tmp_path)
    return projects.artifacts([*wheels.values(), python, demo])


@pytest.fixture
def plan(artifacts: Artifacts, wheels: dict[str, Path]) -> BuildPlan:
    digests = {path.name: digest for digest, path in artifacts.items()}
    lock = projects.make_lock(projects.NO_IMAGE, projects.package(wheels["installer"]))
    lock = replace(
        lock,
        python=Python("cpython", "3.11.2", "conda"),
        policy=replace(lock.policy, allow_patch_drift=True),
        conda=(
            conda_package("python", "3.11.4", "h1_0_cpython", sha256=digests["python.conda"]),
            conda_package("demo", "1.0", "h0_0", sha256=digests["demo-1.0-h0_0.conda"]),
        ),
    )
    return make_plan(lock, render_body(lock), projects.SOURCES)


def no_base() -> Image:
    pytest.fail("conda's packages don't depend on the base")


def test_layers_of_conda_packages_become_tars(plan: BuildPlan, artifacts: Artifacts, tmp_path: Path) -> None:
    made, tars = with_plain_layers(plan, Stock(artifacts), no_base, ObjectStore(tmp_path / "cache"))
    assert [layer.name for layer in made.layers] == [layer.name for layer in plan.layers]
    names = {}
    for layer in made.layers:
        for item in layer.items:
            if isinstance(item, Unpack):
                with tarfile.open(tars[item.content.sha256]) as archive:
                    names[layer.name] = [name for name in archive.getnames() if name.count("/") > 2]
    bucket = next(name for name in names if name.startswith("condas-"))
    assert names == {
        "interpreter": ["opt/env/bin/python3.11", "opt/env/conda-meta/python-3.11.4-h1_0_cpython.json"],
        bucket: ["opt/env/conda-meta/demo-1.0-h0_0.json", "opt/env/share/demo"],
    }
    assert all(Digest.of_file(path) == digest for digest, path in tars.items())


def test_the_image_has_the_version_of_condas_python(plan: BuildPlan, artifacts: Artifacts, tmp_path: Path) -> None:
    made, _ = with_plain_layers(plan, Stock(artifacts), no_base, ObjectStore(tmp_path / "cache"))
    assert (plan.python_version, made.python_version) == ("3.11.2", "3.11.4")


def test_a_recipe_for_building_by_hand_adds_the_tars(plan: BuildPlan, artifacts: Artifacts, tmp_path: Path) -> None:
    made, tars = with_plain_layers(plan, Stock(artifacts), no_base, ObjectStore(tmp_path / "cache"))
    path = DockerBuilder().export(made, {**artifacts, **tars}, tmp_path / "recipe")
    text = path.read_text(encoding="utf-8")
    for digest in tars:
        assert f'ADD ["unpack/{digest.hex}.tar", "/"]' in text
        assert Digest.of_file(tmp_path / "recipe" / "unpack" / f"{digest.hex}.tar") == digest
    assert '"/opt/env/bin/python3.11", "-I", "-S", "-B"' in text
