"""Capture, build and verify together, as their users run them, on a real engine."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from repro.digest import Digest
from repro.engines import Engine
from repro.errors import ExitCode
from repro.lock import load_lock, parse_lock
from repro.lock.model import SCHEMA_VERSION
from tests.loop.conftest import CELLS, Captured, Done, make_project, make_script, repro, repro_until, write_notebook

pytestmark = pytest.mark.engine


def docker(*args: str) -> Done:
    done = subprocess.run(["docker", *args], capture_output=True, text=True, check=False, timeout=300)
    return Done(done.returncode, done.stdout, done.stderr)


def copy_of(captured: Captured, destination: Path) -> Path:
    shutil.copytree(captured.root, destination, symlinks=True)
    return destination


@pytest.fixture
def image(request: pytest.FixtureRequest) -> Iterator[str]:
    """A tag for one test's image, removed afterwards."""
    tag = f"repro-test/{request.node.name.split('[')[0].replace('_', '-')[:60]}:1"
    yield tag
    docker("rmi", "-f", tag)


@pytest.fixture
def on_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notebooks can tell the laptop from the image by a variable that is not carried over."""
    monkeypatch.setenv("ON_LAPTOP", "1")


def test_the_lock_says_what_the_run_used(captured: Captured) -> None:
    lock = parse_lock(captured.lock.read_bytes())
    assert {(file.path, file.role) for file in lock.files} == {
        ("data/værdier 1.csv", "data"),
        ("evaluate me.ipynb", "notebook"),
        ("helpers.py", "code"),
        ("models/weights.npy", "model"),
    }
    assert lock.outputs == ("metrics.json",)
    assert [metric.name for metric in lock.metrics] == ["n", "nothing", "rmse"]
    assert {"numpy", "ipykernel"} <= {package.name for package in lock.packages}
    for file in lock.files:
        assert Digest.of_file(captured.root / file.path) == file.sha256


def test_capturing_again_gives_the_same_bytes(captured: Captured, tmp_path: Path) -> None:
    again = copy_of(captured, tmp_path / "elsewhere")
    before = (again / "repro.lock").stat()
    done = repro(again, "capture", "evaluate me.ipynb")
    assert done.code == 0, done
    assert (again / "repro.lock").read_bytes() == captured.lock.read_bytes()
    assert (again / "repro.lock").stat().st_mtime_ns == before.st_mtime_ns


def test_nothing_of_the_user_is_changed_but_the_outputs(project: Path) -> None:
    def state() -> dict[str, bytes]:
        return {
            str(path.relative_to(project)): path.read_bytes()
            for path in project.rglob("*")
            if path.is_file() and ".repro" not in path.parts
        }

    before = state()
    assert repro(project, "capture", "evaluate me.ipynb").code == 0
    after = state()
    assert set(after) - set(before) == {"metrics.json", "repro.lock"}
    assert {name: after[name] for name in before} == before


def test_verify_finds_every_metric_bit_equal(captured: Captured, tmp_path: Path) -> None:
    report = tmp_path / "verdict.json"
    done = repro(captured.root, "verify", captured.tag, "--report", f"json={report}")
    assert done.code == 0, done
    verdict = json.loads(report.read_text(encoding="utf-8"))
    assert verdict["outcome"] == "verified"
    assert [(metric["name"], metric["status"]) for metric in verdict["metrics"]] == [
        ("n", "same"),
        ("nothing", "same"),
        ("rmse", "same"),
    ]
    assert "verified" in done.out.lower()


@pytest.mark.parametrize("user", [[], ["--user", "4711:0"], ["--user", "4711:4711"]])
@pytest.mark.parametrize("sealed", [[], ["--read-only", "--tmpfs", "/tmp", "--tmpfs", "/work", "--tmpfs", "/out"]])
def test_the_image_alone_judges_itself(captured: Captured, user: list[str], sealed: list[str]) -> None:
    done = docker("run", "--rm", "--network", "none", "--cap-drop", "ALL", *user, *sealed, captured.tag)
    assert done.code == 0, done
    assert "rmse" in done.out


def test_the_image_carries_the_digests_and_runs_as_nobody(captured: Captured, engine: Engine) -> None:
    info = engine.image(captured.tag)
    assert info is not None
    assert info.labels["dev.repro.lock.digest"] == str(Digest.of(load_lock(captured.lock)[1]))
    assert {"dev.repro.code.digest", "dev.repro.data.digest", "dev.repro.model.digest"} <= set(info.labels)
    assert info.user == "10001:0"


def test_building_again_gives_the_same_image_bit_for_bit(captured: Captured, image: str, engine: Engine) -> None:
    done = repro(captured.root, "build", "--no-cache", "-t", image)
    assert done.code == 0, done
    assert "bit for bit the image that the lock predicts" in done.out
    first, second = engine.image(captured.tag), engine.image(image)
    assert first is not None
    assert second is not None
    assert first.id == second.id


def test_the_docker_builder_gives_an_image_with_the_same_verdict(captured: Captured, image: str) -> None:
    done = repro(captured.root, "build", "--builder", "docker", "-t", image)
    assert done.code == 0, done
    done = repro(captured.root, "verify", image)
    assert done.code == 0, done
    assert "another builder made the image" in done.out


def test_a_prediction_that_was_edited_stops_the_build_and_is_named(captured: Captured, tmp_path: Path) -> None:
    root = copy_of(captured, tmp_path / "edited")
    lock = parse_lock((root / "repro.lock").read_bytes())
    diff_id = next(layer.diff_id.hex for layer in lock.predicted[0].layers if layer.name == "code")
    text = (root / "repro.lock").read_text(encoding="utf-8")
    (root / "repro.lock").write_text(text.replace(diff_id, "0" * 64), encoding="utf-8")
    done = repro(root, "build", "-t", "repro-test/never:1")
    assert done.code == ExitCode.TAMPERED, done
    assert f"layer code, files: predicted sha256:{'0' * 64}, made sha256:{diff_id}" in done.err
    assert docker("image", "inspect", "repro-test/never:1").code != 0


@pytest.mark.parametrize("path", ["models/weights.npy", "data/værdier 1.csv", "helpers.py"])
def test_one_flipped_byte_stops_the_build_and_is_named(captured: Captured, tmp_path: Path, path: str) -> None:
    root = copy_of(captured, tmp_path / "flipped")
    data = bytearray((root / path).read_bytes())
    data[-2] ^= 1
    (root / path).write_bytes(bytes(data))
    done = repro(root, "build", "-t", "repro-test/never:1")
    assert done.code == ExitCode.TAMPERED, done
    assert path in done.err
    assert docker("image", "inspect", "repro-test/never:1").code != 0


def test_a_deleted_file_stops_the_build_and_is_named(captured: Captured, tmp_path: Path) -> None:
    root = copy_of(captured, tmp_path / "deleted")
    (root / "models/weights.npy").unlink()
    done = repro(root, "build")
    assert done.code == ExitCode.TAMPERED, done
    assert "models/weights.npy" in done.err


@pytest.mark.parametrize("path", ["models/weights.npy", "data/værdier 1.csv", "helpers.py"])
def test_one_flipped_byte_in_the_image_is_caught_and_named(
    captured: Captured, image: str, tmp_path: Path, path: str
) -> None:
    data = bytearray((captured.root / path).read_bytes())
    data[-2] ^= 1
    (tmp_path / "flipped").write_bytes(bytes(data))
    (tmp_path / "Dockerfile").write_text(
        f'FROM {captured.tag}\nCOPY ["flipped", "/opt/project/{path}"]\n', encoding="utf-8"
    )
    assert docker("build", "-q", "-t", image, str(tmp_path)).code == 0
    done = repro(captured.root, "verify", image)
    assert done.code == ExitCode.TAMPERED, done
    assert path in done.out + done.err
    alone = docker("run", "--rm", "--network", "none", image)
    assert alone.code == ExitCode.TAMPERED, alone
    assert path in alone.out + alone.err


def test_a_lock_edited_by_hand_does_not_match_the_image(captured: Captured, tmp_path: Path) -> None:
    root = copy_of(captured, tmp_path / "edited")
    text = (root / "repro.lock").read_text(encoding="utf-8")
    (root / "repro.lock").write_text(text.replace("timeout = 3600.0", "timeout = 36.0"), encoding="utf-8")
    done = repro(root, "verify", captured.tag)
    assert done.code == ExitCode.TAMPERED, done
    assert str(Digest.of(load_lock(captured.lock)[1])) in done.out + done.err


def _build(root: Path, image: str, subject: str = "evaluate.py") -> None:
    for args in (["capture", subject], ["build", "-t", image]):
        done = repro(root, *args)
        assert done.code == 0, done


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("metrics['rmse'] += 0 if on_laptop else 1e-3", ExitCode.MISMATCH, "rmse"),
        ("assert on_laptop, 'only on the laptop'", ExitCode.EVALUATION_FAILED, "only on the laptop"),
        ("hog = [] if on_laptop else [b'x' * (1 << 20) for _ in range(1 << 12)]", ExitCode.OUT_OF_MEMORY, "memory"),
        ("time.sleep(0 if on_laptop else 900)", ExitCode.TIMED_OUT, "the run was stopped after "),
        ("if not on_laptop: os.kill(os.getpid(), 9)", ExitCode.EVALUATION_FAILED, "killed"),
        ("metrics['rmse'] = 0.3 if on_laptop else 'low'", ExitCode.NOT_COMPARABLE, "str instead of float"),
        ("metrics.pop('x' if on_laptop else 'rmse', None)", ExitCode.NOT_COMPARABLE, "rmse missing"),
    ],
)
@pytest.mark.usefixtures("on_laptop")
def test_every_way_to_fail_has_its_own_exit_code(
    tmp_path: Path, bare_python: Path, image: str, line: str, code: ExitCode, said: str
) -> None:
    root = make_script(tmp_path / "p", bare_python, line)
    _build(root, image)
    limit = 20 if code == ExitCode.TIMED_OUT else 300  # the others end by themselves, however slow this machine is
    done = repro(root, "verify", image, "--memory", "512m", "--timeout", str(limit))
    assert done.code == code, done
    assert said in done.out + done.err, done
    stopped = re.search(r"the run was stopped after (\d+) s", done.out + done.err)
    assert (stopped is not None) == (code == ExitCode.TIMED_OUT), done
    assert stopped is None or int(stopped[1]) >= limit, done


def _running() -> tuple[set[str], set[str], set[str]]:
    """Containers, images with their layers' leftovers, and volumes of the engine."""
    return (
        set(docker("ps", "-aq").out.split()),
        set(docker("images", "-q").out.split()),
        set(docker("volume", "ls", "-q").out.split()),
    )


