"""Factor `clock`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from repro.proof.factors.model import Scene
from tests.proof.factors.scenes import reason, scene, swap

ASKS = {"evaluate.py": "import datetime\nday = datetime.date.today()\n"}


def captured(root: Path, moment: datetime) -> Scene:
    where = scene(sources=ASKS, project=root)
    folder = root / ".repro" / "runs" / f"{moment:%Y%m%dT%H%M%S.%fZ}-capture"
    folder.mkdir(parents=True)
    assert where.situation.laptop.record is not None
    (folder / "record.json").write_bytes(where.situation.laptop.record.to_json())
    return where


def test_the_clock_is_set_back_to_the_captured_run(tmp_path: Path) -> None:
    one = swap(captured(tmp_path, datetime.now(UTC) - timedelta(days=3)), "clock")
    assert one.laptop.experiment.clock == pytest.approx(-3 * 86400, abs=60)
    assert one.here.experiment.clock == 0.0


def test_without_the_captured_run_nobody_knows_when_it_was(tmp_path: Path) -> None:
    assert "a lock holds no time" in reason(scene(sources=ASKS, project=tmp_path), "clock")


def test_code_that_does_not_ask_for_the_time_is_left_alone(tmp_path: Path) -> None:
    assert reason(scene(project=tmp_path), "clock") == "no code of the project asks what time it is"
