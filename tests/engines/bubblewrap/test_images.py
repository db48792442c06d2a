"""Which image a reference means, and what an engine tells of it."""

import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from repro.digest import Digest
from repro.engines.bubblewrap import BubblewrapEngine
from repro.engines.bubblewrap.images import all_images, find_image, image_info
from repro.engines.bubblewrap.program import Program
from repro.errors import IntegrityError, UsageError
from repro.oci.documents import canonical, manifest_json
from repro.oci.image import CONFIG, Descriptor
from repro.oci.stores import image_stores, project_images, user_images
from repro.oci.write_layout import write_layout
from tests.oci.forged import Forged, forge, layer

AMD, ARM = "linux/amd64", "linux/arm64"


def with_settings(image: Forged, **changes: object) -> Forged:
    """The same image with other fields in its configuration."""
    document = json.loads(image.config)
    document["config"].update(changes)
    config = canonical(document)
    manifest = manifest_json(Descriptor(CONFIG, Digest.of(config), len(config)), image.layers)
    return replace(image, config=config, manifest=manifest)


def numbered(number: int, labels: Mapping[str, str] | None = None, platform: str = AMD) -> Forged:
    return forge(layer({"number": str(number).encode()}), labels=labels, platform=platform)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def test_names_digests_and_beginnings_of_digests(store: Path) -> None:
    one, two = numbered(1), numbered(2)
    write_layout([one], store, references=["my-model:1.0", "my-model:latest"])
    write_layout([two], store, references=["registry.example.org:5000/team/other:1"])
    expected = {
        "my-model:1.0": one,
        "my-model": one,
        "registry.example.org:5000/team/other:1": two,
        one.id: one,
        one.id.removeprefix("sha256:"): one,
        one.id.removeprefix("sha256:")[:12]: one,
        str(one.digest): one,
        one.digest.hex[:20]: one,
        f"anything@{two.digest}": two,
    }
    for reference, image in expected.items():
        found = find_image(reference, AMD, [store])
        assert found is not None, reference
        assert found.image.config == image.config, reference
    for reference in ("my-model:2", "registry.example.org:5000/team/other", "0" * 12, "0" * 64, "", "Not A Reference!"):
        assert find_image(reference, AMD, [store]) is None, reference


def test_an_image_has_all_its_names(store: Path) -> None:
    write_layout([numbered(1)], store, references=["b:1", "a:1"])
    write_layout([numbered(2)], store, references=["c:1"])
    for reference in ("a:1", numbered(1).id, numbered(1).digest.hex[:12]):
        found = find_image(reference, AMD, [store])
        assert found is not None
        assert found.tags == ("a:1", "b:1")
    assert {found.tags for found in all_images([store], AMD)} == {("a:1", "b:1"), ("c:1",)}


