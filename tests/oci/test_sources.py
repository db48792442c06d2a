"""From an index to one platform's image: what entries say, what images are, and documents that don't fit."""

from collections.abc import Sequence

import pytest

from repro.digest import Digest
from repro.errors import IntegrityError, UsageError
from repro.oci.documents import index_json
from repro.oci.image import Descriptor
from repro.oci.sources import find_manifest, source_image
from tests.oci.forged import Forged, changed, forge, layer
from tests.oci.places import index, index_descriptor, manifest

AMD64, ARM64 = "linux/amd64", "linux/arm64"
IMAGE, ARM = forge(layer({"a": b"1"})), forge(layer({"a": b"2"}), platform=ARM64)


def search(data: bytes, platform: str, *documents: bytes) -> tuple[tuple[bytes, bytes] | str, list[Digest]]:
    """What is found (or which platforms are offered instead), and which documents were asked for."""
    known = {Digest.of(one): one for one in (*documents, IMAGE.manifest, IMAGE.config, ARM.manifest, ARM.config)}
    asked: list[Digest] = []

    def read(descriptor: Descriptor) -> bytes:
        asked.append(descriptor.digest)
        return known[descriptor.digest]

    def not_for(offered: Sequence[str]) -> UsageError:
        return UsageError(", ".join(offered))

    try:
        return find_manifest(data, platform, read, "here", not_for), asked
    except UsageError as error:
        return error.what, asked


def documents(image: Forged) -> tuple[bytes, bytes]:
    return image.manifest, image.config


def test_a_manifest_is_taken_for_the_platform_of_its_configuration() -> None:
    assert search(ARM.manifest, ARM64) == (documents(ARM), [Digest.of(ARM.config)])
    assert search(ARM.manifest, AMD64)[0] == ARM64


def test_only_entries_for_the_platform_are_read() -> None:
    assert search(index([IMAGE, ARM]), ARM64) == (documents(ARM), [ARM.digest, Digest.of(ARM.config)])
    assert search(index([IMAGE, ARM]), "linux/s390x") == ("linux/amd64, linux/arm64", [])


def test_entries_that_say_nothing_are_read_when_none_says_it_fits() -> None:
    silent = index([IMAGE, ARM], [None, None])
    assert search(silent, ARM64)[0] == documents(ARM)
    assert search(silent, "linux/s390x")[0] == "linux/amd64, linux/arm64"


def test_an_entry_that_says_something_else_than_its_image_is() -> None:
    assert search(index([ARM], [AMD64]), AMD64)[0] == ARM64


def test_attestations_are_no_platform() -> None:
    assert search(index([ARM, IMAGE], [ARM64, "unknown/unknown"]), AMD64)[0] == ARM64


def test_indexes_in_an_index() -> None:
    inner = index([IMAGE, ARM])
    outer = index_json([(index_descriptor(inner), None, {}), (manifest(ARM), ARM64, {})])
    assert search(outer, AMD64, inner)[0] == documents(IMAGE)
    assert search(outer, "linux/s390x", inner)[0] == "linux/amd64, linux/arm64"


def test_documents_must_belong_together() -> None:
    other = changed(IMAGE, created="1999-01-01T00:00:00Z")
    with pytest.raises(IntegrityError, match="not the one that the manifest names"):
        source_image(IMAGE.manifest, other.config, "here", lambda _: IMAGE.open_layer(0))
    fewer = changed(IMAGE, rootfs={"type": "layers", "diff_ids": []})
    with pytest.raises(IntegrityError, match="1 layers, the configuration 0"):
        source_image(fewer.manifest, fewer.config, "here", lambda _: IMAGE.open_layer(0))
