"""Layers in files that are hashed before anybody asks for them."""

from pathlib import Path

from repro.oci.ahead import hash_ahead
from repro.oci.image import Descriptor, Image
from repro.oci.kept import keep, kept_image, nowhere
from repro.oci.sources import SourceImage, layer_file
from repro.oci.write_layout import blob_path, write_layout
from repro.store import ObjectStore
from tests.oci.forged import Forged, forge, layer

IMAGE = forge(layer({"opt/": b"", "opt/one": b"1" * 5000}), layer({"opt/": b"", "opt/two": b"2" * 700}))


def kept(store: ObjectStore, image: Forged = IMAGE) -> SourceImage:
    keep(image, store)
    found = kept_image(image.digest, image.platform, "the store", store, nowhere)
    assert found is not None
    return found


def hashed(image: Image) -> list[bool]:
    files = [layer_file(image, number) for number in range(len(image.layers))]
    return [file.hashed for file in files if file is not None]


def damage(store: ObjectStore, blob: Descriptor) -> None:
    path = store.path(blob.digest)
    path.chmod(0o644)
    path.write_bytes(bytes(blob.size))


def test_only_files_with_the_right_content_count_as_hashed(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path / "store")
    image = kept(store)
    damage(store, image.layers[1])
    assert hashed(image) == [False, False]
    assert hashed(hash_ahead(image)) == [True, False]


def test_a_layer_that_is_not_in_the_store_has_no_file_ahead_either(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path / "store")
    image = kept(store)
    store.discard(image.layers[0].digest)
    assert hashed(hash_ahead(image)) == [True]


def test_what_was_hashed_ahead_is_linked(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path / "store")
    image = kept(store)
    write_layout([hash_ahead(image)], tmp_path / "layout", references=["x:1"])
    for blob in image.layers:
        assert (tmp_path / "layout" / blob_path(blob.digest)).samefile(store.path(blob.digest))


def test_an_image_without_files_stays_as_it_is() -> None:
    assert hash_ahead(IMAGE) is IMAGE
