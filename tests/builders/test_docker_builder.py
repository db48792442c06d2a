"""Images built by the real engine."""

import hashlib
import io
import pickle
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from repro_docker import DockerBuilder

from repro.digest import Digest
from repro.engines import DockerEngine, ImageInfo, RunOutcome, RunSpec
from repro.engines.sealed import container
from repro.errors import ExitCode, InfrastructureError, IntegrityError
from repro.plan import Artifacts, BuildPlan, layout
from repro.plan.model import Content, Layer, Unpack
from repro.progress import Silent, Task
from tests.builders import projects

pytestmark = pytest.mark.engine

TAG = "repro-test-builder:1"
FILES = {
    "evaluate.py": b"print(1)\n",
    "data/held out ü.csv": b"a,b\n1,2\n",
    'data/it\'s $HOME "quoted"\n.csv': b"3\n",
    "models/m.bin": bytes(range(256)) * 4000,
}
PACKAGES = ("docutils", "greenlet", "ipykernel", "numpy", "six")
NOT_REQUESTED = "greenlet"
ODD = "a 'b' \"c\" $HOME \\ é\nline two\\"


class Told(Silent):
    """Progress that remembers."""

    def __init__(self) -> None:
        self.details: list[str] = []

    def start(self, title: str, total: float | None = None, unit: str = "items") -> Task:  # noqa: ARG002
        return _Remembers(self.details)


class _Remembers:
    def __init__(self, details: list[str]) -> None:
        self.details = details

    def advance(self, amount: float = 1, detail: str = "") -> None:  # noqa: ARG002
        self.details.append(detail)

    def finish(self, summary: str = "") -> None:
        self.details.append(summary)


class Project:
    """A plan over real wheels, and what it needs."""

    def __init__(self, root: Path, wheels: dict[str, Path], base: ImageInfo) -> None:
        projects.write_files(root, FILES)
        files = [
            projects.locked(name, data, "data" if name.startswith("data") else "model" if "m.bin" in name else "code")
            for name, data in FILES.items()
        ]
        files[0] = replace(files[0], executable=True)
        self.lock = projects.make_lock(
            base,
            projects.package(wheels["installer"]),
            files=files,
            packages=[replace(projects.package(wheels[name]), requested=name != NOT_REQUESTED) for name in PACKAGES],
            runner=[projects.package(wheels["six"])],
            variables={"ODD": ODD},
        )
        self.root = root
        self.plan: BuildPlan = projects.plan_of(self.lock)
        self.artifacts: Artifacts = projects.artifacts(wheels.values(), root, self.lock)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, wheels: dict[str, Path], base_image: ImageInfo) -> Project:
    return Project(tmp_path_factory.mktemp("my project ü"), wheels, base_image)


@pytest.fixture(scope="module")
def image(engine: DockerEngine, project: Project) -> Iterator[ImageInfo]:
    built = DockerBuilder(engine).build(project.plan, project.artifacts, tags=[TAG], progress=Silent())
    found = engine.image(built.id)
    assert found is not None
    assert built.tags == (TAG,)
    yield found
    engine.client.api.remove_image(TAG)


def leftovers(engine: DockerEngine, plan: BuildPlan) -> tuple[set[str], set[str]]:
    """Nameless images that some build of this module made (by their marks), and containers on them."""
    api = engine.client.api
    images = set()
    for item in api.images(filters={"dangling": True}):
        details = engine.image(item["Id"])
        if details is not None and (
            details.entrypoint == plan.config.entrypoint
            or details.labels.get(layout.LABEL_STAGE) == str(plan.lock_digest)
        ):
            images.add(item["Id"])
    containers = api.containers(all=True)
    return images, {item["Id"] for item in containers if item["ImageID"] in images}


@pytest.fixture(autouse=True)
def _nothing_left(engine: DockerEngine, image: ImageInfo, project: Project) -> Iterator[None]:
    yield
    assert leftovers(engine, project.plan) == (set(), set())


