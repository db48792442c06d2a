"""What every test may use: the real engine, the base image, and a lock to start from."""

import os
import signal
from pathlib import Path

import pytest

from repro.engines import Engine, ImageInfo
from repro.engines.select import find_docker
from tests.builders import projects

ROOT = Path(__file__).parent.parent
BASE = "repro-base:bookworm"
_ONE_AFTER_ANOTHER = {"loop", "scripts", "examples"}
"""Folders of tests that use the engine, marked or not."""

# A shell that starts the tests in the background has them ignore Ctrl-C, and programs would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Processes of pytest-xdist pretend to a narrow screen, and programs would believe it.
os.environ.pop("COLUMNS", None)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For several processes (`-n 2 --dist loadgroup`): whatever looks at the engine's state is one after the other.

    The others go by file, so that what a module shares is made once.
    """
    for item in items:
        alone = item.get_closest_marker("engine") is not None or item.path.parent.name in _ONE_AFTER_ANOTHER
        group = "engine" if alone else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


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
