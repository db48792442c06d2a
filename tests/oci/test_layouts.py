"""Image layouts: which image is found by which name, platform and digest, and what damage is found out."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from repro.digest import Digest
from repro.errors import IntegrityError, UsageError
from repro.oci.image import MANIFEST, Descriptor
from repro.oci.layouts import Folder, Layout, open_layout
from repro.oci.sources import SourceImage
from repro.oci.write_layout import write_layout
from tests.oci.forged import Forged, changed, forge, layer
from tests.oci.places import entry, index, index_descriptor, layout_files, manifest, write_folder

AMD64, ARM64 = "linux/amd64", "linux/arm64"
ONE, TWO = layer({"opt/": b"", "opt/one": b"1" * 5000}), layer({"opt/": b"", "opt/two": b"2"})
IMAGE = forge(ONE, TWO)
ARM = forge(TWO, platform=ARM64)


def written(tmp_path: Path, entries: list[Any], *images: Forged, documents: tuple[bytes, ...] = ()) -> Path:
    return write_folder(tmp_path / "layout", layout_files(entries, images, documents))


def same(found: SourceImage, image: Forged) -> bool:
    blobs = []
    for number in range(len(found.layers)):
        with found.open_layer(number) as stream:
            blobs.append(stream.read())
    facts = (found.manifest, found.config, found.layers, found.diff_ids, found.platform, tuple(blobs))
    return facts == (image.manifest, image.config, image.layers, image.diff_ids, image.platform, image.blobs)


def test_the_only_image_needs_no_name(tmp_path: Path) -> None:
    place = written(tmp_path, [entry(manifest(IMAGE))], IMAGE)
    assert same(open_layout(place, None, AMD64), IMAGE)


def test_our_own_layouts_are_read(tmp_path: Path) -> None:
    write_layout([IMAGE, ARM], tmp_path / "place", references=["here:1"])
    for image in (IMAGE, ARM):
        assert same(open_layout(tmp_path / "place", "here:1", image.platform), image)


def test_images_are_told_apart_by_name_and_by_digest(tmp_path: Path) -> None:
    other = forge(TWO)
    place = written(tmp_path, [entry(manifest(IMAGE), "a"), entry(manifest(other), "docker.io/b:1")], IMAGE, other)
    assert Layout(Folder(place)).references() == ("a", "docker.io/b:1")
    for name, image in (("a", IMAGE), ("docker.io/b:1", other)):
        assert same(open_layout(place, name, AMD64), image)
        assert same(open_layout(place, f"@{image.digest}", AMD64), image)
    with pytest.raises(UsageError, match="several images for linux/amd64") as caught:
        open_layout(place, None, AMD64)
    assert caught.value.fix == "Name one of these: a, docker.io/b:1."
    with pytest.raises(UsageError, match="has no image c"):
        open_layout(place, "c", AMD64)
    with pytest.raises(UsageError, match=f"has no image {Digest.of(b'')}"):
        open_layout(place, f"@{Digest.of(b'')}", AMD64)
    with pytest.raises(UsageError, match="not a sha256"):
        open_layout(place, "@a", AMD64)


def test_a_name_may_be_containerds(tmp_path: Path) -> None:
    named = entry(manifest(IMAGE), "docker.io/library/base:1", key="io.containerd.image.name")
    assert same(open_layout(written(tmp_path, [named], IMAGE), "docker.io/library/base:1", AMD64), IMAGE)


def test_the_full_name_of_an_image_comes_first(tmp_path: Path) -> None:
    """As engines from version 25 save images."""
    full = entry(manifest(IMAGE), "docker.io/library/base:1", key="io.containerd.image.name")
    full["annotations"]["org.opencontainers.image.ref.name"] = "1"
    place = written(tmp_path, [full], IMAGE)
    assert Layout(Folder(place)).pinned("1", AMD64).names == ("docker.io/library/base:1", "1")


@pytest.mark.parametrize("said", [True, False])
def test_platforms_side_by_side(tmp_path: Path, said: bool) -> None:
    entries = [entry(manifest(image), "x", image.platform if said else None) for image in (IMAGE, ARM)]
    place = written(tmp_path, entries, IMAGE, ARM)
    for image in (IMAGE, ARM):
        assert same(open_layout(place, "x", image.platform), image)
        assert same(open_layout(place, None, image.platform), image)
    with pytest.raises(UsageError, match="no image for linux/s390x, only for linux/amd64, linux/arm64"):
        open_layout(place, "x", "linux/s390x")


@pytest.mark.parametrize("said", [True, False])
def test_an_index_below_the_index(tmp_path: Path, said: bool) -> None:
    attestation = forge(ONE, platform="unknown/unknown")
    inner = index([IMAGE, ARM, attestation], None if said else [None, None, "unknown/unknown"])
    middle = json.dumps({"schemaVersion": 2, "manifests": [entry(index_descriptor(inner))]}).encode()
    place = written(
        tmp_path, [entry(index_descriptor(middle), "x")], IMAGE, ARM, attestation, documents=(inner, middle)
    )
    layout = Layout(Folder(place))
    for image in (IMAGE, ARM):
        assert same(layout.pinned("x", image.platform).image, image)
        for digest in (Digest.of(middle), Digest.of(inner), image.digest, Digest.of(image.config)):
            found = layout.with_digest(digest, image.platform)
            assert found is not None
            assert same(found, image)
    with pytest.raises(UsageError, match="only for linux/amd64, linux/arm64"):
        layout.pinned("x", "linux/s390x")
    with pytest.raises(UsageError, match="only for linux/arm64"):
        layout.with_digest(ARM.digest, AMD64)
    assert layout.with_digest(Digest.of(b"nowhere"), AMD64) is None


def test_what_is_pinned_is_the_digest_in_the_index_with_images_beside_it(tmp_path: Path) -> None:
    data = index([IMAGE, ARM])
    place = written(tmp_path, [entry(index_descriptor(data), "x")], IMAGE, ARM, documents=(data,))
    found = Layout(Folder(place)).pinned(None, AMD64)
    assert (found.digest, found.document, found.names) == (Digest.of(data), data, ("x",))
    assert [same(found.image, IMAGE), *(same(other, ARM) for other in found.others)] == [True, True]


def test_only_the_wanted_platforms_images_have_to_be_there(tmp_path: Path) -> None:
    data = index([IMAGE, ARM])
    place = written(tmp_path, [entry(index_descriptor(data), "x")], IMAGE, documents=(data,))
    found = Layout(Folder(place)).pinned(None, AMD64)
    assert same(found.image, IMAGE)
    assert not found.others


def test_other_artifacts_in_a_layout_are_passed_over(tmp_path: Path) -> None:
    signature = b'{"schemaVersion":2,"config":{"mediaType":"application/vnd.example.signature"},"layers":[]}'
    listed = entry(Descriptor(MANIFEST, Digest.of(signature), len(signature)), "signature")
    place = written(tmp_path, [listed, entry(manifest(IMAGE), "x")], IMAGE, documents=(signature,))
    assert same(open_layout(place, None, AMD64), IMAGE)


def test_blobs_may_be_links_to_files(tmp_path: Path) -> None:
    place = written(tmp_path, [entry(manifest(IMAGE))], IMAGE)
    blobs = place / "blobs" / "sha256"
    (tmp_path / "store").mkdir()
    for path in list(blobs.iterdir()):
        kept = tmp_path / "store" / path.name
        path.rename(kept)
        path.symlink_to(kept)
    assert same(open_layout(place, None, AMD64), IMAGE)


def test_a_blob_that_is_no_file_is_missing(tmp_path: Path) -> None:
    place = written(tmp_path, [entry(manifest(IMAGE))], IMAGE)
    path = place / "blobs" / "sha256" / IMAGE.digest.hex
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(IntegrityError, match="is missing"):
        open_layout(place, None, AMD64)


@pytest.mark.parametrize("missing", ["oci-layout", "index.json"])
def test_what_is_no_layout(tmp_path: Path, missing: str) -> None:
    place = written(tmp_path, [entry(manifest(IMAGE))], IMAGE)
    (place / missing).unlink()
    with pytest.raises(UsageError, match="not an image layout"):
        open_layout(place, None, AMD64)


@pytest.mark.parametrize("version", ['{"imageLayoutVersion": "2.0.0"}', "{}"])
def test_another_version_of_the_format_is_refused(tmp_path: Path, version: str) -> None:
    place = written(tmp_path, [entry(manifest(IMAGE))], IMAGE)
    (place / "oci-layout").write_text(version)
    with pytest.raises(IntegrityError, match="unknown version"):
        open_layout(place, None, AMD64)


@pytest.mark.parametrize("which", ["manifest", "config"])
@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_damaged_document_is_found_out_when_the_image_is_opened(tmp_path: Path, which: str, damage: str) -> None:
    place = written(tmp_path, [entry(manifest(IMAGE))], IMAGE)
    digest = IMAGE.digest if which == "manifest" else Digest.of(IMAGE.config)
    path = place / "blobs" / "sha256" / digest.hex
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(IntegrityError, match="missing" if damage == "missing" else "a blob has changed") as caught:
        open_layout(place, None, AMD64)
    assert digest.hex in str(caught.value)


def test_a_layer_that_is_missing_or_too_short_is_found_out_when_it_is_opened(tmp_path: Path) -> None:
    place = written(tmp_path, [entry(manifest(IMAGE))], IMAGE)
    found = open_layout(place, None, AMD64)
    path = place / "blobs" / "sha256" / IMAGE.layers[1].digest.hex
    path.write_bytes(IMAGE.blobs[1][:-1])
    with pytest.raises(IntegrityError, match=r"\d+ bytes instead of"):
        found.open_layer(1)
    path.unlink()
    with pytest.raises(IntegrityError, match="a layer is missing"):
        found.open_layer(1)


def test_documents_that_do_not_belong_together(tmp_path: Path) -> None:
    fewer = changed(IMAGE, rootfs={"type": "layers", "diff_ids": [str(IMAGE.diff_ids[0])]})
    place = written(tmp_path, [entry(manifest(fewer))], fewer)
    with pytest.raises(IntegrityError, match="2 layers, the configuration 1"):
        open_layout(place, None, AMD64)


def test_indexes_without_end_are_refused(tmp_path: Path) -> None:
    documents = [index([IMAGE])]
    for _ in range(8):
        above = {"schemaVersion": 2, "manifests": [entry(index_descriptor(documents[-1]))]}
        documents.append(json.dumps(above).encode())
    place = written(tmp_path, [entry(index_descriptor(documents[-1]))], IMAGE, documents=tuple(documents))
    with pytest.raises(IntegrityError, match="deep"):
        open_layout(place, None, AMD64)


def test_a_manifest_larger_than_any_is_not_read(tmp_path: Path) -> None:
    large = replace(IMAGE, manifest=IMAGE.manifest + b" " * (9 << 20))
    place = written(tmp_path, [entry(manifest(large))], large)
    with pytest.raises(IntegrityError, match="larger than any"):
        open_layout(place, None, AMD64)
