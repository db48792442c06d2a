"""The real parts together: wheels made on the fly, mixtures assembled and run; factors swapped in an image."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from repro.digest import Digest
from repro.lock import Lock, load_lock, render_lock
from repro.store import project_store
from tests.builders import projects
from tests.conda_channel.archives import write_package
from tests.conda_channel.package import CondaPackage as CondaSource
from tests.conda_channel.package import Member
from tests.lock.samples import conda_package
from tests.loop.conftest import bare_python as bare_python  # noqa: PLC0414 - a fixture, used by its name
from tests.loop.conftest import make_script, repro
from tests.proof.wheelhouse import make_wheel

pytestmark = pytest.mark.base

BUBBLEWRAP = ("--engine", "bubblewrap")
COUNT, CULPRIT = 4, 1
"""Small numbers keep the test short; `test_bisect.py` has the large ones."""
LINES = (
    "import importlib.util, pathlib, sys",
    f"names = [f'reprotiny{{number}}' for number in range({COUNT})]",
    "tiny = [importlib.import_module(name) for name in names if importlib.util.find_spec(name)]",
    "shared = sorted(pathlib.Path(sys.prefix).glob('share/reprotiny*'))",
    "planted = sum(one.VALUE for one in tiny) + sum(float(one.read_text()) for one in shared)",
    "metrics = {'auc': 0.5 + planted, 'hour': time.localtime(1700000000).tm_hour}",
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


def with_conda(lock: Lock, root: Path, folder: Path, version: str) -> Lock:
    """Conda packages that only the project's object store has; the second one differs only in its build."""
    packages = []
    for number in range(COUNT - 1):
        moved = version == "2.0" and number == CULPRIT
        build, value = ("h_1" if moved else "h_0"), ("0.25" if moved else "0.0")
        release = "1.0" if number == CULPRIT else version
        content = Member(f"share/reprotiny{number}.txt", value.encode())
        made = CondaSource(f"reprotiny{number}", release, build, "noarch", noarch="generic", members=[content])
        data = write_package(folder, made).read_bytes()
        with project_store(root).incoming() as incoming:
            incoming.write(data)
        file = {"file": f"{made.stem}.conda", "sha256": Digest.of(data), "size": len(data)}
        place = {"subdir": "noarch", "channel": "file", "url": None, "target": projects.TARGET}
        packages.append(conda_package(made.name, release, build, **file, **place))
    return replace(lock, conda=tuple(packages))


def test_bisect_finds_the_planted_build_of_a_conda_package(captured: Path, tmp_path: Path) -> None:
    lock, _ = load_lock(captured / "repro.lock")
    one = write(captured / "c.lock", with_conda(lock, captured, tmp_path / "one", "1.0"))
    other = write(captured / "d.lock", with_conda(lock, captured, tmp_path / "other", "2.0"))
    done = repro(captured, "bisect", one, other, "--metric", "auc", "--json", *BUBBLEWRAP)
    assert done.code == 0, done
    found = document(done.out)
    assert found["reason"] == f"conda:reprotiny{CULPRIT} alone moves auc"
    assert [found["before"]["number"], found["after"]["number"]] == [0.5, 0.75]
    assert [(change["before"], change["after"]) for change in found["changes"]] == [("1.0 h_0", "1.0 h_1")]


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
