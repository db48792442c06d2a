"""The base image as an archive, and runs of it as whoever runs the tests, and as nobody."""

import codecs
import os
import pickle
import shutil
import subprocess
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from repro.engines import ImageInfo, RunOutcome, RunSpec
from repro.engines.bubblewrap import BubblewrapEngine, find_bubblewrap
from repro.engines.bubblewrap.scratch import runs_directory

NOBODY = 65534

codecs.lookup("ascii")  # what is loaded on demand has to be loaded before: nobody may not look where it is


@pytest.fixture(scope="session")
def shared() -> Iterator[Path]:
    """A directory that every user may write to, unlike those of pytest."""
    place = Path(tempfile.mkdtemp(prefix="repro-test-"))
    place.chmod(0o777)
    yield place
    shutil.rmtree(place)


@pytest.fixture(scope="session")
def archive(shared: Path, base_image: ImageInfo) -> Path:
    """The base image as `docker save` writes it."""
    path = shared / "base.tar"
    subprocess.run(["docker", "save", "-o", path, base_image.tags[0]], check=True)
    path.chmod(0o644)
    return path


def as_nobody(work: Callable[[], Any]) -> Any:
    """What a function gives when a user without any rights calls it; as it is where the tests run without any."""
    if os.geteuid() != 0:
        return work()
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which this process has none of by now
        child = os.fork()
    if child == 0:
        _in_child(work, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        data = stream.read()
    os.waitpid(child, 0)
    kind, value = pickle.loads(data)
    assert kind == "done", value
    return value


def _in_child(work: Callable[[], Any], writer: int) -> None:
    """The interpreter is loaded already: nobody may not start it where it is in root's home."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    try:
        answer = ("done", work())
    except BaseException:  # noqa: BLE001 - told to the parent
        answer = ("failed", traceback.format_exc())
    os.write(writer, pickle.dumps(answer))
    os._exit(0)


@dataclass
class Python:
    """Runs Python code in the base image."""

    archive: Path
    unprivileged: bool
    outcomes: list[RunOutcome] = field(default_factory=list)

    def __call__(self, code: str, on_output: Callable[[str], None] | None = None, **settings: Any) -> RunOutcome:
        def run() -> RunOutcome:
            return self.run(code, on_output, **settings)

        outcome = as_nobody(run) if self.unprivileged else run()
        self.outcomes.append(outcome)
        return outcome

    def run(self, code: str, on_output: Callable[[str], None] | None = None, **settings: Any) -> RunOutcome:
        engine = find_bubblewrap("test")
        image = engine.image(f"docker-archive:{self.archive}")
        assert image is not None
        command = (image.labels["dev.repro.base.python-path"], "-c", code)
        return engine.run(RunSpec(image.id, args=command, **settings), on_output)


@pytest.fixture(params=["ourselves", "nobody"])
def python(
    request: pytest.FixtureRequest, archive: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Python]:
    cache = shared / request.param
    cache.mkdir(exist_ok=True)
    cache.chmod(0o777)
    monkeypatch.setenv("REPRO_CACHE_DIR", str(cache))
    runner = Python(archive, unprivileged=request.param == "nobody")
    yield runner
    for outcome in runner.outcomes:
        if outcome.collected is not None:
            shutil.rmtree(outcome.collected)
    assert list(runs_directory().iterdir()) == []


@pytest.fixture
def sandboxes(archive: Path, shared: Path, monkeypatch: pytest.MonkeyPatch) -> BubblewrapEngine:
    """The engine under test, with a cache of these tests."""
    monkeypatch.setenv("REPRO_CACHE_DIR", str(shared / "ourselves"))
    return find_bubblewrap("test")


@pytest.fixture
def image(sandboxes: BubblewrapEngine, archive: Path) -> ImageInfo:
    """The base image as that engine sees it."""
    found = sandboxes.image(str(archive))
    assert found is not None
    return found


def groups_of(run: str) -> list[Path]:
    """Control groups that a run of this name has now."""
    return list(Path("/sys/fs/cgroup").rglob(run))
