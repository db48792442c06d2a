"""Images in an object store: kept once, checked, and told apart from what only looks like them."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError
from repro.oci.image import Descriptor
from repro.oci.kept import is_kept, keep, kept_image, nowhere, stored_image
from repro.oci.sources import prefetch
from repro.oci.streams import drain, open_plain
from repro.store import ObjectStore
from tests.oci.forged import forge, layer
from tests.oci.places import index

ONE, TWO = layer({"opt/one": b"1" * 5000}), layer({"opt/two": b"2"})
IMAGE, ARM = forge(ONE, TWO), forge(TWO, platform="linux/arm64")


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "store")


def test_what_is_kept_is_found_by_its_digest(store: ObjectStore) -> None:
    keep(IMAGE, store)
    found = kept_image(IMAGE.digest, "linux/amd64", "base", store, nowhere)
    assert found is not None
    assert (found.manifest, found.config) == (IMAGE.manifest, IMAGE.config)
    for number, blob in enumerate(IMAGE.blobs):
        with found.open_layer(number) as stream:
            assert stream.read() == blob
    assert kept_image(ARM.digest, "linux/amd64", "base", store, nowhere) is None


def test_layers_are_copied_once(store: ObjectStore) -> None:
    image = forge(ONE, TWO)
    keep(image, store)
    keep(image, store)
    assert image.opened == [0, 1]


def test_an_index_is_found_when_its_image_for_the_platform_is_there(store: ObjectStore) -> None:
    top = store.add_bytes(index([IMAGE, ARM]))
    assert kept_image(top, "linux/arm64", "base", store, nowhere) is None
    keep(ARM, store)
    found = kept_image(top, "linux/arm64", "base", store, nowhere)
    assert found is not None
    assert found.manifest == ARM.manifest
    with pytest.raises(IntegrityError, match="for linux/amd64, linux/arm64, not for linux/s390x"):
        kept_image(top, "linux/s390x", "base", store, nowhere)


def test_a_damaged_layer_is_not_kept(store: ObjectStore) -> None:
    changed = IMAGE.with_blob(1, IMAGE.blobs[1][:-1] + b"x")
    with pytest.raises(IntegrityError, match="content is"):
        keep(changed, store)
    assert not store.has(Digest.of(changed.blobs[1]))
    assert kept_image(IMAGE.digest, "linux/amd64", "base", store, nowhere) is None


def test_a_damaged_document_counts_as_missing_and_goes(store: ObjectStore) -> None:
    keep(IMAGE, store)
    path = store.path(Digest.of(IMAGE.config))
    path.chmod(0o644)
    path.write_bytes(b"{}")
    assert kept_image(IMAGE.digest, "linux/amd64", "base", store, nowhere) is None
    assert not path.exists()


def test_a_layer_that_went_missing_is_brought_again(store: ObjectStore) -> None:
    keep(IMAGE, store)
    store.discard(IMAGE.layers[1].digest)
    path = store.path(IMAGE.layers[0].digest)
    path.chmod(0o644)
    path.write_bytes(b"half")
    asked: list[tuple[Digest, ...]] = []

    def bring(layers: Sequence[Descriptor]) -> None:
        asked.append(tuple(one.digest for one in layers))
        for data in IMAGE.blobs:
            store.add_bytes(data)

    found = stored_image(IMAGE.manifest, IMAGE.config, "base", store, bring)
    prefetch(found)
    prefetch(found)
    assert asked == [tuple(one.digest for one in IMAGE.layers)]
    assert all(is_kept(one, store) for one in IMAGE.layers)


def test_a_layer_that_nobody_has_says_what_to_do(store: ObjectStore) -> None:
    found = stored_image(IMAGE.manifest, IMAGE.config, "base", store, nowhere)
    with pytest.raises(InfrastructureError, match="no longer in the cache") as caught:
        found.open_layer(0)
    assert "--base" in str(caught.value.fix)


def test_only_the_named_layers_are_fetched_before_they_are_opened(store: ObjectStore) -> None:
    asked: list[Sequence[Descriptor]] = []
    found = stored_image(IMAGE.manifest, IMAGE.config, "base", store, asked.append)
    prefetch(found, [1])
    assert asked == [[IMAGE.layers[1]]]


def test_an_image_that_is_wholly_here_has_nothing_to_fetch() -> None:
    image = forge(ONE)
    prefetch(image)
    assert not image.opened


def test_a_layer_with_wrong_bytes_is_removed_and_had_again(store: ObjectStore) -> None:
    keep(IMAGE, store)
    path = store.path(IMAGE.layers[0].digest)
    path.chmod(0o644)
    path.write_bytes(IMAGE.blobs[0][:-1] + b"x")

    def bring(layers: Sequence[Descriptor]) -> None:
        for one in layers:
            store.add_bytes(IMAGE.blobs[IMAGE.layers.index(one)])

    found = stored_image(IMAGE.manifest, IMAGE.config, "base", store, bring)
    with pytest.raises(IntegrityError, match="damaged in the cache") as caught, open_plain(found, 0) as stream:
        drain(stream)
    assert "Run the command again" in str(caught.value.fix)
    assert not path.exists()
    with open_plain(found, 0) as stream:
        assert stream.read() == ONE