def _interrupt_when(root: Path, seen: str, *args: str | Path) -> Done:
    """Run a command and press Ctrl-C as soon as it has printed `seen`."""
    return repro_until(root, seen, lambda process: os.killpg(process.pid, signal.SIGINT), *args)


def _processes_with(text: str) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if text in line and "ps -eo" not in line]


def test_ctrl_c_during_capture_leaves_no_lock_and_no_kernel(tmp_path: Path, laptop_python: Path) -> None:
    cells = [CELLS[0], "print('x')", "import time\ntime.sleep(300)"]
    root = make_project(tmp_path / "p", laptop_python, cells)
    (root / "repro.lock").unlink(missing_ok=True)
    done = _interrupt_when(root, "print('x')", "capture", "evaluate me.ipynb")
    assert done.code == ExitCode.INTERRUPTED, done
    assert not (root / "repro.lock").exists()
    assert not _processes_with(str(root))


@pytest.mark.parametrize(("builder", "seen"), [("docker", "building the image: 40 %"), ("oci", "assembling layers")])
def test_ctrl_c_during_build_leaves_nothing_in_the_engine(captured: Captured, builder: str, seen: str) -> None:
    before = _running()
    options = ["--builder", builder, "--no-cache", "-t", "repro-test/never:1"]
    done = _interrupt_when(captured.root, seen, "build", *options)
    assert done.code == ExitCode.INTERRUPTED, done
    assert _running() == before


