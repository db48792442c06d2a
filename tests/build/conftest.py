"""What tests of builders share."""

from pathlib import Path

import pytest

from tests.builders import projects


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Real wheels by project name."""
    return projects.download(tmp_path_factory.mktemp("wheels"))
