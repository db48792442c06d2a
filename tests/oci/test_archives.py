"""Archives of images, old and new, plain and compressed: read in place, trusted in nothing."""

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError, UsageError
from repro.oci.archives import DockerArchive, open_archive
from repro.oci.documents import parse_manifest
from repro.oci.image import LAYER, LAYER_GZIP, Descriptor
from repro.oci.locations import Location, is_location, open_location, parse_location
from repro.oci.sources import SourceImage
from repro.oci.streams import open_plain
from repro.oci.tar_files import tar_files
from repro.oci.write_archive import write_archive
from tests.oci.forged import forge, layer
from tests.oci.places import docker_files, entry, layout_files, manifest, tar, write_folder

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

AMD64 = "linux/amd64"
ONE, TWO = layer({"opt/": b"", "opt/one": bytes(range(256)) * 700}), layer({"opt/": b"", "opt/two": b"2"})
PACKED, PLAIN = forge(ONE, TWO), forge(ONE, TWO, packed=False)
OTHER = forge(TWO, packed=False)
COMPRESSIONS: list[Callable[[bytes], bytes]] = [bytes, gzip.compress, zstd.compress]


def saved(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "image.tar"
    path.write_bytes(data)
    return path


def plain_layers(image: SourceImage) -> list[bytes]:
    layers = []
    for number in range(len(image.layers)):
        with open_plain(image, number) as stream:
            layers.append(stream.read())
    return layers


@pytest.mark.parametrize("compress", COMPRESSIONS)
@pytest.mark.parametrize("prefix", ["", "./"])
def test_a_layout_in_a_tar(tmp_path: Path, compress: Callable[[bytes], bytes], prefix: str) -> None:
    files = layout_files([entry(manifest(PACKED), "x")], [PACKED])
    found = open_archive(saved(tmp_path, compress(tar(files, prefix=prefix))), "x", AMD64)
    assert (found.manifest, found.config, found.layers) == (PACKED.manifest, PACKED.config, PACKED.layers)
    assert plain_layers(found) == [ONE, TWO]


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_what_docker_save_writes(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    found = open_archive(saved(tmp_path, compress(tar(docker_files({"a:1": PLAIN})))), "a:1", AMD64)
    assert found.config == PLAIN.config
    expected = tuple(Descriptor(LAYER, Digest.of(data), len(data)) for data in (ONE, TWO))
    assert found.layers == parse_manifest(found.manifest, "made").layers == expected
    assert plain_layers(found) == [ONE, TWO]


def test_the_made_manifest_depends_on_the_image_only(tmp_path: Path) -> None:
    files = docker_files({"a:1": PLAIN})
    turned = dict(reversed(files.items()))
    manifests = {open_archive(saved(tmp_path, tar(one)), None, AMD64).manifest for one in (files, turned)}
    assert manifests == {PLAIN.manifest}


def test_our_own_archive_is_a_layout_first_and_dockers_as_well(tmp_path: Path) -> None:
    path = tmp_path / "ours.tar"
    write_archive([PACKED], path, references=["a:1"])
    assert open_archive(path, None, AMD64).manifest == PACKED.manifest
    docker = DockerArchive(tar_files(path)).pinned(None, AMD64).image
    assert docker.layers == PACKED.layers
    assert plain_layers(docker) == [ONE, TWO]


def test_compressed_layers_of_a_docker_archive_are_known_by_their_blobs(tmp_path: Path) -> None:
    """As kaniko and crane write them."""
    path = saved(tmp_path, tar(docker_files({"a:1": PACKED})))
    found = open_archive(path, None, AMD64)
    assert [one.media_type for one in found.layers] == [LAYER_GZIP, LAYER_GZIP]
    assert found.layers == PACKED.layers
    assert plain_layers(found) == [ONE, TWO]


def test_several_images_in_one_archive(tmp_path: Path) -> None:
    path = saved(tmp_path, tar(docker_files({"a:1": PLAIN, "b:1": OTHER})))
    archive = DockerArchive(tar_files(path))
    assert archive.references() == ("a:1", "b:1")
    assert archive.pinned("b:1", AMD64).image.config == OTHER.config
    assert archive.pinned(f"@{OTHER.id}", AMD64).image.config == OTHER.config
    for digest in (Digest.of(OTHER.config), OTHER.digest):
        found = archive.with_digest(digest, AMD64)
        assert found is not None
        assert found.config == OTHER.config
    assert archive.with_digest(Digest.of(OTHER.config), "linux/arm64") is None
    with pytest.raises(UsageError, match="several images") as caught:
        archive.pinned(None, AMD64)
    assert caught.value.fix == "Name one of these: a:1, b:1."
    with pytest.raises(UsageError, match="no image c:1"):
        archive.pinned("c:1", AMD64)
    with pytest.raises(UsageError, match="no image for linux/arm64, only for linux/amd64"):
        archive.pinned("a:1", "linux/arm64")


def test_an_image_without_a_name_is_offered_by_its_id(tmp_path: Path) -> None:
    path = saved(tmp_path, tar(docker_files({"": PLAIN})))
    assert open_archive(path, None, AMD64).config == PLAIN.config
    with pytest.raises(UsageError) as caught:
        open_archive(path, "a:1", AMD64)
    assert caught.value.fix == f"Name one of these: @{PLAIN.id}."


def test_layers_may_be_links_to_others(tmp_path: Path) -> None:
    """As `docker save` writes a layer that comes twice."""
    twice = forge(ONE, ONE, packed=False)
    files = docker_files({"a:1": twice})
    first, second = json.loads(files["manifest.json"])[0]["Layers"]
    del files[second]
    path = saved(tmp_path, tar(files, links={second: f"../{first}"}))
    assert plain_layers(open_archive(path, None, AMD64)) == [ONE, ONE]


@pytest.mark.parametrize("target", ["../../../etc/passwd", "/etc/passwd", "layer.tar", "nowhere"])
def test_links_lead_nowhere_outside(tmp_path: Path, target: str) -> None:
    files = docker_files({"a:1": OTHER})
    (first,) = json.loads(files["manifest.json"])[0]["Layers"]
    del files[first]
    with pytest.raises(IntegrityError, match="is missing"):
        open_archive(saved(tmp_path, tar(files, links={first: target})), None, AMD64)


def test_paths_lead_nowhere_outside(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(TWO)
    files = docker_files({"a:1": OTHER})
    for path in ("../secret", str(tmp_path / "secret")):
        item = {**json.loads(files["manifest.json"])[0], "Layers": [path]}
        changed = {**files, "manifest.json": json.dumps([item]).encode()}
        with pytest.raises(IntegrityError, match="is missing"):
            open_archive(saved(tmp_path, tar(changed)), None, AMD64)


def test_a_changed_layer_is_found_out_when_it_is_read(tmp_path: Path) -> None:
    files = docker_files({"a:1": PLAIN})
    path = json.loads(files["manifest.json"])[0]["Layers"][0]
    files[path] = ONE[:-1] + b"x"
    found = open_archive(saved(tmp_path, tar(files)), None, AMD64)
    with pytest.raises(IntegrityError, match="content is"):
        plain_layers(found)


@pytest.mark.parametrize("compress", COMPRESSIONS)
@pytest.mark.parametrize("part", [0.3, 0.6])
def test_an_archive_that_was_cut_off(tmp_path: Path, compress: Callable[[bytes], bytes], part: float) -> None:
    files = {"manifest.json": docker_files({"a:1": PLAIN})["manifest.json"], **docker_files({"a:1": PLAIN})}
    data = compress(tar(files))
    with pytest.raises(IntegrityError):
        plain_layers(open_archive(saved(tmp_path, data[: int(len(data) * part)]), None, AMD64))


def items(*found: Any) -> bytes:
    return json.dumps(list(found)).encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "not JSON"),
        (b"{}", "must be a list"),
        (items({}), r"\[0\]\.Config: must be a text"),
        (items({"Config": "c", "Layers": [1]}), r"\[0\]\.Layers\[0\]: must be a text"),
        (items({"Config": "nowhere.json", "Layers": []}), "nowhere.json is missing"),
    ],
)
def test_a_damaged_list_of_images(tmp_path: Path, data: bytes, message: str) -> None:
    path = saved(tmp_path, tar({"manifest.json": data}))
    with pytest.raises(IntegrityError, match=message):
        open_archive(path, None, AMD64)