def run(engine: DockerEngine, image: ImageInfo, code: str, user: str | None = None) -> RunOutcome:
    return engine.run(RunSpec(image.id, ("-c", code), user=user))


@pytest.mark.parametrize("user", [None, "12345:0", "23456:34567"])
def test_it_works_for_any_user_who_can_write_nothing_but_the_work_places(
    engine: DockerEngine, image: ImageInfo, user: str | None
) -> None:
    code = (
        "import os, sys, numpy, greenlet, six, docutils\n"
        "print(os.getuid(), os.getgid(), sys.prefix, os.getcwd(), sep='|')\n"
        "def writable(top):\n"
        "    return [p for p, d, f in os.walk(top) for n in [p, *(os.path.join(p, x) for x in f)]"
        " if os.access(n, os.W_OK) or not os.access(n, os.R_OK)]\n"
        "print(writable('/opt'), oct(os.stat('/work').st_mode), oct(os.stat('/out').st_mode))\n"
        "open('/work/x', 'w'); open('/out/x', 'w')\n"
        "print({(s.st_uid, s.st_gid) for p, d, f in os.walk('/opt') for n in [*d, *f]"
        " for s in [os.lstat(os.path.join(p, n))]})"
    )
    places = (PurePosixPath("/work"), PurePosixPath("/out"))
    outcome = engine.run(RunSpec(image.id, ("-c", code), user=user, writable=places))
    uid, gid = (user or layout.USER).split(":")
    assert outcome.log.splitlines() == [
        f"{uid}|{gid}|/opt/env|/work",
        "[] 0o41777 0o41777",
        "{(0, 0)}",
    ]


def test_it_is_what_the_plan_says(engine: DockerEngine, image: ImageInfo, project: Project) -> None:
    config = project.plan.config
    assert config.labels.items() <= image.labels.items()
    assert layout.LABEL_STAGE not in image.labels
    assert image.env["ODD"] == ODD
    assert (image.user, image.entrypoint, image.platform) == (config.user, config.entrypoint, project.plan.target)
    files = engine.read_files(image.id, layout.PROJECT)
    assert files == FILES
    assert Digest.of(engine.read_files(image.id, layout.LOCK)[""]) == project.plan.lock_digest


def test_the_installing_package_stays_out(engine: DockerEngine, image: ImageInfo) -> None:
    names = {name.partition("/")[0] for name in engine.read_files(image.id, layout.RUNNER_PACKAGES)}
    assert names == {"__pycache__", "six.py", "six-1.17.0.dist-info"}


def tree(engine: DockerEngine, name: str) -> dict[str, tuple[str, int, str]]:
    """Type, mode and content of everything below /opt/env in a container."""
    chunks, _ = engine.client.api.get_archive(name, "/opt/env")
    found = {}
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isreg() else None
            content = hashlib.sha256(stream.read()).hexdigest() if stream else member.linkname
            found[member.name.removeprefix("env/")] = (str(member.type), member.mode, content)
    return found


