"""Documents of images: the bytes we write, and what we refuse to read."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.digest import Digest
from repro.errors import IntegrityError
from repro.oci import documents
from repro.oci.documents import IndexEntry
from repro.oci.image import CONFIG, DOCKER_CONFIG, DOCKER_MANIFEST, INDEX, LAYER_GZIP, MANIFEST, Descriptor

CONFIGURATION = Descriptor(CONFIG, Digest.of(b"config"), 6)
LAYER = Descriptor(LAYER_GZIP, Digest.of(b"layer"), 5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
@settings(deadline=None, max_examples=60)
def test_canonical_json_reads_back_and_is_its_own_canonical_form(value: Any) -> None:
    data = documents.canonical(value)
    assert json.loads(data) == value
    assert documents.canonical(json.loads(data)) == data


def test_canonical_json_is_sorted_compact_unescaped_and_without_line_end() -> None:
    assert documents.canonical({"b": [1, True], "a": "é\n"}) == '{"a":"é\\n","b":[1,true]}'.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_what_has_no_json_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"compliant|surrogates"):
        documents.canonical(value)


def test_a_manifest_has_these_bytes() -> None:
    data = documents.manifest_json(CONFIGURATION, [LAYER], {"b": "2", "a": "1"})
    assert data == (
        b'{"annotations":{"a":"1","b":"2"},"config":{"digest":"' + str(CONFIGURATION.digest).encode() + b'",'
        b'"mediaType":"application/vnd.oci.image.config.v1+json","size":6},"layers":[{"digest":"'
        + str(LAYER.digest).encode()
        + b'","mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","size":5}],'
        b'"mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}'
    )
    assert documents.parse_manifest(data, "here") == documents.Manifest(
        MANIFEST, CONFIGURATION, (LAYER,), {"a": "1", "b": "2"}
    )


def test_an_index_reads_back() -> None:
    entry = IndexEntry(Descriptor(MANIFEST, Digest.of(b"m"), 7), "linux/arm64", {"x": "y"})
    plain = IndexEntry(Descriptor(MANIFEST, Digest.of(b"n"), 8))
    data = documents.index_json([entry, (plain.descriptor, None, {})], {"of": "index"})
    assert documents.parse_index(data, "here") == documents.Index(INDEX, (entry, plain), {"of": "index"})
    assert b"annotations" not in documents.index_json([plain])


def test_dockers_schema_2_is_read() -> None:
    config = Descriptor(DOCKER_CONFIG, Digest.of(b"c"), 1)
    data = documents.manifest_json(config, [LAYER], media_type=DOCKER_MANIFEST)
    assert documents.parse_manifest(data, "here").media_type == DOCKER_MANIFEST


def manifest(**changes: Any) -> bytes:
    document = json.loads(documents.manifest_json(CONFIGURATION, [LAYER, LAYER]))
    return json.dumps({**document, **changes}).encode()


DESCRIPTOR = documents.descriptor_json(LAYER)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"schemaVersion": 1}, "schemaVersion: must be 2, not 1"),
        ({"schemaVersion": True}, "schemaVersion: must be 2, not True"),
        ({"mediaType": "text/plain"}, "mediaType: unknown: 'text/plain'"),
        ({"config": None}, "config.digest: must be sha256"),
        ({"config": [1]}, "config.mediaType: must be a text"),
        ({"config": {**DESCRIPTOR, "mediaType": "application/vnd.cncf.helm.config.v1+json"}}, "config.mediaType: 'app"),
        ({"layers": {}}, "layers: must be a list"),
        ({"layers": [DESCRIPTOR, {**DESCRIPTOR, "digest": "sha256:12"}]}, "layers[1].digest: must be sha256"),
        ({"layers": [{**DESCRIPTOR, "digest": "md5:" + "0" * 32}]}, "layers[0].digest: must be sha256"),
        ({"layers": [{**DESCRIPTOR, "digest": 5}]}, "layers[0].digest: must be sha256"),
        ({"layers": [{**DESCRIPTOR, "size": -1}]}, "layers[0].size: must be a number of bytes"),
        ({"layers": [{**DESCRIPTOR, "size": True}]}, "layers[0].size: must be a number of bytes"),
        ({"layers": [{**DESCRIPTOR, "size": "5"}]}, "layers[0].size: must be a number of bytes"),
        ({"layers": ["x"]}, "layers[0].mediaType: must be a text"),
        ({"layers": [{**DESCRIPTOR, "urls": ["https://example.org/layer"]}]}, "layers[0].urls: a layer that its"),
        ({"annotations": {"a": 1}}, "annotations: must be a table of texts"),
    ],
)
def test_a_damaged_manifest_is_refused_by_path(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        documents.parse_manifest(manifest(**changes), "the place")
    assert caught.value.where == "the place"
    assert any(text.startswith(problem) for text in caught.value.problems)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(IntegrityError) as caught:
        documents.parse_manifest(manifest(config=None, layers=[{}]), "here")
    assert len(caught.value.problems) == 6


def test_a_document_that_is_manifest_and_index_at_once_is_refused() -> None:
    data = manifest(manifests=[])
    for read in (documents.parse_manifest, documents.parse_index):
        with pytest.raises(IntegrityError, match="at once"):
            read(data, "here")


@pytest.mark.parametrize("data", [b"", b"<html>", b"[]", b'{"a": NaN}', b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    for read in (documents.parse_manifest, documents.parse_index, documents.parse_config):
        with pytest.raises(IntegrityError, match="JSON"):
            read(data, "here")


def test_the_one_document_is_not_taken_for_the_other() -> None:
    with pytest.raises(IntegrityError, match="one image's manifest"):
        documents.parse_manifest(documents.index_json([]), "here")
    with pytest.raises(IntegrityError, match="no list of manifests"):
        documents.parse_index(documents.manifest_json(CONFIGURATION, []), "here")


def test_a_configuration() -> None:
    one, two = Digest.of(b"1"), Digest.of(b"2")
    document = {
        "os": "linux",
        "architecture": "arm64",
        "variant": "v8",
        "config": {"Env": ["A=1=2", "B="], "Labels": {"c": "d"}},
        "rootfs": {"type": "layers", "diff_ids": [str(one), str(two)]},
    }
    data = json.dumps(document).encode()
    assert documents.parse_config(data) == documents.Config(
        "linux/arm64", (one, two), {"A": "1=2", "B": ""}, {"c": "d"}
    )
    assert documents.config_diff_ids(data) == (one, two)
    assert documents.config_platform(data) == "linux/arm64"


def test_a_configuration_without_settings() -> None:
    data = b'{"os":"linux","architecture":"amd64","config":null,"rootfs":{"type":"layers","diff_ids":null}}'
    assert documents.parse_config(data) == documents.Config("linux/amd64", (), {}, {})


def test_a_damaged_configuration_is_refused_by_path() -> None:
    data = b'{"architecture":1,"config":{"Env":[1],"Labels":[]},"rootfs":{"type":"x","diff_ids":["y"]}}'
    with pytest.raises(IntegrityError) as caught:
        documents.parse_config(data, "here")
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "rootfs.type",
        "os",
        "architecture",
        "rootfs.diff_ids[0]",
        "config.Env[0]",
        "config.Labels",
    ]


def test_a_descriptor_is_read_by_itself() -> None:
    assert documents.parse_descriptor(documents.descriptor_json(LAYER, "linux/amd64"), "here") == LAYER
    with pytest.raises(IntegrityError, match="size: must be"):
        documents.parse_descriptor({"mediaType": "x", "digest": str(LAYER.digest)}, "here")
