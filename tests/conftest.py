"""What every test may use: the real engine, the base image, and a lock to start from."""

import functools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from repro.engines import Engine, ImageInfo
from repro.engines.select import find_docker
from tests.builders import projects
from tests.conda_channel.server import ChannelServer, serving
from tests.conda_channel.shared import Channels, make_laptop, shared_channels

ROOT = Path(__file__).parent.parent
BASE = "repro-base:bookworm"
_ONE_AFTER_ANOTHER = {"loop", "scripts", "examples"}
"""Folders of tests that use the engine, marked or not."""

# A shell that starts the tests in the background has them ignore Ctrl-C, and programs would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Processes of pytest-xdist pretend to a narrow screen, and programs would believe it.
os.environ.pop("COLUMNS", None)
# Neither chance nor a slow machine decides: the examples are always the same, and none has a deadline.
settings.register_profile(
    "repro", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repro")


class _ByFile(LoadScopeScheduling):  # type: ignore[misc] # pytest-xdist has no types
    """Whole files to one process, and all that look at the engine's state to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return "engine" if _uses_engine(ROOT / path) else path


@functools.cache
def _uses_engine(path: Path) -> bool:
    return path.parent.name in _ONE_AFTER_ANOTHER or "mark.engine" in path.read_text(encoding="utf-8")


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> _ByFile:
    """With `-n 2`."""
    return _ByFile(config, log)


@pytest.fixture(autouse=True)
def _own_caches(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests share one cache for downloads among themselves and leave the user's alone."""
    cache = tmp_path_factory.getbasetemp().parent / "repro-test-cache"
    monkeypatch.setenv("REPRO_CACHE_DIR", str(cache))


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The container engine. A missing one fails the test: `make engine` provides it."""
    return find_docker()


@pytest.fixture(scope="session")
def base_image(engine: Engine) -> ImageInfo:
    """The base image that `make base` provides."""
    image = engine.image(BASE)
    if image is None:
        pytest.fail(f"there is no image {BASE}; make it with `make base`")
    return image


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Real wheels by project name."""
    return projects.download(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="session")
def conda_channel(tmp_path_factory: pytest.TempPathFactory) -> Channels:
    """Conda channels with a real Python and real packages, made once for all processes. Tests must not change them."""
    return shared_channels(tmp_path_factory.getbasetemp().parent)


@pytest.fixture(scope="session")
def conda_server(conda_channel: Channels) -> Iterator[ChannelServer]:
    """The channels over HTTP, open to all. Tests that lose a package or want a token start their own."""
    with serving(conda_channel.folder) as server:
        yield server


@pytest.fixture(scope="session")
def conda_environment(
    conda_channel: Channels, conda_server: ChannelServer, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The prefix of a data scientist's environment, made over HTTP. Tests must not change it."""
    prefix = tmp_path_factory.mktemp("conda") / "envs" / "laptop"
    make_laptop(conda_channel, conda_server.url(), prefix)
    return prefix
