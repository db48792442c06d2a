"""The loop with a real Podman as the engine: built into it, rerun by it, and run by hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.podman import Podman, running_podman
from tests.loop.conftest import make_script, repro

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("base_image")]

TAG = "repro-test/podman:1"


@pytest.fixture
def podman() -> Iterator[Podman]:
    with running_podman() as found:
        yield found


def test_what_podman_reruns_is_verified(tmp_path: Path, bare_python: Path, podman: Podman) -> None:
    root = make_script(tmp_path / "p", bare_python)
    captured = repro(root, "capture", "evaluate.py")
    assert captured.code == 0, captured
    env = {"DOCKER_HOST": podman.address}
    built = repro(root, "build", "-t", TAG, env=env)
    assert (built.code, "in podman" in built.out) == (0, True), built
    verified = repro(root, "verify", TAG, env=env)
    assert (verified.code, "as on the laptop, bit for bit" in verified.out) == (0, True), verified
    assert podman.run("ps", "--all", "--quiet").stdout == ""
    assert podman.run("volume", "ls", "--quiet").stdout == ""
    by_hand = podman.run("run", "--rm", "--network", "none", TAG)
    assert (by_hand.returncode, "VERIFIED: 2 of 2" in by_hand.stdout) == (0, True), by_hand