@pytest.mark.usefixtures("on_laptop")
def test_ctrl_c_during_verify_leaves_nothing_in_the_engine(tmp_path: Path, bare_python: Path, image: str) -> None:
    lines = ["print('here we are', flush=True)", "time.sleep(0 if on_laptop else 300)"]
    root = make_script(tmp_path / "p", bare_python, *lines)
    _build(root, image)
    before = _running()
    done = _interrupt_when(root, "here we are", "verify", image)
    assert done.code == ExitCode.INTERRUPTED, done
    assert _running() == before


def test_the_packed_interpreter_is_the_laptops_version(captured: Captured) -> None:
    lock = parse_lock(captured.lock.read_bytes())
    code = "import platform; print(platform.python_version())"
    done = docker("run", "--rm", "--entrypoint", "/opt/env/bin/python", captured.tag, "-c", code)
    assert done.out.strip() == lock.python.version


def test_the_environment_in_the_image_is_exactly_the_captured_one(captured: Captured) -> None:
    lock = parse_lock(captured.lock.read_bytes())
    code = (
        "import importlib.metadata as m, re\n"
        "for d in m.distributions(): print(re.sub(r'[-_.]+', '-', d.metadata['Name']).lower(), d.version)"
    )
    done = docker("run", "--rm", "--entrypoint", "/opt/env/bin/python", captured.tag, "-c", code)
    assert sorted(done.out.splitlines()) == sorted(f"{package.name} {package.version}" for package in lock.packages)