def test_too_few_layers(tmp_path: Path) -> None:
    files = docker_files({"a:1": PLAIN})
    item = json.loads(files["manifest.json"])[0]
    files["manifest.json"] = items({**item, "Layers": item["Layers"][:1]})
    with pytest.raises(IntegrityError, match="layers listed: 1; in the configuration: 2"):
        open_archive(saved(tmp_path, tar(files)), None, AMD64)


def test_what_is_no_archive_of_images(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"it has no manifest\.json"):
        open_archive(saved(tmp_path, tar({"a": b""})), None, AMD64)
    with pytest.raises(IntegrityError, match="no tar archive, or a damaged one"):
        open_archive(saved(tmp_path, b"what is this?" * 100), None, AMD64)
    with pytest.raises(InfrastructureError, match="can't read"):
        open_archive(tmp_path / "nowhere.tar", None, AMD64)


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("oci:some/dir", Location("oci", Path("some/dir"), None)),
        ("oci:/dir:docker.io/library/base:1", Location("oci", Path("/dir"), "docker.io/library/base:1")),
        ("oci:dir:@sha256:00", Location("oci", Path("dir"), "@sha256:00")),
        ("oci-archive:a.tar", Location("oci-archive", Path("a.tar"), None)),
        ("docker-archive:a.tar:base:1", Location("docker-archive", Path("a.tar"), "base:1")),
        ("oci:C:\\images:x", Location("oci", Path("C:\\images"), "x")),
        ("some/dir", Location(None, Path("some/dir"), None)),
    ],
)
def test_how_places_are_written(text: str, location: Location) -> None:
    assert parse_location(text) == location
    assert is_location(text) == (location.kind is not None)


