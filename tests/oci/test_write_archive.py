"""Archives that every kind of engine loads: their members, and what real programs make of them."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from repro.engines import DockerEngine
from repro.errors import IntegrityError, UsageError
from repro.oci.write_archive import write_archive
from tests.oci.forged import Forged, forge, layer

ONE = layer({"opt/": b"", "opt/one": b"1" * 5000})
TWO = layer({"opt/": b"", "opt/two": b"2" * 700})


@pytest.fixture
def image() -> Forged:
    return forge(ONE, TWO)


def members(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = archive.getmembers()
        assert {(one.mode, one.mtime, one.uid, one.gid, one.uname) for one in found} == {(0o644, 315532800, 0, 0, "")}
        return {one.name: archive.extractfile(one).read() for one in found}  # type: ignore[union-attr]


def written(*images: Forged, references: tuple[str, ...] = ("churn:1",)) -> bytes:
    stream = io.BytesIO()
    write_archive(images, stream, references=references)
    return stream.getvalue()


def test_it_is_a_layout_and_a_docker_archive_over_the_same_blobs(image: Forged) -> None:
    found = members(written(image, references=("churn:1", "ghcr.io/me/churn:1", "me/churn:1")))
    paths = [f"blobs/sha256/{one.digest.hex}" for one in image.layers]
    config = f"blobs/sha256/{image.id.removeprefix('sha256:')}"
    assert list(found) == [
        "oci-layout",
        "index.json",
        "manifest.json",
        f"blobs/sha256/{image.digest.hex}",
        config,
        *paths,
    ]
    assert json.loads(found["manifest.json"]) == [
        {"Config": config, "RepoTags": ["churn:1", "ghcr.io/me/churn:1", "me/churn:1"], "Layers": paths}
    ]
    assert [found[path] for path in paths] == list(image.blobs)
    annotations = [entry["annotations"] for entry in json.loads(found["index.json"])["manifests"]]
    assert [one["io.containerd.image.name"] for one in annotations] == [
        "docker.io/library/churn:1",
        "ghcr.io/me/churn:1",
        "docker.io/me/churn:1",
    ]
    assert annotations[1]["org.opencontainers.image.ref.name"] == "ghcr.io/me/churn:1"


def test_the_bytes_depend_on_nothing_else(image: Forged, tmp_path: Path) -> None:
    for name, mask in (("a", 0o077), ("b", 0o022)):
        before = os.umask(mask)
        assert write_archive([image], tmp_path / name, references=["churn:1"]) == image.digest
        os.umask(before)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == written(forge(ONE, TWO))
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_a_layer_that_is_there_twice_is_stored_once() -> None:
    image = forge(ONE, TWO, ONE)
    found = members(written(image))
    assert len(found) == 3 + 2 + 2
    assert len(json.loads(found["manifest.json"])[0]["Layers"]) == 3


def test_of_several_platforms_the_first_has_the_names(image: Forged) -> None:
    other = forge(ONE, platform="linux/arm64")
    found = members(written(image, other))
    assert [one["RepoTags"] for one in json.loads(found["manifest.json"])] == [["churn:1"], []]
    (entry,) = json.loads(found["index.json"])["manifests"]
    index = json.loads(found[f"blobs/sha256/{entry['digest'].removeprefix('sha256:')}"])
    assert [one["digest"] for one in index["manifests"]] == [str(image.digest), str(other.digest)]


def test_a_tampered_layer_leaves_the_file_as_it_was(image: Forged, tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(b"before")
    with pytest.raises(IntegrityError, match=image.layers[1].digest.hex):
        write_archive([image.with_blob(1, image.blobs[0])], path, references=["churn:1"])
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("image.tar", b"before")]


@pytest.mark.parametrize("reference", ["churn", "localhost:5000/churn", "churn@sha256:" + "0" * 64])
def test_names_need_a_tag(image: Forged, tmp_path: Path, reference: str) -> None:
    with pytest.raises(UsageError, match="name with a tag"):
        write_archive([image], tmp_path / "image.tar", references=[reference])
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def file(image: Forged, tmp_path: Path) -> Path:
    path = tmp_path / "image.tar"
    write_archive([image], path, references=["repro-test-archive:1"])
    return path


@pytest.fixture
def _removed(engine: DockerEngine, image: Forged) -> Iterator[None]:
    yield
    engine.client.api.remove_image(image.id, force=True)


@pytest.mark.engine
@pytest.mark.usefixtures("_removed")
def test_the_engine_loads_it(engine: DockerEngine, image: Forged, file: Path) -> None:
    with file.open("rb") as stream:
        assert not [item for item in engine.client.api.load_image(stream, quiet=False) if "error" in item]
    found = engine.image("repro-test-archive:1")
    assert found is not None
    assert found.id == image.id
    assert found.diff_ids == tuple(map(str, image.diff_ids))


def run(*command: object) -> str:
    if shutil.which(str(command[0])) is None:
        pytest.fail(f"{command[0]} is needed; on Debian and Ubuntu: apt-get install {command[0]}")
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("form", ["oci-archive:{}:repro-test-archive:1", "docker-archive:{}"])
def test_skopeo_reads_it_and_keeps_every_byte(image: Forged, file: Path, tmp_path: Path, form: str) -> None:
    source = form.format(file)
    assert len(json.loads(run("skopeo", "inspect", source))["Layers"]) == 2
    assert run("skopeo", "inspect", "--config", "--raw", source).encode() == image.config
    run("skopeo", "copy", source, f"oci:{tmp_path}/copy:x")
    (entry,) = json.loads((tmp_path / "copy/index.json").read_bytes())["manifests"]
    copied = {path.name for path in (tmp_path / "copy/blobs/sha256").iterdir()}
    if form.startswith("oci"):  # from the other form, skopeo makes a manifest and a configuration of its own
        assert entry["digest"] == str(image.digest)
        assert copied == {path.removeprefix("blobs/sha256/") for path in members(file.read_bytes()) if "sha256" in path}


def test_umoci_unpacks_its_layout(file: Path, tmp_path: Path) -> None:
    with tarfile.open(file) as archive:
        archive.extractall(tmp_path / "layout", filter="data")
    (tmp_path / "layout/manifest.json").unlink()
    run("umoci", "unpack", "--rootless", "--image", f"{tmp_path}/layout:repro-test-archive:1", tmp_path / "bundle")
    assert (tmp_path / "bundle/rootfs/opt/two").read_bytes() == b"2" * 700


@pytest.fixture
def podman() -> Iterator[tuple[object, ...]]:
    """A podman with an empty storage of its own, at a path that is short enough for it."""
    with tempfile.TemporaryDirectory(prefix="podman-") as folder:
        command = ("podman", "--root", f"{folder}/root", "--runroot", f"{folder}/run", "--storage-driver", "vfs")
        yield command
        run(*command, "rmi", "--all", "--force")


@pytest.mark.parametrize("form", ["oci-archive:{}", "docker-archive:{}"])
def test_podman_loads_it(podman: tuple[object, ...], image: Forged, file: Path, form: str) -> None:
    run(*podman, "pull", "--quiet", form.format(file))
    (found,) = json.loads(run(*podman, "image", "inspect", image.id))
    assert found["RootFS"]["Layers"] == list(map(str, image.diff_ids))
    assert [name.rpartition("/")[2] for name in found["RepoTags"]] == ["repro-test-archive:1"]


def test_what_a_killed_writer_left_goes_with_the_next_write(image: Forged, tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from repro.oci import tar\n"
        "from repro.oci.write_archive import write_archive\n"
        "from tests.oci.forged import forge, layer\n"
        "image = forge(layer({'opt/': b''}))\n"
        "def die(entries):\n"
        "    yield b'half'\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "tar.stream = die\n"
        "write_archive([image], Path(sys.argv[1]), references=['x:1'])\n"
    )
    target = tmp_path / "image.tar"
    subprocess.run([sys.executable, "-c", code, target], check=False)
    assert [path.name[:11] for path in tmp_path.iterdir()] == [".image.tar."]
    write_archive([image], target, references=["churn:1"])
    assert [path.name for path in tmp_path.iterdir()] == ["image.tar"]
