"""The example that lives in conda, from the laptop's environment to a verified image, and what goes wrong there."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from repro.engines import ImageInfo
from repro.errors import ExitCode
from repro.lock import Lock, load_lock
from tests.conda_channel.environments import make_environment, pip_install
from tests.conda_channel.server import ChannelServer, serving
from tests.conda_channel.shared import Channels
from tests.conda_channel.styles import rewrite_as_conda
from tests.loop.conftest import Done, repro

pytestmark = pytest.mark.base

EXAMPLE = Path(__file__).parents[2] / "examples" / "wine-conda"
SPECS = ("python=3.11", "ipykernel", "numpy>=1.26", "scikit-learn>=1.4", "pip", "libdemo")
SCRIPT = "import json, numpy\njson.dump({'norm': float(numpy.linalg.norm([3.0, 4.0]))}, open('metrics.json', 'w'))\n"


@dataclass(frozen=True)
class Laptop:
    """A data scientist's machine: an environment from a channel, and a folder for downloads of its own."""

    prefix: Path
    server: ChannelServer
    cache: Path

    def repro(self, root: Path, *args: str | Path) -> Done:
        """A command, without conda's package cache in reach."""
        return repro(root, *args, env={"REPRO_CACHE_DIR": str(self.cache)})


@dataclass(frozen=True)
class Captured:
    """The example captured and built. Tests must not change it."""

    laptop: Laptop
    root: Path
    capture: Done
    build: Done

    @property
    def lock(self) -> Lock:
        """What capture wrote."""
        return load_lock(self.root / "repro.lock")[0]


def project(root: Path) -> Path:
    """A copy of the example, on the base that is here."""
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns(".repro", "repro.lock", "metrics.json"))
    with (root / "repro.toml").open("a", encoding="utf-8") as settings:
        settings.write("\n[base]\nimage = 'repro-base:bookworm'\n")
    return root


@pytest.fixture(scope="module")
def captured(
    tmp_path_factory: pytest.TempPathFactory, conda_channel: Channels, base_image: ImageInfo
) -> Iterator[Captured]:
    """As the example's README says, but for the tool that makes the environment and the channel that it comes from."""
    folder = tmp_path_factory.mktemp("wine")
    prefix = folder / "envs" / "wine"
    with serving(conda_channel.folder) as server:
        make_environment(server.url(), SPECS, prefix, conda_channel.cache)
        rewrite_as_conda(prefix)
        pip_install(prefix, "tabulate>=0.9")
        laptop = Laptop(prefix, server, folder / "cache")
        root = project(folder / "project")
        capture = laptop.repro(root, "capture", "wine.ipynb", "--python", prefix / "bin" / "python")
        assert capture.code == 0, capture
        build = laptop.repro(root, "build", "--output", "oci:image")
        assert build.code == 0, build
        yield Captured(laptop, root, capture, build)


def manifest(root: Path) -> str:
    """The digest of the image's manifest."""
    index = json.loads((root / "image" / "index.json").read_bytes())
    return str(index["manifests"][0]["digest"])


def verify(root: Path) -> Done:
    return repro(root, "verify", "oci:image", "--engine", "bubblewrap", "--json")


def test_the_lock_has_every_conda_package_as_it_is_installed(captured: Captured) -> None:
    lock = captured.lock
    records = [json.loads(path.read_bytes()) for path in (captured.laptop.prefix / "conda-meta").glob("*.json")]
    assert {(one.name, one.version, one.build, one.sha256.hex) for one in lock.conda} == {
        (one["name"], one["version"], one["build"], one["sha256"]) for one in records
    }
    assert lock.python.supply == "conda"
    assert lock.python.packed is None
    assert [package.name for package in lock.packages] == ["tabulate"]


def test_the_metrics_are_equal_bit_for_bit(captured: Captured) -> None:
    done = verify(captured.root)
    assert done.code == 0, done
    metrics = {metric["name"]: metric for metric in json.loads(done.out)["metrics"]}
    assert set(metrics) == {"accuracy", "f1_macro", "log_loss", "n_test"}
    assert all(metric["measured"] == metric["baseline"] for metric in metrics.values())


def test_what_activation_sets_is_there_in_the_image(captured: Captured) -> None:
    assert captured.lock.environment.variables["LIBDEMO_DATA"] == "/opt/env/share/libdemo"


def test_a_second_capture_changes_nothing(captured: Captured) -> None:
    before = (captured.root / "repro.lock").read_bytes()
    done = captured.laptop.repro(
        captured.root, "capture", "wine.ipynb", "--python", captured.laptop.prefix / "bin" / "python"
    )
    assert done.code == 0, done
    assert (captured.root / "repro.lock").read_bytes() == before


def test_another_machine_makes_the_same_layers(captured: Captured, tmp_path: Path) -> None:
    """Nothing but the project and the lock: every package comes from the channel again."""
    root = tmp_path / "elsewhere"
    shutil.copytree(captured.root, root, ignore=shutil.ignore_patterns("image", "runs", "cache"))
    done = repro(root, "build", "--output", "oci:image", env={"REPRO_CACHE_DIR": str(tmp_path / "cache")})
    assert done.code == 0, done
    assert manifest(root) == manifest(captured.root)


def test_a_package_that_the_channel_lost_is_named_with_its_place(captured: Captured, tmp_path: Path) -> None:
    numpy = next(one for one in captured.lock.conda if one.name == "numpy")
    captured.laptop.server.lost.add(numpy.file)
    try:
        env = {"REPRO_CACHE_DIR": str(tmp_path / "cache")}
        done = repro(captured.root, "build", "--output", f"oci:{tmp_path / 'image'}", env=env)
    finally:
        captured.laptop.server.lost.clear()
    assert done.code == ExitCode.INFRASTRUCTURE, done
    assert numpy.file in done.err
    assert captured.laptop.server.url() in done.err
    assert not (tmp_path / "image").exists()


def test_a_package_that_pip_overwrote_is_reported_and_locked_as_it_is(
    conda_channel: Channels, conda_server: ChannelServer, base_image: ImageInfo, tmp_path: Path
) -> None:
    prefix = tmp_path / "envs" / "mixed"
    make_environment(conda_server.url(), ("python=3.11", "numpy", "pip"), prefix, conda_channel.cache, copy=True)
    older = "2.0.2"
    pip_install(prefix, f"numpy=={older}")
    root = tmp_path / "project"
    root.mkdir()
    (root / "evaluate.py").write_text(SCRIPT, encoding="utf-8")
    (root / "repro.toml").write_text("[base]\nimage = 'repro-base:bookworm'\n", encoding="utf-8")
    done = repro(root, "capture", "evaluate.py", "--python", prefix / "bin" / "python")
    assert done.code == 0, done
    assert "and pip then put numpy" in done.out
    assert older in done.out
    lock = load_lock(root / "repro.lock")[0]
    assert [(package.name, package.version) for package in lock.packages] == [("numpy", older)]
    assert (built := repro(root, "build", "--output", "oci:image")).code == 0, built
    done = verify(root)
    assert done.code == 0, done


def test_no_conda_is_on_the_path(captured: Captured) -> None:
    assert [shutil.which(name) for name in ("conda", "mamba", "micromamba", "pixi")] == [None] * 4
    assert "CONDA_EXE" not in os.environ