def test_each_kind_of_place_is_opened(tmp_path: Path) -> None:
    files = layout_files([entry(manifest(PACKED), "x")], [PACKED])
    write_folder(tmp_path / "layout", files)
    (tmp_path / "oci.tar").write_bytes(tar(files))
    (tmp_path / "docker.tar").write_bytes(tar(docker_files({"a:1": PLAIN})))
    expected = {
        "oci:layout": PACKED,
        "layout": PACKED,
        "oci-archive:oci.tar": PACKED,
        "oci.tar": PACKED,
        "docker-archive:docker.tar": PLAIN,
        "docker.tar": PLAIN,
    }
    for text, image in expected.items():
        assert open_location(parse_location(text), tmp_path).pinned(None, AMD64).image.manifest == image.manifest


@pytest.mark.parametrize("text", ["oci:docker.tar", "oci-archive:.", "oci:none", "none", "oci-archive:docker.tar"])
def test_something_else_at_a_place(tmp_path: Path, text: str) -> None:
    (tmp_path / "docker.tar").write_bytes(tar(docker_files({"a:1": PLAIN})))
    with pytest.raises(UsageError):
        open_location(parse_location(text), tmp_path)


@pytest.mark.parametrize("form", ["oci", "oci-archive", "docker-archive"])
def test_what_skopeo_writes_is_read(tmp_path: Path, form: str) -> None:
    source = tmp_path / "source.tar"
    write_archive([PACKED], source, references=["a:1"])
    place = f"{form}:{tmp_path}/{'folder' if form == 'oci' else 'file.tar'}"
    subprocess.run(["skopeo", "copy", f"oci-archive:{source}", f"{place}:base:1"], check=True, capture_output=True)
    found = open_location(parse_location(place)).pinned("base:1", AMD64).image
    assert plain_layers(found) == [ONE, TWO]
    assert form == "docker-archive" or found.manifest == PACKED.manifest