def test_places_are_named_as_skopeo_does_or_by_their_path(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = numbered(1)
    write_layout([image], store, references=["a:1"])
    monkeypatch.chdir(store.parent)
    for reference in (f"oci:{store}", f"oci:{store}:a:1", "oci:store", "store", str(store)):
        found = find_image(reference, AMD, [])
        assert found is not None, reference
        assert (found.id, found.tags) == (image.id, ("a:1",))
    for reference in (f"oci:{store}:a:2", "oci:nowhere", f"oci-archive:{store}"):
        with pytest.raises(UsageError):
            find_image(reference, AMD, [])
    (store.parent / "my-model").mkdir()
    assert find_image("my-model", AMD, []) is None


def test_an_archive_by_its_path(tmp_path: Path) -> None:
    image = numbered(1)
    path = tmp_path / "saved image.tar"
    files = {"config.json": image.config, "layer.tar": layer({"number": b"1"})}
    listed = [{"Config": "config.json", "RepoTags": ["a:1"], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as archive:
        for name, data in {**files, "manifest.json": json.dumps(listed).encode()}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    for reference in (str(path), f"docker-archive:{path}", f"docker-archive:{path}:a:1"):
        found = find_image(reference, AMD, [])
        assert found is not None
        assert (found.id, found.tags) == (image.id, ("a:1",))


def test_only_images_that_this_machine_can_run(store: Path) -> None:
    image = numbered(1, platform=ARM)
    write_layout([image], store, references=["a:1"])
    with pytest.raises(UsageError, match="linux/amd64"):
        find_image("a:1", AMD, [store])
    assert find_image(image.id, AMD, [store]) is None
    assert list(all_images([store], AMD)) == []
    assert find_image("a:1", ARM, [store]) is not None


def test_a_damaged_image_hides_no_other(store: Path) -> None:
    bad, good = numbered(1), numbered(2)
    write_layout([bad], store, references=["bad:1"])
    write_layout([good], store, references=["good:1"])
    (store / "blobs" / "sha256" / bad.id.removeprefix("sha256:")).write_bytes(b"{}")
    assert [found.tags for found in all_images([store], AMD)] == [("good:1",)]
    assert find_image(good.digest.hex[:12], AMD, [store]) is not None
    with pytest.raises(IntegrityError):
        find_image("bad:1", AMD, [store])


def test_what_an_image_says_of_itself(store: Path) -> None:
    image = with_settings(
        numbered(1, {"label": "value"}), Env=["A=1=2", "B"], User="10001:0", Entrypoint=["/bin/x", ""], Cmd=["y"]
    )
    write_layout([image], store, references=["a:1"])
    found = find_image("a:1", AMD, [store])
    assert found is not None
    info = image_info(found)
    assert (info.id, info.tags, info.platform, info.labels) == (image.id, ("a:1",), AMD, {"label": "value"})
    assert (info.env, info.user) == ({"A": "1=2", "B": ""}, "10001:0")
    assert (info.entrypoint, info.cmd) == (("/bin/x", ""), ("y",))
    assert info.diff_ids == tuple(map(str, image.diff_ids))


@pytest.mark.parametrize("changes", [{"Entrypoint": "/bin/x"}, {"Cmd": [1]}, {"User": 3}, {"WorkingDir": ["/"]}])
def test_a_configuration_that_no_engine_could_follow_is_damaged(store: Path, changes: dict[str, object]) -> None:
    write_layout([with_settings(numbered(1), **changes)], store, references=["a:1"])
    found = find_image("a:1", AMD, [store])
    assert found is not None
    with pytest.raises(IntegrityError, match="configuration") as caught:
        image_info(found)
    assert next(iter(changes)) in caught.value.problems[0]


def test_images_with_a_label_newest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    mine, other = numbered(1, {"wanted": "1"}), numbered(2, {"other": "1"})
    newer = numbered(3, {"wanted": "1"})
    document = json.loads(newer.config) | {"created": "2026-01-01T00:00:00Z"}
    config = canonical(document)
    manifest = manifest_json(Descriptor(CONFIG, Digest.of(config), len(config)), newer.layers)
    newer = replace(newer, config=config, manifest=manifest)
    write_layout([mine], project_images(tmp_path), references=["mine:1"])
    write_layout([other], project_images(tmp_path), references=["other:1"])
    write_layout([newer], user_images(), references=["newer:1"])
    start = tmp_path / "notebooks" / "deep"
    start.mkdir(parents=True)
    engine = BubblewrapEngine(Program("/usr/bin/bwrap", "0.8.0"), source="test", start=start)
    assert [image.tags for image in engine.images_with_label("wanted")] == [("newer:1",), ("mine:1",)]
    assert engine.images_with_label("unknown") == []


def test_stores_are_those_of_the_nearest_project_and_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert list(image_stores(tmp_path)) == []
    write_layout([numbered(1)], project_images(tmp_path), references=["a:1"])
    assert list(image_stores(tmp_path / "below")) == [tmp_path / ".repro" / "images"]
    write_layout([numbered(1)], user_images(), references=["a:1"])
    assert list(image_stores(tmp_path / "below")) == [tmp_path / ".repro" / "images", user_images()]
    write_layout([numbered(1)], project_images(tmp_path / "below"), references=["a:1"])
    assert next(image_stores(tmp_path / "below")) == tmp_path / "below" / ".repro" / "images"
