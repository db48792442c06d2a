"""Builds of one lock take turns, whatever happens to the cache meanwhile."""

import sys
import threading
import time
from pathlib import Path

import pytest
from repro_docker.turns import turn

from repro.digest import Digest
from repro.progress import Silent
from repro.store.usage import UNFINISHED, clear

LOCK = Digest.of(b"lock")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing is locked there")


class Waiting(Silent):
    """Progress that says when a build has to wait."""

    def __init__(self) -> None:
        self.waits = threading.Event()

    def note(self, text: str) -> None:
        assert "waiting for another build" in text
        self.waits.set()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REPRO_CACHE_DIR", str(tmp_path))
    return tmp_path


def later() -> float:
    return time.time() + UNFINISHED * 2


def test_clearing_the_cache_leaves_a_turn_alone(cache: Path) -> None:
    path = cache / "builds" / f"{LOCK.hex}.lock"
    with turn(LOCK, Silent()):
        assert clear(cache, later()).units == 0
        assert path.exists()
    assert clear(cache, later()).units == 1
    assert not path.exists()


def test_who_waited_for_a_file_that_was_removed_has_its_turn_by_the_new_one(cache: Path) -> None:
    path, progress, order = cache / "builds" / f"{LOCK.hex}.lock", Waiting(), list[str]()

    def build() -> None:
        with turn(LOCK, progress):
            order.append("second")
            assert path.exists()

    with turn(LOCK, Silent()):
        waiting = threading.Thread(target=build)
        waiting.start()
        assert progress.waits.wait(120)
        path.unlink()
        order.append("first")
    waiting.join(120)
    assert order == ["first", "second"]
