"""The assembler and the Docker builder make the same file tree of the same plan, but for what is listed here."""

import hashlib
import tarfile
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from repro_docker import DockerBuilder
from repro_oci.builder import OciBuilder

from repro.engines import DockerEngine, ImageInfo
from repro.engines.archive import open_archive
from repro.lock import ImageOptions, render_body
from repro.plan import BuildPlan, make_plan
from repro.progress import Silent
from repro.transfer.load import load
from tests.builders import projects
from tests.repro_oci.forged import Stock

pytestmark = pytest.mark.engine

FILES = {"evaluate.py": b"print(1)\n", "bin/run": b"#!/bin/sh\n", "data/ü 1.csv": b"a\n1\n"}
ALLOWED: dict[str, str] = {}
"""Path → why the two builders may differ there. There is none."""

Facts = tuple[bytes, int, int, int, str, str]


@pytest.fixture(scope="module")
def plan(base_image: ImageInfo, wheels: dict[str, Path]) -> BuildPlan:
    lock = projects.make_lock(
        base_image,
        projects.package(wheels["installer"]),
        files=[projects.locked(name, data, executable=name == "bin/run") for name, data in FILES.items()],
        packages=[projects.package(wheels[name]) for name in ("numpy", "greenlet", "docutils", "ipykernel", "pip")],
        runner=[projects.package(wheels["six"])],
        variables={"NAME": "Zoë\nsecond line"},
    )
    modules = {"numpy": ("numpy", "numpy.linalg", "numpy._core.numeric"), "docutils": ("docutils", "docutils.nodes")}
    lock = replace(lock, image=ImageOptions(bytecode="used"), modules=modules)
    return make_plan(lock, render_body(lock), projects.SOURCES)


@pytest.fixture(scope="module")
def trees(
    engine: DockerEngine,
    plan: BuildPlan,
    wheels: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[dict[str, Facts], dict[str, Facts]]]:
    """What is in the image of each builder."""
    home = tmp_path_factory.mktemp("equivalence")
    projects.write_files(home, FILES)
    artifacts = {
        **projects.artifacts(wheels.values()),
        **{projects.locked(name, data).sha256: home / name for name, data in FILES.items()},
    }
    tags = [f"repro-test-equal:{name}-{uuid.uuid4().hex[:8]}" for name in ("docker", "oci")]
    DockerBuilder(engine).build(plan, artifacts, tags=tags[:1], progress=Silent())
    base = projects.base_of(plan, engine)
    image = OciBuilder(home / "cache").assemble(plan, base, Stock(artifacts), progress=Silent())
    load(engine, image, tags=tags[1:], progress=Silent())
    try:
        yield exported(engine, tags[0]), exported(engine, tags[1])
    finally:
        for tag in tags:
            engine.client.api.remove_image(tag)


def exported(engine: DockerEngine, tag: str) -> dict[str, Facts]:
    """Kind, mode, owner, group, link and content of every path of an image."""
    api = engine.client.api
    container = api.create_container(tag, command=["-"])["Id"]
    try:
        with open_archive(api.export(container)) as archive:
            return {member.name.rstrip("/"): _facts(archive, member) for member in archive}
    finally:
        api.remove_container(container)


def _facts(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Facts:
    stream = archive.extractfile(member) if member.isreg() else None
    content = hashlib.sha256(stream.read()).hexdigest() if stream else ""
    return member.type, member.mode & 0o7777, member.uid, member.gid, member.linkname, content


def test_both_trees_are_equal(trees: tuple[dict[str, Facts], dict[str, Facts]]) -> None:
    docker, oci = trees
    assert len(oci) > 5000
    assert sorted(set(docker) ^ set(oci)) == sorted(path for path in ALLOWED if path in set(docker) ^ set(oci))
    differing = {path: (docker[path], oci[path]) for path in docker if path in oci and docker[path] != oci[path]}
    assert set(differing) <= set(ALLOWED), list(differing.items())[:5]


def test_the_layers_above_the_base_have_what_the_plan_names(trees: tuple[dict[str, Facts], dict[str, Facts]]) -> None:
    _, oci = trees
    site = "opt/env/lib/python3.11/site-packages"
    assert f"{site}/numpy/__pycache__/__init__.cpython-311.pyc" in oci
    assert f"{site}/numpy/linalg/__pycache__/__init__.cpython-311.pyc" in oci
    assert f"{site}/numpy/testing/__pycache__/__init__.cpython-311.pyc" not in oci
    assert oci["opt/project/bin/run"][1] == 0o755
    assert oci["opt/env/bin/f2py"][1] == 0o755
    assert oci["work"][1] == 0o1777