def test_the_environment_is_what_pip_would_have_made(
    engine: DockerEngine, image: ImageInfo, base_image: ImageInfo, wheels: dict[str, Path]
) -> None:
    api = engine.client.api
    pip = f"/wheels/{wheels['pip'].name}/pip"
    chosen = " ".join(f"/wheels/{wheels[name].name}" for name in PACKAGES)
    script = (
        "set -e; umask 022; python3.11 -m venv --without-pip /opt/env; "
        f"/opt/env/bin/python -B {pip} install -q --no-index --no-deps --no-compile --no-cache-dir {chosen}"
    )
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path in wheels.values():
            archive.add(path, f"wheels/{path.name}")
    settings = {"user": "0:0", "command": ["sh", "-c", script], "network_disabled": True}
    with (
        container(api, "repro-test-pip", base_image.id, **settings),
        container(api, "repro-test-ours", image.id),
    ):
        api.put_archive("repro-test-pip", "/", packed.getvalue())
        api.start("repro-test-pip")
        assert api.wait("repro-test-pip")["StatusCode"] == 0, api.logs("repro-test-pip")
        theirs, ours = tree(engine, "repro-test-pip"), tree(engine, "repro-test-ours")
    ours_only = set(ours) - set(theirs)
    theirs_only = {name for name in set(theirs) - set(ours) if "/__pycache__" not in name}
    different = {name for name in set(ours) & set(theirs) if ours[name] != theirs[name]}
    assert ours_only == set()
    assert theirs_only == {
        "lib64",  # venv's link for platforms that have both
        "include/python3.11",  # empty
        *(f"bin/{name}" for name in ("Activate.ps1", "activate", "activate.csh", "activate.fish")),
        f"lib/python3.11/site-packages/greenlet-{projects.PINNED[NOT_REQUESTED]}.dist-info/REQUESTED",
        *(name for name in theirs if name.endswith(".dist-info/direct_url.json")),
    }
    assert {name for name in different if not name.endswith((".dist-info/INSTALLER", ".dist-info/RECORD"))} == {
        "pyvenv.cfg",
        "bin/python",  # pip's has whatever path venv was called by
        "bin/python3",
        "bin/python3.11",
        *(f"bin/{name}" for name in ("docutils", "f2py", "numpy-config")),  # launchers of another make
    }
    assert all(ours[name][:2] == theirs[name][:2] for name in different if not name.startswith("bin/python"))


def test_two_builds_have_the_same_layers(engine: DockerEngine, image: ImageInfo, project: Project) -> None:
    told = Told()
    builder = DockerBuilder(engine)
    again = builder.build(project.plan, project.artifacts, tags=["repro-test-again:1"], progress=told, no_cache=True)
    found = engine.image(again.id)
    engine.client.api.remove_image("repro-test-again:1")
    assert found is not None
    assert found.diff_ids == image.diff_ids
    assert any(detail.startswith("RUN ") for detail in told.details)


def test_the_same_plan_again_is_the_same_image(engine: DockerEngine, image: ImageInfo, project: Project) -> None:
    built = DockerBuilder(engine).build(project.plan, project.artifacts, tags=[TAG], progress=Silent())
    assert built.id == image.id


def expect_failure(
    engine: DockerEngine, plan: BuildPlan, artifacts: Artifacts, kind: type[IntegrityError | InfrastructureError]
) -> IntegrityError | InfrastructureError:
    with pytest.raises(kind) as caught:
        DockerBuilder(engine).build(plan, artifacts, tags=["repro-test-never:1"], progress=Silent())
    assert engine.image("repro-test-never:1") is None
    return caught.value


def test_another_python_in_the_base_is_found(engine: DockerEngine, project: Project) -> None:
    plan = replace(project.plan, base=replace(project.plan.base, python="3.11.99"))
    error = expect_failure(engine, plan, project.artifacts, IntegrityError)
    assert "wants Python 3.11.99" in error.what
    assert f"is Python {project.plan.python_version}" in error.what
    assert error.exit_code == ExitCode.TAMPERED


def test_no_python_where_it_should_be(engine: DockerEngine, project: Project) -> None:
    plan = replace(project.plan, python=PurePosixPath("/usr/bin/python3.99"))
    error = expect_failure(engine, plan, project.artifacts, IntegrityError)
    assert "/usr/bin/python3.99" in error.what


def test_a_wheel_with_other_bytes_stops_the_build(engine: DockerEngine, project: Project, tmp_path: Path) -> None:
    (wheel,) = (path for path in project.artifacts.values() if path.name.startswith("six-"))
    changed = tmp_path / wheel.name
    data = bytearray(wheel.read_bytes())
    data[100] ^= 1
    changed.write_bytes(data)
    error = expect_failure(engine, project.plan, {**project.artifacts, Digest.of_file(wheel): changed}, IntegrityError)
    assert error.where == wheel.name


