"""What `repro doctor` says of engines."""

from pathlib import Path

import pytest

from repro.cli.diagnosis import _engine
from repro.engines import select


@pytest.fixture(autouse=True)
def _no_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which no container engine listens."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setattr(select, "_sockets", lambda _: iter([(f"unix://{tmp_path}/none.sock", "default socket")]))


def test_bubblewrap_is_enough_and_the_other_tries_are_shown() -> None:
    check = _engine()
    assert check.status == "ok"
    assert check.message.startswith("bubblewrap ")
    assert [detail.partition(" (")[0] for detail in check.details] == ["default socket", "bubblewrap"]


def test_an_engine_that_was_named_must_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    check = _engine()
    assert check.status == "fail"
    assert "no such socket" in check.details[0]
