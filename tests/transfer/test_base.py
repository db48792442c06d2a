"""The locked base, from every place that it can be in; by its digest and nothing else."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from repro.digest import Digest
from repro.engines import DockerEngine, ImageInfo
from repro.errors import InfrastructureError, IntegrityError, UsageError
from repro.files import DiskError
from repro.lock import Base, BaseSource
from repro.oci.image import Image
from repro.oci.kept import keep
from repro.oci.streams import open_plain
from repro.oci.write_archive import write_archive
from repro.oci.write_layout import write_layout
from repro.progress import Silent
from repro.registry import NotFoundError, Registry
from repro.store import ObjectStore
from repro.transfer.base import find_base, is_base_kept, pullable
from repro.transfer.plain import keep_plain
from tests.oci.forged import Forged, forge, layer
from tests.oci.places import docker_files, tar
from tests.registry import server
from tests.registry.server import RunningRegistry, running

AMD64, ARM64 = "linux/amd64", "linux/arm64"
ONE, TWO = layer({"opt/": b"", "opt/one": b"1" * 5000}), layer({"opt/": b"", "opt/two": b"2"})
IMAGE, ARM = forge(ONE, TWO), forge(TWO, platform=ARM64)
PLAIN = forge(ONE, TWO, packed=False)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "cache")


def locked(digest: Digest, source: BaseSource = "registry", reference: str = "localhost:9/base:1") -> Base:
    return Base(reference, digest, source, None, None, "2.36")


def find(
    base: Base, store: ObjectStore, *, given: str | None = None, target: str = AMD64, engine: DockerEngine | None = None
) -> Image:
    return find_base(
        base,
        target,
        given=given,
        cache=store,
        engine=lambda: engine,
        registry=Registry(environ={"HOME": str(store.directory)}),
        progress=Silent(),
    )


def same(found: Image, image: Forged, plain: Sequence[bytes] = (ONE, TWO)) -> bool:
    layers = []
    for number in range(len(found.layers)):
        with open_plain(found, number) as stream:
            layers.append(stream.read())
    facts = (found.manifest, found.config, found.layers, found.platform, layers)
    return facts == (image.manifest, image.config, image.layers, image.platform, list(plain))


def places(tmp_path: Path, *images: Forged) -> tuple[Digest, dict[str, str]]:
    """The images in a layout and in an archive."""
    layout, archive = tmp_path / "layout", tmp_path / "archive.tar"
    digest = write_layout(images, layout, references=["team/base:1"])
    write_archive(images, archive, references=["team/base:1"])
    forms = {"oci": f"oci:{layout}", "oci-archive": f"oci-archive:{archive}"}
    return digest, {**forms, "named": f"oci:{layout}:team/base:1", "directory": str(layout), "file": str(archive)}


@pytest.fixture
def registry(tmp_path_factory: pytest.TempPathFactory) -> RunningRegistry:
    with running(tmp_path_factory.mktemp("registry")) as found:
        yield found  # type: ignore[misc]


def test_a_base_from_a_registry_is_kept_and_then_needs_none(registry: RunningRegistry, store: ObjectStore) -> None:
    top = server.push_image(registry.host, "team/base:1", IMAGE, ARM)
    base = locked(top, reference=f"{registry.host}/team/base:moved")
    assert same(find(base, store), IMAGE)
    assert same(find(base, store, target=ARM64), ARM, [TWO])
    registry.process.terminate()
    registry.process.wait()
    assert same(find(base, store), IMAGE)


def test_a_base_pinned_by_one_manifest(registry: RunningRegistry, store: ObjectStore) -> None:
    server.push_image(registry.host, "team/base:1", IMAGE)
    base = locked(IMAGE.digest, reference=f"{registry.host}/team/base")
    assert same(find(base, store), IMAGE)
    with pytest.raises(NotFoundError, match="not for linux/arm64, only for linux/amd64") as caught:
        find(base, store, target=ARM64)
    assert caught.value.where == "repro.lock: base"


def test_a_registry_that_cannot_be_reached_leaves_ways_out(store: ObjectStore) -> None:
    with pytest.raises(InfrastructureError, match=r"localhost:9/base:1 \(sha256:.*can't be pulled") as caught:
        find(locked(IMAGE.digest), store)
    assert "--base oci:DIRECTORY" in str(caught.value.fix)


def test_a_cache_that_cannot_be_written_is_no_failed_pull(registry: RunningRegistry, store: ObjectStore) -> None:
    server.push_image(registry.host, "team/base:1", IMAGE)
    store.directory.write_bytes(b"not a directory")
    with pytest.raises(DiskError, match="can't write") as caught:
        find(locked(IMAGE.digest, reference=f"{registry.host}/team/base"), store)
    assert str(caught.value.where).startswith(str(store.directory))
    assert "--base" not in str(caught.value.fix)


@pytest.mark.parametrize("source", ["registry", "layout"])
@pytest.mark.parametrize("form", ["oci", "oci-archive", "named", "directory", "file"])
def test_a_named_place_is_the_only_one(tmp_path: Path, store: ObjectStore, form: str, source: BaseSource) -> None:
    digest, forms = places(tmp_path, IMAGE, ARM)
    assert same(find(locked(digest, source), store, given=forms[form]), IMAGE)
    assert same(find(locked(ARM.digest, source), store, given=forms[form], target=ARM64), ARM, [TWO])
    assert not store.directory.exists()
    with pytest.raises(UsageError, match="is not in there") as caught:
        find(locked(Digest.of(b"other"), source), store, given=forms[form])
    assert "team/base:1" in caught.value.details
    assert caught.value.where == forms[form]


def test_a_named_place_for_other_platforms(tmp_path: Path, store: ObjectStore) -> None:
    digest, forms = places(tmp_path, IMAGE, ARM)
    with pytest.raises(UsageError, match="only for linux/amd64, linux/arm64"):
        find(locked(digest), store, given=forms["oci"], target="linux/s390x")
    with pytest.raises(UsageError, match="only for linux/arm64"):
        find(locked(ARM.digest), store, given=forms["oci"])


def test_a_base_that_an_engine_has_is_the_same_from_every_archive(tmp_path: Path, store: ObjectStore) -> None:
    _, forms = places(tmp_path, IMAGE)
    (tmp_path / "saved.tar").write_bytes(tar(docker_files({"base:1": PLAIN})))
    for given in (*forms.values(), f"docker-archive:{tmp_path}/saved.tar", str(tmp_path / "saved.tar")):
        assert same(find(locked(Digest.of(IMAGE.config), "engine", "base:1"), store, given=given), PLAIN)
    with pytest.raises(UsageError, match="is not in there") as caught:
        find(locked(Digest.of(ARM.config), "engine"), store, given=f"docker-archive:{tmp_path}/saved.tar")
    assert "docker save" in str(caught.value.fix)


def test_a_changed_layer_in_a_named_place_is_found_out(tmp_path: Path, store: ObjectStore) -> None:
    _, forms = places(tmp_path, IMAGE)
    path = tmp_path / "layout" / "blobs" / "sha256" / IMAGE.layers[0].digest.hex
    path.write_bytes(IMAGE.blobs[0][:-1] + b"x")
    with pytest.raises(IntegrityError, match="content is"):
        find(locked(Digest.of(IMAGE.config), "engine"), store, given=forms["oci"])
    with pytest.raises(IntegrityError, match="content is"):
        same(find(locked(IMAGE.digest), store, given=forms["oci"]), IMAGE)


def test_a_base_from_a_layout_is_in_the_cache_or_has_to_be_named(store: ObjectStore) -> None:
    base = locked(IMAGE.digest, "layout", "base")
    with pytest.raises(InfrastructureError, match="not in the cache, and no registry has it") as caught:
        find(base, store)
    assert "oci:DIRECTORY" in str(caught.value.fix)
    keep(IMAGE, store)
    assert same(find(base, store), IMAGE)
    with pytest.raises(IntegrityError, match="for linux/amd64, not for linux/arm64"):
        find(base, store, target=ARM64)


def test_whether_all_of_a_base_is_in_the_cache(store: ObjectStore) -> None:
    bases = [locked(IMAGE.digest, "layout", "base"), locked(IMAGE.digest), locked(Digest.of(IMAGE.config), "engine")]
    assert [is_base_kept(base, AMD64, store) for base in bases] == [False, False, False]
    keep(IMAGE, store)
    keep_plain(IMAGE, store)
    assert [is_base_kept(base, AMD64, store) for base in bases] == [True, True, True]
    assert [is_base_kept(base, ARM64, store) for base in bases] == [False, False, False]
    store.discard(IMAGE.layers[1].digest)
    store.discard(IMAGE.diff_ids[1])
    assert [is_base_kept(base, AMD64, store) for base in bases] == [False, False, False]


def test_a_base_from_a_layout_may_also_be_in_the_registry_that_it_is_called_by(
    registry: RunningRegistry, store: ObjectStore
) -> None:
    server.push_image(registry.host, "team/base:1", IMAGE)
    assert same(find(locked(IMAGE.digest, "layout", f"{registry.host}/team/base:1"), store), IMAGE)


def test_names_that_say_a_registry() -> None:
    assert pullable("ghcr.io/team/base:1") is not None
    assert pullable("docker.io/library/python:3.11") is not None
    for text in ("base", "base:1", "team/base:1", "Not A Name", "index.docker.io/x"):
        assert pullable(text) is None


@pytest.mark.engine
def test_the_engines_own_base(engine: DockerEngine, base_image: ImageInfo, store: ObjectStore) -> None:
    base = locked(Digest.parse(base_image.id), "engine", "repro-base:bookworm")
    found = find(base, store, engine=engine)
    assert (str(Digest.of(found.config)), found.platform) == (base_image.id, AMD64)
    assert tuple(map(str, found.diff_ids)) == base_image.diff_ids
    assert find(base, store).manifest == found.manifest


@pytest.mark.engine
def test_an_engine_with_another_image_of_that_name(engine: DockerEngine, store: ObjectStore) -> None:
    base = locked(Digest.of(b"other"), "engine", "repro-base:bookworm")
    with pytest.raises(InfrastructureError, match="the image that is called so in this engine is sha256") as caught:
        find(base, store, engine=engine)
    assert "docker load" in str(caught.value.fix)
    with pytest.raises(InfrastructureError, match="no container engine answers"):
        find(base, store)