def test_a_script_goes_the_same_way(tmp_path: Path, bare_python: Path, image: str) -> None:
    root = make_script(tmp_path / "p", bare_python, "os.makedirs('out', exist_ok=True)", "open('out/x', 'w').close()")
    _build(root, image)
    done = repro(root, "verify", image)
    assert done.code == 0, done


@pytest.mark.parametrize("name", ["metrics.json", "metrics.yaml"])
def test_the_usual_metrics_files_are_found_beside_the_subject(tmp_path: Path, bare_python: Path, name: str) -> None:
    root = make_script(tmp_path / "p", bare_python)
    (root / "nested").mkdir()
    text = (root / "evaluate.py").read_text(encoding="utf-8").replace("metrics.json", name)
    (root / "nested" / "evaluate.py").write_text(text, encoding="utf-8")
    (root / "metrics.json").write_text('{"rmse": 7.0}', encoding="utf-8")
    done = repro(root, "capture", "nested/evaluate.py")
    assert done.code == 0, done
    lock = parse_lock((root / "repro.lock").read_bytes())
    assert lock.policy.metrics_files == (f"nested/{name}",)
    assert [metric.value for metric in lock.metrics] == [200, 0.1 + 0.2]


def test_folders_that_the_run_writes_into_are_there(tmp_path: Path, bare_python: Path, image: str) -> None:
    root = make_script(tmp_path / "p", bare_python, "open('plots/x', 'w').close()")
    (root / "plots").mkdir()
    _build(root, image)
    done = repro(root, "verify", image)
    assert done.code == 0, done


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{ not json", "JSON"),
        ('{"cells": 3}', "notebook"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "LFS"),
    ],
)
def test_a_broken_notebook_is_named(project: Path, content: str, said: str) -> None:
    (project / "evaluate me.ipynb").write_text(content, encoding="utf-8")
    done = repro(project, "capture", "evaluate me.ipynb")
    assert done.code == ExitCode.USAGE, done
    assert said in done.err
    assert "evaluate me.ipynb" in done.err
    assert not (project / "repro.lock").exists()


