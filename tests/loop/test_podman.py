"""The loop with a real Podman as the engine: built into it, rerun by it, and run by hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from repro.errors import ExitCode
from tests.engines.podman import Podman, running_podman
from tests.loop.conftest import make_script, repro

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("base_image")]

TAG = "repro-test/podman:1"


@pytest.fixture(scope="module")
def podman() -> Iterator[Podman]:
    with running_podman() as found:
        yield found


@pytest.mark.parametrize(("moved", "wanted"), [(0, ExitCode.OK), (1, ExitCode.MISMATCH)])
def test_what_podman_reruns_is_judged(
    tmp_path: Path, bare_python: Path, podman: Podman, monkeypatch: pytest.MonkeyPatch, moved: int, wanted: int
) -> None:
    monkeypatch.setenv("ON_LAPTOP", "1")
    root = make_script(tmp_path / "p", bare_python, f"metrics['rmse'] += 0 if on_laptop else {moved}")
    captured = repro(root, "capture", "evaluate.py")
    assert captured.code == 0, captured
    monkeypatch.delenv("ON_LAPTOP")
    env = {"DOCKER_HOST": podman.address}
    built = repro(root, "build", "-t", TAG, env=env)
    assert (built.code, "in podman" in built.out) == (0, True), built
    verified = repro(root, "verify", TAG, env=env)
    assert verified.code == wanted, verified
    assert ("as on the laptop, bit for bit" in verified.out) == (moved == 0), verified
    assert podman.run("ps", "--all", "--quiet").stdout == ""
    assert podman.run("volume", "ls", "--quiet").stdout == ""
    by_hand = podman.run("run", "--rm", "--network", "none", TAG)
    assert by_hand.returncode == wanted, by_hand
