"""Registries for the tests here."""

from collections.abc import Iterator

import pytest

from tests.registry.server import RunningRegistry, running


@pytest.fixture
def open_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with running(tmp_path_factory.mktemp("registry")) as registry:
        yield registry
