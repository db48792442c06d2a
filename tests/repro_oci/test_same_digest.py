"""Same lock, same digest: whoever builds, wherever, with whatever settings, however often it was interrupted."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from repro import flock
from repro.digest import Digest
from repro.lock import ImageOptions, LockedFile, render_lock
from repro.oci.write_layout import write_layout
from repro.store import ObjectStore
from tests.builders import projects
from tests.repro_oci import forged

FILES = {"evaluate.py": b"print(1)\n", "data/ü 1.csv": b"a,b\n1,2\n", "model.bin": bytes(9_000_000)}
UNSHARE = ["unshare", "--user", "--map-user=4711", "--map-group=4711"] if shutil.which("unshare") else []
OTHERS = ("3.12", "3.13")


@dataclass(frozen=True)
class Place:
    """A project, a base and a cache of downloads below one directory."""

    home: Path

    def build(
        self,
        *,
        python: Sequence[str] = (sys.executable,),
        env: Mapping[str, str] | None = None,
        cache: str = "cache",
        **settings: object,
    ) -> str:
        """The digest that `repro build` gives here."""
        done = subprocess.run(
            self.command(python),
            env=self.environ(cache, env),
            capture_output=True,
            text=True,
            check=False,
            **settings,  # type: ignore[call-overload]
        )
        assert done.returncode == 0, done.stderr
        (image,) = json.loads(done.stdout)["images"]
        return str(image["digest"])

    def command(self, python: Sequence[str] = (sys.executable,)) -> list[str]:
        lock, out = self.home / "project" / "repro.lock", self.home / "out"
        options = ["-f", lock, "-o", f"oci:{out}", "--base", f"oci:{self.home / 'base'}", "--json"]
        return [*python, "-m", "repro", "build", *map(str, options)]

    def environ(self, cache: str, env: Mapping[str, str] | None = None) -> dict[str, str]:
        theirs = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
        return {**theirs, "REPRO_CACHE_DIR": str(self.home / cache), "HOME": str(self.home), **(env or {})}

    def move(self, to: Path) -> "Place":
        shutil.copytree(self.home, to, ignore=shutil.ignore_patterns("layers", "out"))
        return Place(to)


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory, wheels: dict[str, Path]) -> Place:
    home = tmp_path_factory.mktemp("same")
    base = forged.base(settings={"Env": ["PATH=/usr/bin"]})
    write_layout([base], home / "base", references=["base:1"])
    project = home / "project"
    projects.write_files(project, FILES)
    names = ("numpy", "six", "greenlet", "docutils", "ipykernel")
    lock = projects.make_lock(
        projects.NO_IMAGE,
        projects.package(wheels["installer"]),
        files=[_locked(name, data) for name, data in FILES.items()],
        packages=[projects.package(wheels[name]) for name in names],
    )
    where = replace(lock.base, source="registry", digest=Digest.of(base.manifest))
    lock = replace(lock, base=where, image=ImageOptions(bytecode="none"))
    (project / "repro.lock").write_bytes(render_lock(lock))
    for wheel in wheels.values():
        ObjectStore(home / "cache" / "artifacts").add_file(wheel)
    return Place(home)


def _locked(name: str, data: bytes) -> LockedFile:
    return projects.locked(name, data, "model" if name == "model.bin" else "data" if "csv" in name else "code")


@pytest.fixture(scope="session")
def digest(original: Place) -> str:
    """What the first build of all gave."""
    return original.build()


@pytest.fixture
def place(original: Place, tmp_path: Path) -> Place:
    """The same, elsewhere, with nothing assembled yet."""
    return original.move(tmp_path / "älsewhere")


def test_again_and_elsewhere(original: Place, place: Place, digest: str) -> None:
    assert original.build() == digest
    assert place.build() == digest
    assert place.build() == digest


@pytest.mark.parametrize(
    "env",
    [
        {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0"},
        {"LC_ALL": "C.UTF-8"},
        {"TZ": "Pacific/Kiritimati"},
        {"PYTHONHASHSEED": "1"},
        {"PYTHONHASHSEED": "4000000000"},
        {"SOURCE_DATE_EPOCH": "1700000000"},
    ],
    ids=str,
)
def test_whatever_the_environment_says(place: Place, digest: str, env: dict[str, str]) -> None:
    assert place.build(env=env) == digest


@pytest.mark.parametrize("umask", [0o077, 0o022, 0o000])
def test_whatever_the_umask(place: Place, digest: str, umask: int) -> None:
    assert place.build(umask=umask) == digest


@pytest.mark.skipif(not UNSHARE, reason="no user namespaces here")
def test_whoever_builds(place: Place, digest: str) -> None:
    """Somebody else, as far as the process and everything that it writes can tell."""
    assert place.build(python=[*UNSHARE, sys.executable]) == digest


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no tmpfs")
def test_on_another_file_system(original: Place, digest: str) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="repro-") as folder:
        assert original.move(Path(folder, "home")).build() == digest


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_with_one_worker(place: Place, digest: str) -> None:
    one = {min(os.sched_getaffinity(0))}
    assert place.build(preexec_fn=lambda: os.sched_setaffinity(0, one)) == digest


@contextlib.contextmanager
def locked(layout: Path) -> Iterator[None]:
    """Have whoever wants to write to a layout wait."""
    layout.mkdir()
    handle = os.open(layout, os.O_RDONLY)
    try:
        assert flock.lock(handle)
        yield
    finally:
        os.close(handle)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_interrupted_and_resumed(place: Place, digest: str, how: signal.Signals) -> None:
    """Once there is a layer, and before all is done: the layout is not to be written to until then."""
    with locked(place.home / "out"):
        process = subprocess.Popen(
            place.command(),
            env=place.environ("cache"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        blobs = place.home / "cache" / "layers" / "blobs"
        while not list(blobs.glob("sha256/*/*")):
            assert process.poll() is None
            time.sleep(0.01)
        os.killpg(process.pid, how)
        assert process.wait(300) != 0
    assert place.build() == digest
    assert not list(place.home.glob("out/**/.*tmp*"))


@pytest.fixture(scope="session", params=OTHERS)
def other_python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """`repro` in an environment of another Python."""
    version: str = request.param
    uv = [sys.executable, "-m", "uv"]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = next((str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python"))), version)
    home = tmp_path_factory.mktemp(f"python{version}") / "env"
    command = [*uv, "venv", "-q", "--no-python-downloads", "--python", found, str(home)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip(f"there is no Python {version} here")
    root = Path(__file__).parents[2]
    subprocess.run([*uv, "pip", "install", "-q", "--python", home / "bin/python", root], check=True)
    return [str(home / "bin/python")]


def test_with_other_pythons(place: Place, digest: str, other_python: list[str]) -> None:
    assert place.build(python=other_python, cwd=place.home) == digest
