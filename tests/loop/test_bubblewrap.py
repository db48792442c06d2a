"""One image in two engines: bubblewrap comes to the same verdict as Docker, and refuses what Docker refuses."""

import contextlib
import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from repro.engines import ImageInfo
from repro.errors import ExitCode
from repro.oci.locations import open_location, parse_location
from repro.oci.stores import project_images
from repro.oci.write_layout import write_layout
from tests.loop.conftest import Done, make_project, make_script, repro, repro_until

pytestmark = pytest.mark.engine

BUBBLEWRAP = ("--engine", "bubblewrap")


@dataclass(frozen=True)
class Built:
    """A project, and the image of it as `docker save` writes it."""

    root: Path
    tag: str
    archive: str


def build(root: Path, tag: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    assert (done := repro(root, "build", "--builder", "docker", "-t", tag)).code == 0, done
    path = tmp_path_factory.mktemp("saved") / "image.tar"
    subprocess.run(["docker", "save", "-o", path, tag], check=True)
    yield Built(root, tag, f"docker-archive:{path}")
    subprocess.run(["docker", "rmi", "-f", tag], check=True, capture_output=True)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory, laptop_python: Path, base_image: ImageInfo) -> Iterator[Built]:
    """A notebook's project, and its image as Docker's builder makes it."""
    root = make_project(tmp_path_factory.mktemp("two-engines") / "my projekt ü", laptop_python)
    assert (done := repro(root, "capture", "evaluate me.ipynb")).code == 0, done
    yield from build(root, "repro-test/two-engines:1", tmp_path_factory)


@pytest.fixture(scope="module")
def misbehaving(tmp_path_factory: pytest.TempPathFactory, bare_python: Path, base_image: ImageInfo) -> Iterator[Built]:
    """An evaluation that behaves on the laptop; in the image it takes memory and time without end."""
    root = make_script(
        tmp_path_factory.mktemp("misbehaving") / "project",
        bare_python,
        "hog = []",
        "while not on_laptop:",
        "    hog.append(bytearray(4 << 20))",
        "    time.sleep(0.05)",
    )
    environ = {"ON_LAPTOP": "1"}
    assert (done := repro(root, "capture", "evaluate.py", env=environ)).code == 0, done
    yield from build(root, "repro-test/misbehaving:1", tmp_path_factory)


def verdict(done: Done) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.out)
    return found


def timeless(document: dict[str, Any]) -> dict[str, Any]:
    """A verdict without what belongs to one run, and to one engine: the clock, the machine, where it was, and whether
    the base is at hand to compare with.
    """
    run = {**document["run"], "seconds": None, "machine": None}
    run["cells"] = [{**cell, "seconds": None} for cell in run["cells"]]
    image = {**document["image"], "reference": None}
    findings = [one for one in document["findings"] if one["kind"] not in {"base", "unproved"}]
    return {
        **document,
        "created": None,
        "evidence": None,
        "engine": None,
        "run": run,
        "image": image,
        "findings": findings,
    }


def test_the_verdict_is_that_of_docker(notebook: Built) -> None:
    limit = ("--memory", "1g", "--json")
    docker = repro(notebook.root, "verify", notebook.tag, *limit)
    bubblewrap = repro(notebook.root, "verify", notebook.archive, *limit, *BUBBLEWRAP)
    assert (docker.code, bubblewrap.code) == (0, 0), f"{docker}\n{bubblewrap}"
    assert verdict(bubblewrap)["engine"]["name"] == "bubblewrap"
    assert timeless(verdict(bubblewrap)) == timeless(verdict(docker))
    assert {metric["name"] for metric in verdict(bubblewrap)["metrics"]} == {"n", "nothing", "rmse"}


def test_cells_are_told_as_they_run(notebook: Built) -> None:
    done = repro(notebook.root, "verify", notebook.archive, *BUBBLEWRAP)
    assert done.code == 0, done
    assert "verified" in done.out


def test_another_image_than_the_locks_is_tampered(notebook: Built, misbehaving: Built) -> None:
    done = repro(notebook.root, "verify", misbehaving.archive, *BUBBLEWRAP)
    assert done.code == ExitCode.TAMPERED, done


def test_an_archive_that_was_changed_is_tampered(notebook: Built, tmp_path: Path) -> None:
    """One byte of a file in a layer: its digest no longer is what the image says."""
    data = bytearray(Path(notebook.archive.partition(":")[2]).read_bytes())
    at = data.index(b"return np.tanh(")
    data[at : at + 14] = b"return np.sinh"
    changed = tmp_path / "changed.tar"
    changed.write_bytes(data)
    done = repro(notebook.root, "verify", str(changed), *BUBBLEWRAP)
    assert done.code == ExitCode.TAMPERED, done


def test_time_runs_out(misbehaving: Built) -> None:
    done = repro(misbehaving.root, "verify", misbehaving.archive, *BUBBLEWRAP, "--timeout", "4")
    assert done.code == ExitCode.TIMED_OUT, done


def test_memory_runs_out(misbehaving: Built) -> None:
    done = repro(misbehaving.root, "verify", misbehaving.archive, *BUBBLEWRAP, "--memory", "192m")
    assert done.code == ExitCode.OUT_OF_MEMORY, done


def test_ctrl_c_leaves_nothing(misbehaving: Built, tmp_path: Path) -> None:
    def interrupt(process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGINT)

    environ = {"REPRO_CACHE_DIR": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)}
    arguments = ("verify", misbehaving.archive, *BUBBLEWRAP, "--progress", "plain")
    done = repro_until(misbehaving.root, "evaluate.py from lock", interrupt, *arguments, env=environ)
    assert done.code == ExitCode.INTERRUPTED, done
    assert list((tmp_path / "cache" / "sandboxes").iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
    assert not [text for text in mounts() if str(tmp_path) in text]


def mounts() -> Iterator[str]:
    """What each process of this machine has mounted, sandboxes included."""
    for path in Path("/proc").glob("[0-9]*/mountinfo"):
        with contextlib.suppress(OSError):
            yield path.read_text()


def test_an_image_of_the_project_by_its_name(notebook: Built, tmp_path: Path) -> None:
    """As `repro build` leaves it where no engine answers."""
    root = tmp_path / "elsewhere"
    root.mkdir()
    shutil.copyfile(notebook.root / "repro.lock", root / "repro.lock")
    image = open_location(parse_location(notebook.archive)).pinned(None, "linux/amd64").image
    write_layout([image], project_images(root), references=["my-model:1.0"])
    done = repro(root, "verify", "my-model:1.0", *BUBBLEWRAP, "--json")
    assert done.code == 0, done
    assert verdict(done)["image"]["tags"] == ["my-model:1.0"]