def test_a_failing_cell_is_quoted_and_nothing_is_written(project: Path) -> None:
    write_notebook(project / "evaluate me.ipynb", [CELLS[0], "answer = 6 * 7\nraise RuntimeError('no luck')"])
    done = repro(project, "capture", "evaluate me.ipynb")
    assert done.code == ExitCode.EVALUATION_FAILED, done
    assert "cell 2" in done.err
    assert "answer = 6 * 7" in done.err
    assert "RuntimeError: no luck" in done.err
    assert not (project / "repro.lock").exists()


def test_no_metric_shows_the_ways_to_declare_one(project: Path) -> None:
    write_notebook(project / "evaluate me.ipynb", CELLS[:3])
    done = repro(project, "capture", "evaluate me.ipynb")
    assert done.code == ExitCode.USAGE, done
    for way in ("metrics.json", "tag", "display("):
        assert way in done.err


def test_a_link_out_of_the_project_is_refused_by_name(project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    (project / "data/værdier 1.csv").rename(outside)
    (project / "data/værdier 1.csv").symlink_to(outside)
    done = repro(project, "capture", "evaluate me.ipynb")
    assert done.code == ExitCode.USAGE, done
    assert "data/værdier 1.csv" in done.err
    assert str(outside) in done.err
    assert not (project / "repro.lock").exists()


def test_a_lock_of_an_unknown_version_is_neither_read_nor_overwritten(captured: Captured, tmp_path: Path) -> None:
    root = copy_of(captured, tmp_path / "future")
    text = (
        (root / "repro.lock").read_text(encoding="utf-8").replace(f'version = "{SCHEMA_VERSION}"', 'version = "9.0"', 1)
    )
    (root / "repro.lock").write_text(text, encoding="utf-8")
    for args in (["build"], ["verify", captured.tag], ["inspect", "repro.lock"], ["capture", "evaluate me.ipynb"]):
        done = repro(root, *args)
        assert done.code == ExitCode.TAMPERED, (args, done)
        assert "9.0" in done.err
    assert (root / "repro.lock").read_text(encoding="utf-8") == text


def test_no_engine_is_said_with_what_to_do(captured: Captured) -> None:
    done = repro(captured.root, "verify", captured.tag, env={"DOCKER_HOST": "unix:///nowhere.sock"})
    assert done.code == ExitCode.INFRASTRUCTURE, done
    assert "DOCKER_HOST" in done.err


def test_stored_outputs_are_taken_only_as_unproven(project: Path) -> None:
    assert repro(project, "capture", "evaluate me.ipynb").code == 0
    first = parse_lock((project / "repro.lock").read_bytes())
    (project / "repro.lock").unlink()
    done = repro(project, "capture", "evaluate me.ipynb", "--no-run")
    assert done.code == 0, done
    stored = parse_lock((project / "repro.lock").read_bytes())
    assert not stored.baseline.rerun
    assert {m.name for m in stored.metrics} == {m.name for m in first.metrics}
    assert {f.path for f in stored.files} == {f.path for f in first.files}


def test_a_variable_that_the_image_will_not_have_is_told_by_name_only(
    tmp_path: Path, bare_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_STAGE", "s3cret-stage")
    root = make_script(tmp_path / "p", bare_python, "metrics['stage'] = len(os.environ['MODEL_STAGE'])")
    done = repro(root, "capture", "evaluate.py")
    assert done.code == 0, done
    assert "MODEL_STAGE" in done.out
    assert "s3cret-stage" not in done.out + done.err + (root / "repro.lock").read_text(encoding="utf-8")


def test_a_module_that_no_package_owns_is_refused_by_name(tmp_path: Path, laptop_python: Path) -> None:
    root = make_script(tmp_path / "p", laptop_python, "import copied_by_hand")
    (root / ".venv").unlink()
    shutil.copytree(laptop_python.parent.parent, root / ".venv", symlinks=True)
    (site_packages,) = (root / ".venv").glob("lib/*/site-packages")
    (site_packages / "copied_by_hand.py").write_text("x = 1\n", encoding="utf-8")
    done = repro(root, "capture", "evaluate.py")
    assert done.code == ExitCode.USAGE, done
    assert "copied_by_hand" in done.err
    assert not (root / "repro.lock").exists()
