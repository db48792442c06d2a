"""What `repro doctor` says of engines and bases."""

from dataclasses import replace
from pathlib import Path

import pytest

from repro.cli.diagnosis import _base, _engine
from repro.digest import Digest
from repro.engines import select
from repro.lock import Base, render_lock
from repro.store import artifact_cache
from repro.transfer.plain import keep_plain
from tests.lock.samples import plain_lock
from tests.oci.forged import forge, layer


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


def test_a_base_in_the_cache_is_enough_without_an_engine_or_a_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPRO_CACHE_DIR", str(tmp_path / "cache"))
    image = forge(layer({"opt/": b""}))
    keep_plain(image, artifact_cache())
    base = Base("team/base:1", Digest.of(image.config), "engine", None, None, "2.36")
    (tmp_path / "repro.lock").write_bytes(render_lock(replace(plain_lock(), base=base)))
    (tmp_path / "sub").mkdir()
    check = _base(tmp_path / "sub")
    assert (check.status, check.message) == ("ok", "team/base:1, which repro.lock names, is in the cache")
