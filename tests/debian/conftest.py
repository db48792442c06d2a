"""A store, silent progress, and Debian as this machine reaches it."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from repro.debian.sources import MIRROR, PUBLIC
from repro.http import Session, per_thread, session
from repro.store.objects import ObjectStore
from tests.debian.forge import Archive
from tests.http.servers import Server, serve


@pytest.fixture
def cache(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "cache" / "artifacts")


@pytest.fixture
def sessions() -> Callable[[], Session]:
    return per_thread(session)


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


@pytest.fixture
def archive(server: Server) -> Archive:
    return Archive(server)


@pytest.fixture
def _debian(monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian from the mirror that this machine's own apt uses, if it has one; else from the public archive."""
    found = _own_mirror()
    if found is not None and found != PUBLIC:
        monkeypatch.setenv(MIRROR, found)


def _own_mirror() -> str | None:
    if shutil.which("apt-get") is None:
        return None
    form = "$(ORIGIN) $(CODENAME) $(REPO_URI)"
    command = ["apt-get", "indextargets", "--format", form, "Created-By: Packages"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (line.split(" ", 2) for line in done.stdout.splitlines() if line.startswith("Debian "))
    return next((line[2].rstrip("/") for line in lines if line[1] == "bookworm"), None)
