"""What every test may use: the real engine, the base image, and a lock to start from."""

import signal
from pathlib import Path

import pytest

from repro.engines import Engine, ImageInfo
from repro.engines.select import find_docker
from tests.builders import projects

ROOT = Path(__file__).parent.parent
BASE = "repro-base:bookworm"

# A shell that starts the tests in the background has them ignore Ctrl-C, and programs would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


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
