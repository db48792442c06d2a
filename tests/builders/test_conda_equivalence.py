"""A conda environment with a pip package on top, by both builders: one tree, which runs, the same from anywhere."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from repro_docker import DockerBuilder
from repro_oci.builder import OciBuilder
from repro_oci.image import AssembledImage

from repro.build.system import with_plain_layers
from repro.digest import Digest
from repro.engines import DockerEngine, ImageInfo, RunSpec
from repro.engines.bubblewrap import find_bubblewrap
from repro.lock import CondaPatch, ImageOptions, Lock, Python, render_body
from repro.oci.image import Image
from repro.oci.write_layout import write_layout
from repro.plan import Artifacts, BuildPlan, make_plan
from repro.progress import Silent
from repro.store import ObjectStore
from repro.transfer.load import load
from tests.builders import projects
from tests.builders.test_equivalence import exported
from tests.conda.channel_locks import locked
from tests.conda_channel.interpreter import VERSION
from tests.conda_channel.shared import Channels
from tests.repro_oci.forged import Stock

pytestmark = pytest.mark.engine

NAMES = ("python", "numpy", "libdemo", "packaging", "pygments", "bz2demo", "postlinked", "emptydir")
EDITED = b"data = /opt/env/share/elsewhere\n"
MODULES = {
    "python": ("encodings", "json", "json.decoder"),
    "conda:numpy": ("numpy", "numpy.linalg"),
    "conda:packaging": ("packaging",),
    "six": ("six",),
}
CHECK = """\
import json, os, subprocess, sys
import packaging, numpy, six
programs = [["/opt/env/bin/" + name, "-V"] for name in ("python", "pygmentize")]
said = [subprocess.run(program, capture_output=True, text=True).stdout.split()[0] for program in programs]
print(json.dumps([sys.prefix, numpy.linalg.det(numpy.eye(3)), os.path.exists(packaging.__cached__), *said]))
"""


@dataclass(frozen=True)
class Case:
    """A plan, the local files for it, and its base."""

    lock: Lock
    plan: BuildPlan
    artifacts: Artifacts
    base: Image


def archive_of(channel: Path, name: str) -> Path:
    """The channel's package of that name for this platform."""
    return next(path for folder in ("linux-64", "noarch") for path in (channel / folder).glob(f"{name}-[0-9]*.*"))


@pytest.fixture(scope="module")
def case(
    engine: DockerEngine,
    base_image: ImageInfo,
    wheels: dict[str, Path],
    conda_channel: Channels,
    tmp_path_factory: pytest.TempPathFactory,
) -> Case:
    home = tmp_path_factory.mktemp("conda-case")
    (home / "libdemo.conf").write_bytes(EDITED)
    found = [archive_of(conda_channel.main, name) for name in NAMES]
    edit = CondaPatch("etc/libdemo.conf", Digest.of(EDITED), len(EDITED))
    changes: dict[str, dict[str, object]] = {
        "libdemo": {"patched": (edit,), "without": ("etc/conda/", "lib/libdemo.bin.1")},
        "postlinked": {"scripts": "run"},
    }
    lock = projects.make_lock(
        base_image, projects.package(wheels["installer"]), packages=[projects.package(wheels["six"])]
    )
    lock = replace(
        lock,
        python=Python("cpython", VERSION, "conda"),
        conda=tuple(locked(path, **changes.get(name, {})) for name, path in zip(NAMES, found, strict=True)),
        image=ImageOptions(bytecode="used"),
        modules=MODULES,
    )
    plan = make_plan(lock, render_body(lock), projects.SOURCES)
    plan = replace(plan, config=replace(plan.config, entrypoint=("/opt/env/bin/python", "-I")))
    files = {**projects.artifacts([*wheels.values(), *found]), edit.sha256: home / "libdemo.conf"}
    base = projects.base_of(plan, engine)
    return Case(lock, plan, files, base)


@pytest.fixture(scope="module")
def image(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Image:
    builder = OciBuilder(tmp_path_factory.mktemp("conda-oci"))
    return builder.assemble(case.plan, case.base, Stock(case.artifacts), progress=Silent())


@pytest.fixture(scope="module")
def docker_tag(engine: DockerEngine, case: Case, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = ObjectStore(tmp_path_factory.mktemp("conda-tars"), durable=False)
    plan, tars = with_plain_layers(case.plan, Stock(case.artifacts), lambda: case.base, store)
    tag = f"repro-test-conda:docker-{uuid.uuid4().hex[:8]}"
    DockerBuilder(engine).build(plan, {**case.artifacts, **tars}, tags=[tag], progress=Silent())
    yield tag
    engine.client.api.remove_image(tag)


def test_both_builders_make_the_same_tree(engine: DockerEngine, image: Image, docker_tag: str) -> None:
    tag = f"repro-test-conda:oci-{uuid.uuid4().hex[:8]}"
    load(engine, image, tags=[tag], progress=Silent())
    try:
        docker, oci = exported(engine, docker_tag), exported(engine, tag)
    finally:
        engine.client.api.remove_image(tag)
    assert docker.keys() == oci.keys()
    assert not [path for path in oci if oci[path] != docker[path]]
    site = "opt/env/lib/python3.11"
    assert f"{site}/json/__pycache__/decoder.cpython-311.pyc" in oci
    assert f"{site}/site-packages/numpy/linalg/__pycache__/__init__.cpython-311.pyc" in oci
    assert f"{site}/site-packages/packaging/__pycache__/__init__.cpython-311.pyc" in oci
    assert f"{site}/site-packages/packaging/__pycache__/tags.cpython-311.pyc" not in oci
    assert f"{site}/site-packages/six.py" in oci
    assert "opt/env/lib/libdemo.bin.1" not in oci
    assert "opt/env/conda-meta/history" in oci
    assert "opt/env/postlinked-was-here" in oci
    assert "opt/env/pyvenv.cfg" not in oci


def test_it_runs_without_an_engine_too(image: Image, tmp_path: Path) -> None:
    write_layout([image], tmp_path / "image", references=["latest"])
    engine = find_bubblewrap("tests", start=tmp_path)
    found = engine.image(f"oci:{tmp_path / 'image'}")
    assert found is not None
    done = engine.run(RunSpec(found.id, ("-c", CHECK)))
    assert done.exit_code == 0, done.log
    assert json.loads(done.log) == ["/opt/env", 1.0, True, "Python", "Pygments"]


def test_the_same_digest_comes_out_again_by_other_processes_in_another_order(
    case: Case, image: Image, tmp_path: Path
) -> None:
    lock = replace(case.lock, conda=tuple(reversed(case.lock.conda)))
    plan = make_plan(lock, render_body(case.lock), projects.SOURCES)
    plan = replace(plan, config=case.plan.config)
    again = OciBuilder(tmp_path, workers=1).assemble(plan, case.base, Stock(case.artifacts), progress=Silent())
    assert isinstance(again, AssembledImage)
    assert isinstance(image, AssembledImage)
    assert [(name, layer.blob) for name, layer in zip(again.names, again.own, strict=True)] == [
        (name, layer.blob) for name, layer in zip(image.names, image.own, strict=True)
    ]
    assert again.manifest == image.manifest
