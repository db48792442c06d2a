"""The real parts together: wheels made on the fly, mixtures assembled and run; factors swapped in an image."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from repro.lock import Lock, load_lock, render_lock
from tests.builders import projects
from tests.loop.conftest import bare_python as bare_python  # noqa: PLC0414 - a fixture, used by its name
from tests.loop.conftest import make_script, repro
from tests.proof.wheelhouse import make_wheel

pytestmark = pytest.mark.base

BUBBLEWRAP = ("--engine", "bubblewrap")
COUNT, CULPRIT = 4, 1
"""Small numbers keep the test short; `test_bisect.py` has the large ones."""
LINES = (
    "import importlib.util",
    f"names = [f'reprotiny{{number}}' for number in range({COUNT})]",
    "tiny = [importlib.import_module(name) for name in names if importlib.util.find_spec(name)]",
    "metrics = {'auc': 0.5 + sum(one.VALUE for one in tiny), 'hour': time.localtime(1700000000).tm_hour}",
)


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory, bare_python: Path, base_image: object) -> Path:
    """A project that was captured in Tokyo."""
    root = make_script(tmp_path_factory.mktemp("proof") / "project", bare_python, *LINES)
    done = repro(root, "capture", "evaluate.py", env={"TZ": "Asia/Tokyo"})
    assert done.code == 0, done
    return root


def write(path: Path, lock: Lock) -> Path:
    path.write_bytes(render_lock(replace(lock, predicted=())))
    return path


def with_wheels(lock: Lock, folder: Path, version: str) -> Lock:
    folder.mkdir()
    values = [0.25 if version == "2.0" and number == CULPRIT else 0.0 for number in range(COUNT)]
    wheels = [make_wheel(folder, f"reprotiny{number}", version, value) for number, value in enumerate(values)]
    return replace(lock, packages=tuple(map(projects.package, wheels)))


def test_bisect_finds_the_planted_package(captured: Path, tmp_path: Path) -> None:
    lock, _ = load_lock(captured / "repro.lock")
    one = write(captured / "a.lock", with_wheels(lock, tmp_path / "one", "1.0"))
    other = write(captured / "b.lock", with_wheels(lock, tmp_path / "other", "2.0"))
    question = ("bisect", one, other, "--metric", "auc", "--json", *BUBBLEWRAP)
    stopped = repro(captured, *question, "--max-runs", "3")
    assert stopped.code == 1, stopped
    assert document(stopped.out)["answer"] == "stopped"
    done = repro(captured, *question, "--resume")
    assert done.code == 0, done
    found = document(done.out)
    assert found["reason"] == f"reprotiny{CULPRIT} alone moves auc"
    assert [found["before"]["number"], found["after"]["number"]] == [0.5, 0.75]
    assert (found["total"], found["confirmed"], found["reused"]) == (COUNT, True, 3)
    assert not list(captured.glob(".repro/bisect/.*"))


def document(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


def test_explain_proves_the_time_zone(captured: Path, tmp_path: Path) -> None:
    lock, _ = load_lock(captured / "repro.lock")
    moved = write(captured / "utc.lock", replace(lock, environment=replace(lock.environment, timezone="UTC")))
    place = f"oci:{tmp_path / 'image'}"
    built = repro(captured, "build", "-f", moved, "-o", place)
    assert built.code == 0, built
    told = repro(captured, "explain", place, "--lock", moved, *BUBBLEWRAP)
    assert (told.code, "time-zone" in told.out) == (0, True), told
    done = repro(captured, "explain", place, "--lock", moved, "--prove", "--json", *BUBBLEWRAP)
    assert done.code == 0, done
    found = document(done.out)
    causal = [trial for trial in found["trials"] if trial["result"] == "causal"]
    others = len(found["trials"]) - len(causal)  # what else this machine has set, one run each
    assert (found["conclusion"], found["metrics"], found["runs"]) == ("causal", ["hour"], 6 + others)
    assert [(trial["factor"], trial["laptop"], trial["here"]) for trial in causal] == [
        ("time-zone", "Asia/Tokyo", "UTC")
    ]
