"""Real wheels and a clean network environment for the tests of look-ups and locking."""

import pytest

from tests.http.servers import download_wheels


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Real wheels for linux/amd64 and linux/arm64, by file name."""
    return download_wheels(tmp_path_factory.mktemp("wheels"))
