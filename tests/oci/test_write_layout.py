"""Layout directories: their bytes, what stays and what goes, and what happens when the writing fails."""

import json
import os
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from repro.digest import Digest
from repro.errors import IntegrityError, UsageError
from repro.oci.image import DOCKER_MANIFEST, INDEX, MANIFEST
from repro.oci.sources import LayerFile
from repro.oci.write_layout import blob_path, prune_layout, write_layout
from tests.oci.forged import Forged, forge, layer

ONE = layer({"opt/": b"", "opt/one": b"1" * 5000})
TWO = layer({"opt/": b"", "opt/two": b"2" * 700})
OTHER = layer({"opt/": b"", "opt/other": b"3"})


@pytest.fixture(params=[0o077, 0o022], ids=["umask 077", "umask 022"])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def content(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Mode and bytes of everything in a directory, by path."""
    return {
        path.relative_to(directory).as_posix(): (
            stat.S_IMODE(path.stat().st_mode),
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted([directory, *directory.rglob("*")])
    }


def index(directory: Path) -> list[dict[str, object]]:
    entries: list[dict[str, object]] = json.loads((directory / "index.json").read_bytes())["manifests"]
    return entries


def names(directory: Path) -> dict[str, str]:
    return {
        entry.get("annotations", {}).get("org.opencontainers.image.ref.name", ""): str(entry["digest"])  # type: ignore[attr-defined]
        for entry in index(directory)
    }


def blobs(directory: Path) -> set[str]:
    return {path.name for path in (directory / "blobs/sha256").iterdir()}


def test_a_layout_holds_exactly_the_image_with_fixed_modes(tmp_path: Path, umask: int) -> None:
    image = forge(ONE, TWO)
    assert write_layout([image], tmp_path / "made", references=["churn:1"]) == image.digest
    config = Digest(image.id.removeprefix("sha256:"))
    expected = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', blob_path(image.digest): image.manifest}
    expected[blob_path(config)] = image.config
    expected |= {blob_path(one.digest): data for one, data in zip(image.layers, image.blobs, strict=True)}
    found = content(tmp_path / "made")
    entry = {
        "mediaType": MANIFEST,
        "digest": str(image.digest),
        "size": len(image.manifest),
        "platform": {"os": "linux", "architecture": "amd64"},
        "annotations": {"org.opencontainers.image.ref.name": "churn:1"},
    }
    assert json.loads(found.pop("index.json")[1]) == {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}
    folders = {path for path, (mode, _) in found.items() if mode == 0o755}
    assert folders == {".", "blobs", "blobs/sha256"}
    assert {path: one for path, one in found.items() if path not in folders} == {
        path: (0o444 if path.startswith("blobs/") else 0o644, data) for path, data in expected.items()
    }


def test_the_same_image_gives_the_same_bytes_whenever_and_however_it_is_written(tmp_path: Path) -> None:
    image = forge(ONE, TWO)
    for name, mask in (("a", 0o077), ("b", 0o022)):
        before = os.umask(mask)
        write_layout([image], tmp_path / name, references=["x:1", "x:latest"])
        os.umask(before)
    write_layout([image], tmp_path / "c", references=["x:latest"])
    write_layout([image], tmp_path / "c", references=["x:1"])
    write_layout([image], tmp_path / "c", references=["x:1", "x:latest", "x:1"])
    assert content(tmp_path / "a") == content(tmp_path / "b") == content(tmp_path / "c")


def test_several_platforms_are_one_index(tmp_path: Path) -> None:
    images = [forge(ONE), forge(ONE, platform="linux/arm64")]
    digest = write_layout(images, tmp_path, references=["x:1"])
    assert names(tmp_path) == {"x:1": str(digest)}
    inner = json.loads((tmp_path / blob_path(digest)).read_bytes())
    assert [(entry["platform"]["architecture"], entry["digest"]) for entry in inner["manifests"]] == [
        ("amd64", str(images[0].digest)),
        ("arm64", str(images[1].digest)),
    ]
    assert len(blobs(tmp_path)) == 1 + 2 + 2 + 1
    with pytest.raises(UsageError, match="same platform"):
        write_layout([images[0], images[0]], tmp_path, references=[])


def test_other_names_stay_and_equal_ones_are_replaced_with_what_only_they_needed(tmp_path: Path) -> None:
    old, new, third = forge(ONE, TWO), forge(ONE, OTHER), forge(TWO, OTHER)
    write_layout([old], tmp_path, references=["x:1"])
    write_layout([third], tmp_path, references=["y:1"])
    write_layout([new], tmp_path, references=["x:1"])
    assert names(tmp_path) == {"x:1": str(new.digest), "y:1": str(third.digest)}
    gone = {old.digest.hex, old.id.removeprefix("sha256:")}
    kept = {one.digest.hex for image in (new, third) for one in image.layers}
    assert blobs(tmp_path) & (gone | kept) == kept  # TWO was of the replaced image, too


def test_what_others_wrote_into_the_index_is_kept(tmp_path: Path) -> None:
    image = forge(ONE)
    write_layout([image], tmp_path, references=["x:1"])
    foreign = {
        "mediaType": DOCKER_MANIFEST,
        "digest": str(Digest.of(b"elsewhere")),
        "size": 9,
        "platform": {"os": "linux", "architecture": "arm", "variant": "v7"},
        "artifactType": "application/example",
    }
    document = json.loads((tmp_path / "index.json").read_bytes())
    document["manifests"].append(foreign)
    (tmp_path / "index.json").write_text(json.dumps(document))
    write_layout([image], tmp_path, references=["x:2"])
    assert foreign in index(tmp_path)
    assert set(names(tmp_path)) == {"", "x:1", "x:2"}


def test_an_image_without_a_name_is_there_once_and_gets_one_later(tmp_path: Path) -> None:
    image = forge(ONE)
    for _ in range(2):
        write_layout([image], tmp_path, references=[])
    assert names(tmp_path) == {"": str(image.digest)}
    write_layout([image], tmp_path, references=["x:1"])
    write_layout([image], tmp_path, references=[])
    assert names(tmp_path) == {"x:1": str(image.digest)}


def test_blobs_that_are_there_are_not_read_again_unless_they_are_damaged(tmp_path: Path) -> None:
    image = forge(ONE, TWO)
    write_layout([image], tmp_path, references=["x:1"])
    before = content(tmp_path)
    image.opened.clear()
    write_layout([image], tmp_path, references=["x:1"])
    assert image.opened == []
    damaged = tmp_path / blob_path(image.layers[1].digest)
    damaged.write_bytes(bytes(image.layers[1].size))
    write_layout([image], tmp_path, references=["x:1"])
    assert image.opened == [1]
    assert content(tmp_path) == before


@dataclass(frozen=True)
class Cached(Forged):
    """An image whose last layer is in a file of a cache."""

    file: Path = Path()

    def layer_file(self, number: int) -> LayerFile | None:
        return LayerFile(self.file) if number == len(self.layers) - 1 else None


def cached(tmp_path: Path, data: bytes | None = None) -> Cached:
    image = forge(ONE, TWO)
    file = tmp_path / "cached"
    file.write_bytes(data or image.blobs[-1])
    file.chmod(0o444)
    return Cached(**vars(image), file=file)


def test_a_layer_of_the_cache_is_linked_and_looks_as_if_it_were_copied(tmp_path: Path) -> None:
    image = cached(tmp_path)
    write_layout([forge(ONE, TWO)], tmp_path / "copied", references=["x:1"])
    for _ in range(2):
        write_layout([image], tmp_path / "linked", references=["x:1"])
    assert content(tmp_path / "linked") == content(tmp_path / "copied")
    assert (tmp_path / "linked" / blob_path(image.layers[-1].digest)).samefile(tmp_path / "cached")
    (tmp_path / "linked" / blob_path(image.layers[-1].digest)).unlink()
    assert (tmp_path / "cached").exists()


def test_what_is_damaged_in_the_cache_is_not_linked(tmp_path: Path) -> None:
    image = cached(tmp_path, b"damaged")
    write_layout([image], tmp_path / "made", references=["x:1"])
    assert (tmp_path / "made" / blob_path(image.layers[-1].digest)).read_bytes() == image.blobs[-1]


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no second file system at hand")
def test_a_cache_on_another_file_system_is_copied_from(tmp_path: Path) -> None:
    image = cached(tmp_path)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        write_layout([image], Path(other) / "made", references=["x:1"])
        write_layout([image], tmp_path / "here", references=["x:1"])
        assert content(Path(other) / "made") == content(tmp_path / "here")


@pytest.mark.parametrize("data", [b"something else", b""], ids=["other bytes", "nothing"])
def test_a_tampered_blob_is_refused_and_nothing_has_changed(tmp_path: Path, data: bytes) -> None:
    write_layout([forge(ONE)], tmp_path / "old", references=["x:1"])
    before = content(tmp_path / "old")
    bad = forge(OTHER, TWO).with_blob(1, data)
    for directory in (tmp_path / "old", tmp_path / "new"):
        with pytest.raises(IntegrityError, match=bad.layers[1].digest.hex):
            write_layout([bad], directory, references=["x:1"])
    assert content(tmp_path / "old") == before
    assert not (tmp_path / "new").exists()


def test_a_longer_blob_of_the_same_beginning_is_refused(tmp_path: Path) -> None:
    image = forge(ONE)
    with pytest.raises(IntegrityError, match="more than"):
        write_layout([image.with_blob(0, image.blobs[0] + b"\0")], tmp_path / "new", references=[])


def test_documents_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    image, other = forge(ONE), forge(TWO)
    mixed = Forged(image.manifest, other.config, image.layers, image.diff_ids, image.platform, image.blobs)
    with pytest.raises(IntegrityError, match="another configuration"):
        write_layout([mixed], tmp_path / "new", references=[])


def test_an_interrupted_write_leaves_the_old_image_and_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_layout([forge(ONE)], tmp_path, references=["x:1"])
    before = content(tmp_path)

    def interrupt(_self: Forged, number: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Forged, "open_layer", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_layout([forge(OTHER)], tmp_path, references=["x:1"])
    assert content(tmp_path) == before


def test_what_a_killed_writer_left_does_not_stay_and_does_not_harm(tmp_path: Path) -> None:
    old, new = forge(ONE), forge(OTHER)
    write_layout([old], tmp_path / "made", references=["x:1"])
    before = content(tmp_path / "made")
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from tests.oci.forged import forge, layer\n"
        "from repro.oci import write_layout\n"
        "image = forge(layer({'opt/': b'', 'opt/other': b'3'}))\n"
        "def die(self):\n"
        "    yield b'half'\n"
        "    os._exit(9)\n"
        "write_layout.Blob.plain = die\n"
        "write_layout.write_layout([image], Path(sys.argv[1]), references=['x:1'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "made"], check=False)
    assert done.returncode == 9
    assert set(content(tmp_path / "made")) > set(before)
    assert (tmp_path / "made/index.json").read_bytes() == before["index.json"][1]
    write_layout([new], tmp_path / "made", references=["x:1"])
    write_layout([new], tmp_path / "fresh", references=["x:1"])
    assert content(tmp_path / "made") == content(tmp_path / "fresh")


def test_writers_at_the_same_time_all_keep_their_names(tmp_path: Path) -> None:
    images = {f"x:{number}": forge(ONE, layer({f"f{number}": b""})) for number in range(6)}

    def write(name: str) -> None:
        write_layout([images[name]], tmp_path / "deep/er", references=[name])

    threads = [threading.Thread(target=write, args=(name,)) for name in images]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(tmp_path / "deep/er") == {name: str(image.digest) for name, image in images.items()}


def test_pruning_removes_what_no_name_leads_to(tmp_path: Path) -> None:
    images = [forge(ONE), forge(ONE, platform="linux/arm64")]
    write_layout(images, tmp_path, references=["x:1"])
    before = content(tmp_path)
    stray = tmp_path / blob_path(Digest.of(b"stray"))
    stray.write_bytes(b"stray")
    assert prune_layout(tmp_path) == 5
    assert content(tmp_path) == before
    assert prune_layout(tmp_path) == 0


def test_only_layouts_and_empty_directories_are_written_to(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="not an image layout"):
        write_layout([forge(ONE)], tmp_path, references=[])
    with pytest.raises(UsageError, match="no file oci-layout"):
        prune_layout(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion": "2.0.0"}')
    with pytest.raises(UsageError, match=r"2\.0\.0"):
        write_layout([forge(ONE)], tmp_path, references=[])


def test_a_damaged_index_is_not_replaced(tmp_path: Path) -> None:
    write_layout([forge(ONE)], tmp_path, references=["x:1"])
    (tmp_path / "index.json").write_text('{"schemaVersion": 2, "manifests": [{"digest": "sha256:no"}]}')
    before = content(tmp_path)
    with pytest.raises(IntegrityError, match=r"manifests\[0\]"):
        write_layout([forge(TWO)], tmp_path, references=["y:1"])
    assert content(tmp_path) == before


def test_nothing_to_write_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no image"):
        write_layout([], tmp_path / "new", references=["x:1"])
    assert not (tmp_path / "new").exists()
