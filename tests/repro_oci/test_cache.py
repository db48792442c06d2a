"""Assembled layers are found again by what they were made from, and never half."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from repro_oci.cache import LayerCache, Listed

from repro.digest import Digest
from repro.errors import InfrastructureError
from repro.oci.encodings import LayerBlob

KEY = "ab" * 32
LISTING = [Listed("opt", "directory", "", ""), Listed("opt/x", "file", "00" * 32, "x.whl")]


def write(take: Callable[[bytes], object]) -> LayerBlob:
    take(b"blob")
    return LayerBlob(Digest.of(b"tar"), Digest.of(b"blob"), 4, 3, "application/x")


def test_a_layer_is_found_again_by_its_key(tmp_path: Path) -> None:
    cache = LayerCache(tmp_path)
    assert cache.get(KEY) is None
    made = cache.add(KEY, LISTING, write)
    found = LayerCache(tmp_path).get(KEY)
    assert found == made
    assert found.path.read_bytes() == b"blob"
    assert cache.listing(KEY) == LISTING


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"size": 4}'])
def test_a_damaged_record_is_a_layer_to_be_made_again(tmp_path: Path, damage: str) -> None:
    cache = LayerCache(tmp_path)
    cache.add(KEY, LISTING, write)
    (record,) = tmp_path.glob("records/*/*.json")
    record.write_text(damage)
    assert cache.get(KEY) is None


def test_a_record_whose_blob_is_gone_or_short_is_a_layer_to_be_made_again(tmp_path: Path) -> None:
    cache = LayerCache(tmp_path)
    blob = cache.add(KEY, LISTING, write).path
    blob.chmod(0o600)
    blob.write_bytes(b"blo")
    assert cache.get(KEY) is None
    blob.unlink()
    assert cache.get(KEY) is None


def test_a_write_that_fails_leaves_nothing_to_be_found(tmp_path: Path) -> None:
    cache = LayerCache(tmp_path)

    def broken(take: Callable[[bytes], object]) -> LayerBlob:
        take(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.add(KEY, LISTING, broken)
    assert cache.get(KEY) is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_fresh_cache_takes_nothing_but_keeps_what_it_makes(tmp_path: Path) -> None:
    LayerCache(tmp_path).add(KEY, LISTING, write)
    LayerCache(tmp_path).note(KEY)
    fresh = LayerCache(tmp_path, fresh=True)
    assert fresh.get(KEY) is None
    assert not fresh.known(KEY)
    assert LayerCache(tmp_path).known(KEY)


def test_the_use_of_a_layer_is_noted(tmp_path: Path) -> None:
    cache = LayerCache(tmp_path)
    blob = cache.add(KEY, LISTING, write).path
    os.utime(blob, (1, 1))
    cache.get(KEY)
    assert blob.stat().st_mtime > 1


def test_a_listing_that_vanished_is_an_error_for_people_and_heals(tmp_path: Path) -> None:
    cache = LayerCache(tmp_path)
    cache.add(KEY, LISTING, write)
    (listing,) = tmp_path.glob("records/*/*.paths")
    listing.write_text(json.dumps([["only one"]]))
    with pytest.raises(InfrastructureError, match="changed while it was in use"):
        cache.listing(KEY)
    assert cache.get(KEY) is None
