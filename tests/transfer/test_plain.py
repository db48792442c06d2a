"""An image that an engine has, and its copies in archives and layouts, become one and the same."""

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from repro.digest import Digest
from repro.errors import IntegrityError
from repro.oci.documents import manifest_json, parse_manifest
from repro.oci.image import LAYER, LAYER_GZIP, Descriptor
from repro.oci.sources import SourceImage, source_image
from repro.store import ObjectStore
from repro.transfer.plain import keep_plain, kept_plain, plain_image
from tests.oci.forged import Forged, forge, layer
from tests.oci.places import index

ONE, TWO = layer({"opt/one": b"1" * 5000}), layer({"opt/two": b"2"})
PLAIN, PACKED = forge(ONE, TWO, packed=False), forge(ONE, TWO)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "store")


def source(image: Forged) -> SourceImage:
    numbers = {one.digest: number for number, one in enumerate(image.layers)}
    return source_image(image.manifest, image.config, "here", lambda one: image.open_layer(numbers[one.digest]))


def content(image: SourceImage) -> list[bytes]:
    layers = []
    for number in range(len(image.layers)):
        with image.open_layer(number) as stream:
            layers.append(stream.read())
    return layers


def test_compressed_or_not_it_becomes_the_same(store: ObjectStore) -> None:
    for image in (PLAIN, PACKED, recompressed()):
        found = plain_image(source(image), store)
        assert found.manifest == PLAIN.manifest
        assert found.layers == parse_manifest(found.manifest, "made").layers
        assert found.layers == tuple(Descriptor(LAYER, Digest.of(data), len(data)) for data in (ONE, TWO))
        assert content(found) == [ONE, TWO]


def recompressed() -> Forged:
    """The image as another compressor packs it."""
    blobs = tuple(gzip.compress(data, 0) for data in (ONE, TWO))
    layers = tuple(Descriptor(LAYER_GZIP, Digest.of(blob), len(blob)) for blob in blobs)
    manifest = manifest_json(parse_manifest(PACKED.manifest, "").config, layers)
    return replace(PACKED, manifest=manifest, layers=layers, blobs=blobs)


def test_plain_layers_are_not_copied(store: ObjectStore) -> None:
    plain_image(source(PLAIN), store)
    assert not store.directory.exists()


def test_it_is_found_by_image_id_by_manifest_and_by_index(store: ObjectStore) -> None:
    arm = forge(TWO, platform="linux/arm64")
    keep_plain(PACKED, store)
    keep_plain(arm, store)
    top = store.add_bytes(index([PACKED, arm]))
    for digest in (Digest.of(PACKED.config), PACKED.digest, top):
        found = kept_plain(digest, "linux/amd64", store)
        assert found is not None
        assert found.manifest == PLAIN.manifest
        assert content(found) == [ONE, TWO]
    assert kept_plain(Digest.of(b"another"), "linux/amd64", store) is None


def test_an_image_that_is_there_in_part_is_not_found(store: ObjectStore) -> None:
    keep_plain(PACKED, store)
    store.discard(PACKED.diff_ids[1])
    assert kept_plain(Digest.of(PACKED.config), "linux/amd64", store) is None
    keep_plain(PACKED, store)
    store.discard(Digest.of(PACKED.config))
    assert kept_plain(PACKED.digest, "linux/amd64", store) is None


def test_another_platform_is_named(store: ObjectStore) -> None:
    keep_plain(PACKED, store)
    for digest in (Digest.of(PACKED.config), PACKED.digest):
        with pytest.raises(IntegrityError, match="for linux/amd64, not for linux/arm64"):
            kept_plain(digest, "linux/arm64", store)


def test_layers_that_are_not_those_of_the_configuration(store: ObjectStore) -> None:
    wrong = (Digest.of(ONE), Digest.of(b"else"))
    with pytest.raises(IntegrityError, match="other layers than the configuration"):
        plain_image(source(forge(ONE, TWO, packed=False, diff_ids=wrong)), store)
    with pytest.raises(IntegrityError, match=f"not {Digest.of(b'else')}"):
        plain_image(source(forge(ONE, TWO, diff_ids=wrong)), store)
    assert not store.has(Digest.of(b"else"))