def test_a_failing_step_in_the_final_stage_leaves_nothing(engine: DockerEngine, project: Project) -> None:
    config = replace(project.plan.config, workdir="/etc/passwd")
    error = expect_failure(engine, replace(project.plan, config=config), project.artifacts, InfrastructureError)
    assert "build the image" in error.what
    assert "WORKDIR" in error.details


def test_a_base_that_is_not_here(engine: DockerEngine, project: Project) -> None:
    base = replace(project.plan.base, digest=Digest("0" * 64))
    error = expect_failure(engine, replace(project.plan, base=base), project.artifacts, InfrastructureError)
    assert base.reference in error.what
    assert f"the image that is called so here is {project.plan.base.digest}" in error.what
    assert "docker load" in (error.fix or "")


def test_a_registry_that_does_not_answer(engine: DockerEngine, project: Project) -> None:
    base = replace(project.plan.base, reference="127.0.0.1:1/no/such:1", source="registry")
    error = expect_failure(engine, replace(project.plan, base=base), project.artifacts, InfrastructureError)
    assert f"127.0.0.1:1/no/such:1@{base.digest}" in error.what
    assert "can't be pulled" in error.what


def test_a_packed_interpreter_is_unpacked_as_it_is(engine: DockerEngine, project: Project, tmp_path: Path) -> None:
    """A stand-in for one: a launcher of the base's Python below /opt/python."""
    packed = tmp_path / "python.tar"
    with tarfile.open(packed, "w") as archive:
        script = f'#!/bin/sh\nexec {project.plan.python} "$@"\n'.encode()
        for name, data, mode in (("opt/python/bin/python3.11", script, 0o755), ("opt/python/secret", b"x", 0o640)):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), mode
            archive.addfile(info, io.BytesIO(data))
    content = Content(Digest.of_file(packed), packed.stat().st_size, "python.tar")
    layers = (Layer("interpreter", "Python", (Unpack(content),)), *project.plan.layers)
    plan = replace(project.plan, layers=layers, python=layout.PYTHON / "bin" / "python3.11")
    built = DockerBuilder(engine).build(
        plan, {**project.artifacts, content.sha256: packed}, tags=["repro-test-packed:1"], progress=Silent()
    )
    found = engine.image(built.id)
    assert found is not None
    outcome = run(engine, found, "import os; print(oct(os.stat('/opt/python/secret').st_mode))")
    engine.client.api.remove_image("repro-test-packed:1")
    assert outcome.log == "0o100640"


@pytest.mark.parametrize("moment", ["RUN ", "COPY --from=install", 'COPY ["layers/model', "LABEL org."])
def test_ctrl_c_leaves_nothing(engine: DockerEngine, project: Project, tmp_path: Path, moment: str) -> None:
    """When the step that begins so is announced."""
    script, job = tmp_path / "build.py", tmp_path / "job.pickle"
    script.write_text(INTERRUPTED)
    job.write_bytes(pickle.dumps((project.plan, project.artifacts)))
    command = [sys.executable, str(script), str(job), moment]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=300)
    assert line == "now\n", errors
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert engine.image("repro-test-interrupted:1") is None


INTERRUPTED = """
import pickle, sys, time
from pathlib import Path
from repro.progress import Silent
from repro_docker import DockerBuilder

class Told(Silent):
    def start(self, title, total=None, unit="items"):
        class Task:
            def advance(self, amount=1, detail=""):
                if detail.startswith(sys.argv[2]):
                    print("now", flush=True)
                    time.sleep(600)  # until Ctrl-C comes: the engine goes on, as when that comes later
            def finish(self, summary=""):
                pass
        return Task()

plan, artifacts = pickle.loads(Path(sys.argv[1]).read_bytes())
DockerBuilder().build(plan, artifacts, tags=["repro-test-interrupted:1"], progress=Told(), no_cache=True)
"""
