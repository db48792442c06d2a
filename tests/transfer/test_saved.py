"""Images out of an engine: the real one, and what newer ones send."""

import gzip
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from repro.digest import Digest
from repro.engines import DockerEngine
from repro.errors import InfrastructureError, IntegrityError
from repro.oci.sources import SourceImage
from repro.progress import Silent, Task
from repro.store import ObjectStore
from repro.transfer.saved import saved_image
from tests.oci.forged import Forged, forge, layer
from tests.oci.places import docker_files, entry, index, index_descriptor, layout_files, manifest, tar

AMD64 = "linux/amd64"
LARGE = layer({"opt/": b"", "opt/large": bytes(range(256)) * 8192})
SMALL = layer({"opt/": b"", "opt/small": b"2"})
IMAGE, PACKED = forge(LARGE, SMALL, packed=False), forge(LARGE, SMALL)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "store")


def saved(engine: DockerEngine, digest: str, store: ObjectStore, platform: str = AMD64) -> SourceImage:
    return saved_image(engine, Digest.parse(digest), platform, store=store, progress=Silent())


def same(found: SourceImage, image: Forged = IMAGE) -> bool:
    blobs = []
    for number in range(len(found.layers)):
        with found.open_layer(number) as stream:
            blobs.append(stream.read())
    return (found.manifest, found.config, tuple(blobs)) == (image.manifest, image.config, image.blobs)


@pytest.fixture
def loaded(engine: DockerEngine) -> Iterator[str]:
    tag = f"repro-test-saved:{uuid.uuid4().hex[:8]}"
    engine.client.api.load_image(tar(docker_files({tag: IMAGE})))
    yield IMAGE.id
    engine.client.api.remove_image(tag)


@pytest.mark.engine
def test_the_engines_image_comes_exact_and_once(engine: DockerEngine, loaded: str, store: ObjectStore) -> None:
    assert same(saved(engine, loaded, store))
    gone = DockerEngine(SimpleNamespace(), endpoint="none", source="none")  # type: ignore[arg-type] # is not asked
    assert same(saved(gone, loaded, store))
    assert not list((store.directory / "incoming").iterdir())
    with pytest.raises(IntegrityError, match="for linux/amd64, not for linux/arm64"):
        saved(gone, loaded, store, "linux/arm64")


@pytest.mark.engine
def test_an_image_that_is_half_gone_from_the_cache_is_saved_again(
    engine: DockerEngine, loaded: str, store: ObjectStore
) -> None:
    saved(engine, loaded, store)
    store.discard(IMAGE.diff_ids[0])
    assert same(saved(engine, loaded, store))


@pytest.mark.engine
def test_an_image_that_the_engine_lacks(engine: DockerEngine, store: ObjectStore) -> None:
    with pytest.raises(InfrastructureError, match="the engine has no image"):
        saved(engine, str(Digest.of(b"nothing")), store)


def sending(data: bytes) -> DockerEngine:
    """An engine that sends this for whatever is saved."""
    blocks = [data[start : start + 70_000] for start in range(0, len(data), 70_000)]
    described = {"Id": "sha256:" + "0" * 64, "Os": "linux", "Architecture": "amd64", "Size": 1}
    api = SimpleNamespace(hooks={"response": []}, inspect_image=lambda _: described, get_image=lambda _: iter(blocks))
    client: Any = SimpleNamespace(api=api)
    return DockerEngine(client, endpoint="the tests", source="the tests")


def test_engines_from_version_25_send_layout_and_docker_archive_in_one(store: ObjectStore) -> None:
    files = layout_files([entry(manifest(IMAGE), "x")], [IMAGE])
    path = {digest: f"blobs/sha256/{digest.hex}" for digest in (*IMAGE.diff_ids, Digest.of(IMAGE.config))}
    listed = [{"Config": path[Digest.of(IMAGE.config)], "RepoTags": ["x"], "Layers": [path[d] for d in IMAGE.diff_ids]}]
    files["manifest.json"] = str(listed).replace("'", '"').encode()
    assert same(saved(sending(tar(files)), IMAGE.id, store))


@pytest.mark.parametrize("by", ["manifest", "index"])
def test_engines_with_containerds_store_know_images_by_manifest_or_index(store: ObjectStore, by: str) -> None:
    """Their layers may be compressed, and come out plain here like all others."""
    attestation = forge(SMALL, platform="unknown/unknown")
    top = index([PACKED, attestation])
    listed = index_descriptor(top) if by == "index" else manifest(PACKED)
    files = layout_files([entry(listed, "x")], [PACKED, attestation], [top])
    for _ in range(2):
        assert same(saved(sending(tar(files)), str(listed.digest), store))
        files = {}  # the second time, the cache has it


def test_large_layers_that_are_links_to_others(store: ObjectStore) -> None:
    image = forge(LARGE, LARGE, packed=False)
    files = docker_files({"x": image})
    first, second = (name for name in files if name.endswith("layer.tar"))
    del files[second]
    assert same(saved(sending(tar(files, {second: f"../{first}"})), image.id, store), image)


def test_compressed_layers_of_old_archives_come_out_plain(store: ObjectStore) -> None:
    files = docker_files({"x": PACKED})
    assert same(saved(sending(tar(files)), PACKED.id, store))


@pytest.mark.parametrize("damage", ["another image", "a changed layer", "cut off", "no archive", "a missing layer"])
def test_what_an_engine_sends_is_not_believed(store: ObjectStore, damage: str) -> None:
    files = docker_files({"x": IMAGE})
    large = next(name for name in files if name.endswith("layer.tar"))
    data = {
        "another image": tar(docker_files({"x": forge(SMALL, packed=False)})),
        "a changed layer": tar({**files, large: LARGE[:-1] + b"x"}),
        "cut off": tar(files)[: len(LARGE) // 2],
        "no archive": gzip.compress(tar(files)),
        "a missing layer": tar({name: content for name, content in files.items() if name != large}),
    }[damage]
    with pytest.raises(IntegrityError):
        saved(sending(data), IMAGE.id, store)
    assert not store.has(Digest.of(IMAGE.config))


class Told(Silent):
    """Progress that remembers."""

    def __init__(self) -> None:
        self.titles: list[str] = []

    def start(self, title: str, total: float | None = None, unit: str = "items") -> Task:
        self.titles.append(title)
        return super().start(title, total, unit)


@pytest.mark.engine
def test_progress_calls_the_image_what_it_is_to_the_person(
    engine: DockerEngine, loaded: str, store: ObjectStore
) -> None:
    told = Told()
    saved_image(engine, Digest.parse(loaded), AMD64, store=store, progress=told, what="the image")
    assert told.titles == ["reading the image out of the engine"]
