"""A base that is damaged in the cache, or was never sound, is noticed; what can be had again is."""

import io
import tarfile
from pathlib import Path

import pytest

from repro.digest import Digest
from repro.errors import IntegrityError
from repro.store import ObjectStore
from repro.transfer.facts import base_facts
from repro.transfer.plain import keep_plain, kept_plain
from tests.oci.forged import forge, layer

ONE = layer({"opt/one": b"1" * 5000})
IMAGE = forge(ONE)
ID = Digest.of(IMAGE.config)


def cut_off(store: ObjectStore) -> Path:
    path = store.path(Digest.of(ONE))
    path.chmod(0o644)
    path.write_bytes(ONE[:600])
    return path


def no_notes(store: ObjectStore) -> None:
    for note in (store.directory / "sizes").iterdir():
        note.unlink()


@pytest.mark.parametrize("noted", [True, False])
def test_a_layer_that_was_cut_off_is_removed_and_kept_again(tmp_path: Path, *, noted: bool) -> None:
    store = ObjectStore(tmp_path)
    keep_plain(IMAGE, store)
    path = cut_off(store)
    if not noted:
        no_notes(store)
    assert kept_plain(ID, "linux/amd64", store) is None
    assert not path.exists()
    keep_plain(IMAGE, store)
    cut_off(store)
    keep_plain(IMAGE, store)
    found = kept_plain(ID, "linux/amd64", store)
    assert found is not None
    assert found.layers[0].size == len(ONE)


@pytest.mark.parametrize("note", [b"600", b"no number", None])
def test_a_missing_or_wrong_size_is_noted_anew(tmp_path: Path, note: bytes | None) -> None:
    store = ObjectStore(tmp_path)
    keep_plain(IMAGE, store)
    (path,) = (tmp_path / "sizes").iterdir()
    path.unlink() if note is None else path.write_bytes(note)
    found = kept_plain(ID, "linux/amd64", store)
    assert found is not None
    assert found.layers[0].size == len(ONE)
    assert path.read_bytes() == str(len(ONE)).encode()


def test_a_layer_with_numbers_that_are_none_is_no_archive(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("x")
        info.pax_headers = {"GNU.sparse.map": "a,b"}
        archive.addfile(info)
    with pytest.raises(IntegrityError, match="is no tar archive"):
        base_facts(forge(buffer.getvalue()), tmp_path)
