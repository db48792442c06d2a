"""The workshop for faults, and the count at the end: how many were caught, how many were named first."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter

from repro.engines import ImageInfo
from repro.engines.select import BUBBLEWRAP, find_engine
from tests.conda_channel.shared import Channels
from tests.faults.cases import Bench
from tests.faults.workshop import Workshop, make_environment

CAUGHT, FIRST, SILENT = "caught", "named first", "silent"


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory, base_image: ImageInfo, request: pytest.FixtureRequest) -> Bench:
    """Environments, and conda's channels, are made when the first fault needs them."""
    folder = tmp_path_factory.mktemp("faults")

    @functools.cache
    def science() -> Path:
        return make_environment(folder / "science", "ipykernel", "numpy<2.4")

    def channels() -> Channels:
        found: Channels = request.getfixturevalue("conda_channel")
        return found

    return Bench(Workshop(folder, find_engine(BUBBLEWRAP)), make_environment(folder / "bare"), science, channels)


@pytest.fixture
def count(record_property: Callable[[str, object], None]) -> Callable[[str, bool], None]:
    """Note what came of a fault or a harmless change, for the count at the end."""

    def note(what: str, holds: bool) -> None:
        record_property(what, holds)

    return note


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """One line: caught / named first / false alarms."""
    reports = [one for kind in ("passed", "failed") for one in terminalreporter.stats.get(kind, [])]
    noted = [item for one in reports if one.when == "call" for item in one.user_properties]
    caught, first, silent = ([holds for what, holds in noted if what == kind] for kind in (CAUGHT, FIRST, SILENT))
    if caught or silent:
        terminalreporter.write_line(
            f"faults: {sum(caught)} of {len(caught)} caught, {sum(first)} named first; "
            f"harmless changes: {len(silent)}, {len(silent) - sum(silent)} false alarms"
        )
