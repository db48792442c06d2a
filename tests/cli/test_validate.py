"""`repro validate`: every kind of target, what is shown, and the exit code."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from repro.cli import main
from repro.digest import Digest
from repro.engines import DockerEngine
from repro.errors import ExitCode, InfrastructureError
from repro.oci.stores import project_images
from repro.oci.write_archive import write_archive
from repro.oci.write_layout import blob_path, write_layout
from repro.progress import Silent
from repro.registry import Registry, parse_name
from repro.transfer.load import load
from repro.transfer.push import push
from tests.oci import places
from tests.oci.forged import Forged, forge, layer
from tests.registry.server import RunningRegistry, running

LOCK = b"version = 1"
FILES = {"opt/": b"", "opt/repro/": b"", "opt/repro/repro.lock": LOCK}
LABELS = {"dev.repro.lock.digest": str(Digest.of(LOCK)), "dev.repro.test": "validate"}
IMAGE = forge(layer({"opt/": b"", "opt/one": b"1" * 5000}), layer(FILES), labels=LABELS)
ARM = forge(layer(FILES), platform="linux/arm64", labels=LABELS)
BAD = IMAGE.with_blob(0, b"tampered")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory where the command is run, without anybody's engine."""

    def none() -> DockerEngine:
        raise InfrastructureError("no container engine answers")

    monkeypatch.setattr("repro.cli.validate.find_docker", none)
    monkeypatch.setattr("repro.oci.stores.user_data_dir", lambda *_, **__: str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def damage(layout: Path, image: Forged) -> None:
    (layout / blob_path(image.layers[0].digest)).write_bytes(b"tampered")


def test_a_layout_is_shown_as_tables_of_layers(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_layout([IMAGE, ARM], here / "layout", references=["churn:1"])
    assert main(["validate", "layout"]) == ExitCode.OK
    out, err = capsys.readouterr()
    assert err == ""
    first, second = ([str(one.digest)[:19] for one in image.layers] for image in (IMAGE, ARM))
    assert [" ".join(line.split()) for line in out.splitlines() if line] == [
        f"image {IMAGE.digest}",
        f"id {IMAGE.id}",
        "names churn:1",
        "platform linux/amd64",
        "layer blob size unpacked holds times owners",
        f"0 {first[0]} {IMAGE.layers[0].size} bytes 7.2 kB 1 file, 1 other 1980-01-01 0:0",
        f"1 {first[1]} {IMAGE.layers[1].size} bytes 3.1 kB 1 file, 2 others 1980-01-01 0:0",
        f"image {ARM.digest}",
        f"id {ARM.id}",
        "names churn:1",
        "platform linux/arm64",
        "layer blob size unpacked holds times owners",
        f"0 {second[0]} {ARM.layers[0].size} bytes 3.1 kB 1 file, 2 others 1980-01-01 0:0",
        "✓ valid: layout, 2 images, 3 layers, every digest recomputed",
    ]
    columns = [line.index(word) for line, word in zip(out.splitlines()[5:8], ("unpacked", "7.2", "3.1"), strict=True)]
    assert len(set(columns)) == 1


def test_a_damaged_layout_is_told_whole_and_exits_with_5(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = forge(layer({"opt/two": b"2"}))
    for image, name in ((IMAGE, "a:1"), (other, "b:1")):
        write_layout([image], here / "layout", references=[name])
        damage(here / "layout", image)
    assert main(["validate", "oci:layout"]) == ExitCode.TAMPERED
    out, _ = capsys.readouterr()
    assert out.count("✗ layer 0") == 2
    assert out.endswith("✗ invalid: oci:layout, 2 problems\n")
    assert main(["validate", "oci:layout:a:1"]) == ExitCode.TAMPERED
    assert capsys.readouterr().out.endswith("1 problem\n")


def test_as_json(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_layout([IMAGE], here / "layout", references=["churn:1"])
    for valid in (True, False):
        assert main(["validate", "layout", "--json"]) == (ExitCode.OK if valid else ExitCode.TAMPERED)
        out, err = capsys.readouterr()
        document = json.loads(out)
        assert (document["schema"], document["target"], document["valid"]) == ("repro.validation/1", "layout", valid)
        (image,) = document["images"]
        assert (image["digest"], image["config"], image["names"]) == (str(IMAGE.digest), IMAGE.id, ["churn:1"])
        assert [one["diff_id"] for one in image["layers"]] == list(map(str, IMAGE.diff_ids))
        assert (image["layers"][0]["facts"] is not None) == valid
        assert image["layers"][1]["facts"]["kinds"] == {"directories": 2, "files": 1}
        assert [one["severity"] for one in document["findings"]] == ([] if valid else ["problem"])
        assert err == ""
        damage(here / "layout", IMAGE)


def test_archives_of_both_kinds(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_archive([IMAGE], here / "both.tar", references=["churn:1"])
    (here / "saved.tar").write_bytes(places.tar(places.docker_files({"churn:1": IMAGE})))
    both = ("both.tar", "oci-archive:both.tar", "oci-archive:both.tar:churn:1", "docker-archive:both.tar")
    for target in (*both, "saved.tar", "docker-archive:saved.tar:churn:1"):
        assert main(["validate", target]) == ExitCode.OK, capsys.readouterr().out
    (here / "cut.tar").write_bytes((here / "both.tar").read_bytes()[:6000])
    assert main(["validate", "cut.tar"]) == ExitCode.TAMPERED
    (here / "no.tar").write_bytes(b"no tar at all" * 1000)
    assert main(["validate", "no.tar"]) == ExitCode.TAMPERED
    assert "✗ invalid: no.tar" in capsys.readouterr().out


def test_a_label_that_is_not_the_locks_digest(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {"dev.repro.lock.digest": str(Digest.of(b"another lock"))}
    write_layout([forge(layer(FILES), labels=wrong)], here / "layout", references=[])
    assert main(["validate", "layout"]) == ExitCode.TAMPERED
    assert f"/opt/repro/repro.lock is {Digest.of(LOCK)}" in capsys.readouterr().out


def test_what_is_not_there_is_a_usage_error(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_layout([IMAGE], here / "layout", references=["churn:1"])
    (here / "empty").mkdir()
    for target in ("oci:nowhere", "oci-archive:layout", "oci:layout:other:1", "empty"):
        assert main(["validate", target]) == ExitCode.USAGE
    assert main(["validate", "churn:1"]) == ExitCode.INFRASTRUCTURE
    said = "there is no layout or archive churn:1, and an engine can't be asked: no container engine answers"
    assert said in " ".join(capsys.readouterr().err.split())


def test_without_an_engine_images_of_the_project_are_found_by_name(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_layout([IMAGE], project_images(here), references=["churn:1"])
    assert main(["validate", "churn:1"]) == ExitCode.OK
    assert str(IMAGE.digest) in capsys.readouterr().out


@pytest.mark.engine
def test_an_image_of_the_engine(engine: DockerEngine, capsys: pytest.CaptureFixture[str]) -> None:
    load(engine, IMAGE, tags=["repro-test-validate:1"], progress=Silent())
    try:
        assert main(["validate", "repro-test-validate:1"]) == ExitCode.OK
        assert IMAGE.id in capsys.readouterr().out
        assert main(["validate", "repro-test-validate:other"]) == ExitCode.USAGE
        assert "there is no image repro-test-validate:other" in capsys.readouterr().err
    finally:
        engine.client.api.remove_image("repro-test-validate:1")


@pytest.fixture
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with running(tmp_path_factory.mktemp("registry")) as found:
        yield found


def test_an_image_in_a_registry(here: Path, registry: RunningRegistry, capsys: pytest.CaptureFixture[str]) -> None:
    name = parse_name(f"{registry.host}/team/churn:1")
    index = push([IMAGE, ARM], name, registry=Registry(), progress=Silent())
    push(IMAGE, parse_name(f"{registry.host}/team/churn:one"), registry=Registry(), progress=Silent())
    whole, one = f"docker://{name.name}", f"docker://{registry.host}/team/churn"
    for target, images in ((whole, 2), (f"{one}@{index}", 2), (f"{one}:one", 1), (f"{one}@{ARM.digest}", 1)):
        assert main(["validate", target, "-q"]) == ExitCode.OK
        assert f"{images} image" in capsys.readouterr().out.splitlines()[-1]
    assert main(["validate", f"{one}:none"]) == ExitCode.INFRASTRUCTURE
    registry.blob(IMAGE.layers[0].digest).write_bytes(b"tampered")
    for gone in (None, IMAGE.layers[0].digest, Digest.parse(IMAGE.id), IMAGE.digest):
        if gone is not None:
            registry.blob(gone).unlink()
        assert main(["validate", whole, "-q"]) == ExitCode.TAMPERED
        out = " ".join(capsys.readouterr().out.split())
        assert str(ARM.digest) in out
        assert str(gone or IMAGE.layers[0].digest) in out
        assert ("the registry lacks" in out) == (gone not in {None, IMAGE.digest})
