"""The validator finds everything that is wrong, all at once, and takes nothing legal for wrong."""

import dataclasses
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from repro.digest import Digest
from repro.errors import UsageError
from repro.oci.image import DOCKER_LAYER_GZIP
from repro.oci.layouts import Folder
from repro.oci.tar_files import tar_files
from repro.oci.validate import Report, validate
from repro.oci.validate_layout import compare_lists, validate_docker_archive, validate_layout
from repro.oci.write_archive import write_archive
from repro.oci.write_layout import blob_path, write_layout
from tests.oci import places
from tests.oci.forged import Forged, changed, forge, layer
from tests.oci.places import docker_files

ONE = layer({"opt/": b"", "opt/one": b"1" * 5000})
TWO = layer({"opt/": b"", "opt/two": b"2" * 700})
LABEL, LOCK = "dev.repro.lock.digest", "opt/repro/repro.lock"
CLAIMS = {LABEL: LOCK}


def told(report: Report, severity: str = "problem") -> list[str]:
    return [f"{one.where}: {one.what}" for one in report.findings if one.severity == severity]


def member(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type = kind
    for field, value in fields.items():
        setattr(found, field, value)
    return found


def tar(*members: tarfile.TarInfo) -> bytes:
    """A tar as anybody may write it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for one in members:
            archive.addfile(one, io.BytesIO(bytes(one.size)))
    return stream.getvalue()


def write_tar(path: Path, files: Mapping[str, bytes]) -> Path:
    path.write_bytes(places.tar(files))
    return path


def test_a_sound_image_has_nothing_to_be_said_of() -> None:
    image = forge(ONE, TWO)
    report = validate(image)
    assert report.findings == ()
    (found,) = report.images
    assert (found.digest, str(found.config), found.platform) == (image.digest, image.id, "linux/amd64")
    facts = [one.facts for one in found.layers]
    assert [(one.size, dict(one.kinds), dict(one.owners), one.mtimes) for one in facts if one] == [
        (len(data), {"directories": 1, "files": 1}, {"0:0": 2}, (315532800, 315532800)) for data in (ONE, TWO)
    ]


def test_every_problem_is_told_at_once() -> None:
    image = forge(ONE, TWO, tar(member("../evil"), member("/etc/passwd"), member("twice"), member("./twice")))
    config = json.loads(image.config)
    wrong = changed(
        image,
        history=[{"created_by": "one"}],
        rootfs={
            **config["rootfs"],
            "diff_ids": [config["rootfs"]["diff_ids"][0], str(Digest.of(b"else")), config["rootfs"]["diff_ids"][2]],
        },
    )
    bad = dataclasses.replace(wrong, diff_ids=(image.diff_ids[0], Digest.of(b"else"), image.diff_ids[2])).with_blob(
        0, b"tampered"
    )
    found = "\n".join(told(validate(bad)))
    assert "layers in its history: 1; in the image: 3" in found
    assert f"layer 0 ({image.layers[0].digest.short})" in found
    assert str(image.diff_ids[1]) in found
    assert "leaves the image: ../evil" in found
    assert "an absolute path: /etc/passwd" in found
    assert "twice in the layer: twice" in found
    assert len(told(validate(bad))) == 6


def test_documents_that_do_not_agree() -> None:
    image, other = forge(ONE), forge(ONE, TWO)
    mixed = dataclasses.replace(image, config=other.config, diff_ids=other.diff_ids)
    found = told(validate(mixed))
    assert any("names the configuration" in one for one in found)
    assert any("layers listed: 1; diff_ids in the configuration: 2" in one for one in found)
    assert told(validate(dataclasses.replace(image, platform="linux/arm64")))
    broken = validate(dataclasses.replace(image, manifest=b'{"schemaVersion": 1}'))
    assert told(broken)
    assert broken.images == ()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (ONE[:-1024] + b"x" * 512 + bytes(1024), "damaged"),
        (ONE + b"more", "behind the end"),
        (ONE[:3000], "damaged"),
        (b"x" * 10240, "damaged"),
        (tar(member("a"), member("a/b")), "below what is no directory: a"),
        (tar(member("a", b"9")), "unknown kind"),
        (tar(member("a", tarfile.LNKTYPE, linkname="../../etc/passwd")), "leaves the image: a"),
        (tar(*[member("same")] * 30), "9 more like these"),
    ],
    ids=["header", "behind", "cut", "none", "below a file", "kind", "hard link", "many"],
)
def test_layers_that_are_no_sound_tar(data: bytes, expected: str) -> None:
    assert expected in "\n".join(told(validate(forge(data))))


def test_a_tar_may_be_padded_or_have_nothing_in_it() -> None:
    assert validate(forge(ONE + bytes(10240), bytes(1024), bytes(10240))).findings == ()


def test_what_is_legal_but_worth_knowing_is_a_note() -> None:
    base = tar(member("bin", tarfile.SYMTYPE, linkname="usr/bin"), member("usr/bin", tarfile.DIRTYPE))
    odd = tar(
        member("dev/null", tarfile.CHRTYPE, devmajor=1, devminor=3),
        member("usr/bin/sudo", mode=0o4755, uid=5, gid=6, mtime=1.5),
        member("usr/bin/ping", pax_headers={"SCHILY.xattr.security.capability": "x"}),
        member("link", tarfile.LNKTYPE, linkname="below/it"),
        member("usr/.wh.gone"),
        member("bin/new"),
    )
    report = validate(forge(base, odd))
    assert told(report) == []
    notes = "\n".join(told(report, "note"))
    for expected in ("has devices: 1", "usr/bin/sudo", "extended attributes: 1", "below/it", "symbolic link: bin"):
        assert expected in notes
    facts = report.images[0].layers[1].facts
    assert facts is not None
    assert facts.kinds["whiteouts"] == 1
    assert (facts.owners, facts.mtimes) == ({"0:0": 5, "5:6": 1}, (0, 1.5))


def test_media_types_of_two_worlds_are_noted() -> None:
    image = forge(ONE)
    docker = (dataclasses.replace(image.layers[0], media_type=DOCKER_LAYER_GZIP),)
    manifest = image.manifest.replace(image.layers[0].media_type.encode(), DOCKER_LAYER_GZIP.encode())
    report = validate(dataclasses.replace(image, layers=docker, manifest=manifest))
    assert (told(report), len(told(report, "note"))) == ([], 1)


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"the lock", []), (b"another", [f"label {LABEL}"]), (None, [f"label {LABEL}"])],
    ids=["right", "wrong", "missing"],
)
def test_the_label_is_the_digest_of_the_lock_that_is_in_the_image(content: bytes | None, expected: list[str]) -> None:
    files = {"opt/": b"", "opt/repro/": b""} | ({} if content is None else {LOCK: content})
    older = layer({"opt/": b"", "opt/repro/": b"", LOCK: b"of a base"})
    image = forge(older if content else ONE, layer(files), labels={LABEL: str(Digest.of(b"the lock"))})
    assert [one.partition(":")[0] for one in told(validate(image, claims=CLAIMS))] == expected
    assert told(validate(image)) == []


def written(tmp_path: Path, *images: Forged) -> Path:
    write_layout(images, tmp_path / "layout", references=["x:1", "x:2"])
    return tmp_path / "layout"


def test_a_layout_with_everything_in_it(tmp_path: Path) -> None:
    images = [forge(ONE), forge(ONE, platform="linux/arm64")]
    report = validate_layout(Folder(written(tmp_path, *images)), None, {})
    assert report.findings == ()
    assert [(image.digest, image.names) for image in report.images] == [
        (image.digest, ("x:1", "x:2")) for image in images
    ]


def test_every_blob_of_a_layout_is_hashed(tmp_path: Path) -> None:
    image = forge(ONE, TWO)
    config = Digest.parse(image.id)
    for digest in (image.digest, config, *(one.digest for one in image.layers)):
        folder = written(tmp_path / digest.short, image)
        path = folder / blob_path(digest)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        (found,) = told(validate_layout(Folder(folder), None, {}))
        assert digest.short in found
        path.unlink()
        (found,) = told(validate_layout(Folder(folder), None, {}))
        assert digest.short in found
        assert "missing" in found


def test_an_index_that_lies_about_platforms_is_found_out(tmp_path: Path) -> None:
    folder = written(tmp_path, forge(ONE))
    path = folder / "index.json"
    path.write_bytes(path.read_bytes().replace(b"amd64", b"arm64"))
    assert {one.partition(": ")[2] for one in told(validate_layout(Folder(folder), None, {}))} == {
        "is listed for linux/arm64, but is for linux/amd64"
    }


def test_platforms_that_are_elsewhere_are_noted(tmp_path: Path) -> None:
    images = [forge(ONE), forge(TWO, platform="linux/arm64")]
    folder = written(tmp_path, *images)
    (folder / blob_path(images[1].digest)).unlink()
    report = validate_layout(Folder(folder), None, {})
    assert told(report) == []
    assert "linux/arm64 is not here" in told(report, "note")[0]
    assert [image.digest for image in report.images] == [images[0].digest]


def test_one_image_of_a_layout(tmp_path: Path) -> None:
    good, bad = forge(ONE), forge(TWO)
    write_layout([good], tmp_path, references=["good:1"])
    write_layout([bad], tmp_path, references=["bad:1"])
    (tmp_path / blob_path(bad.layers[0].digest)).write_bytes(b"bad")
    assert told(validate_layout(Folder(tmp_path), "good:1", {})) == []
    assert told(validate_layout(Folder(tmp_path), f"@{bad.digest}", {}))
    assert told(validate_layout(Folder(tmp_path), None, {}))
    with pytest.raises(UsageError, match="there is no image other:1"):
        validate_layout(Folder(tmp_path), "other:1", {})


def test_an_archive_for_old_and_new_engines(tmp_path: Path) -> None:
    images = [forge(ONE, TWO), forge(ONE, platform="linux/arm64")]
    write_archive(images, tmp_path / "image.tar", references=["x:1"])
    files = tar_files(tmp_path / "image.tar")
    report = validate_layout(files, None, {})
    assert (len(report.images), report.findings) == (2, ())
    assert compare_lists(files, report).findings == ()
    assert validate_docker_archive(files, None, {}).findings == ()


def test_an_archive_with_two_different_images_for_two_kinds_of_engines(tmp_path: Path) -> None:
    write_archive([forge(ONE)], tmp_path / "a.tar", references=["x:1"])
    write_archive([forge(TWO)], tmp_path / "b.tar", references=["x:1"])
    merged: dict[str, bytes] = {}
    for name in ("b.tar", "a.tar"):
        with tarfile.open(tmp_path / name) as archive:
            found = {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]
        merged = {**merged, **found, "manifest.json": merged.get("manifest.json", found["manifest.json"])}
    files = tar_files(write_tar(tmp_path / "merged.tar", merged))
    report = validate_layout(files, None, {})
    assert report.findings == ()
    assert "lists an image that index.json does not" in told(compare_lists(files, report))[0]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda layers: layers[::-1], ["lists other layers than index.json for the image sha256:"]),
        (lambda layers: layers, []),
    ],
    ids=["other layers", "a damaged layer"],
)
def test_a_list_for_old_engines_is_told_what_is_its_own_fault(
    tmp_path: Path, change: Callable[[list[str]], list[str]], expected: list[str]
) -> None:
    """A blob that both lists name is damaged for both: the layer says so already."""
    image = forge(ONE, TWO)
    write_archive([image], tmp_path / "a.tar", references=["x:1"])
    with tarfile.open(tmp_path / "a.tar") as archive:
        found = {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]
    (item,) = json.loads(found["manifest.json"])
    found["manifest.json"] = json.dumps([{**item, "Layers": change(item["Layers"])}]).encode()
    found[f"blobs/sha256/{image.layers[1].digest.hex}"] = image.blobs[1][:-1] + b"x"
    files = tar_files(write_tar(tmp_path / "b.tar", found))
    problems = told(compare_lists(files, validate_layout(files, None, {})))
    assert len(problems) == len(expected)
    assert all(text in problem for text, problem in zip(expected, problems, strict=True))


def test_what_the_list_for_old_engines_names_and_is_not_there_is_said_to_be_of_that_list(tmp_path: Path) -> None:
    image = forge(ONE, TWO)
    write_archive([image], tmp_path / "a.tar", references=["x:1"])
    with tarfile.open(tmp_path / "a.tar") as archive:
        found = {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]
    path = f"blobs/sha256/{image.layers[1].digest.hex}"
    del found[path]
    files = tar_files(write_tar(tmp_path / "b.tar", found))
    (problem,) = told(compare_lists(files, Report()))
    assert problem.endswith(f"manifest.json lists the layer {path}, which is missing")


def test_a_document_of_another_digest_is_told_with_both(tmp_path: Path) -> None:
    image = forge(ONE)
    folder = written(tmp_path, image)
    path = folder / blob_path(Digest.of(image.config))
    path.chmod(0o644)
    path.write_bytes(image.config + b" ")
    (problem,) = told(validate_layout(Folder(folder), None, {}))
    size = len(image.config)
    assert problem.endswith(
        f"must be {image.id}, {size} bytes, but is {Digest.of(image.config + b' ')}, {size + 1} bytes"
    )


def test_an_archive_without_names_offers_ids(tmp_path: Path) -> None:
    image = forge(ONE, packed=False)
    (item,) = json.loads(docker_files({"x:1": image})["manifest.json"])
    files = {**docker_files({"x:1": image}), "manifest.json": json.dumps([{**item, "RepoTags": None}]).encode()}
    with pytest.raises(UsageError) as caught:
        validate_docker_archive(tar_files(write_tar(tmp_path / "x.tar", files)), "y:1", {})
    assert caught.value.fix == f"Name one of: @{image.id}."


def test_what_docker_save_writes(tmp_path: Path) -> None:
    image = forge(ONE, TWO, packed=False)
    files = docker_files({"x:1": image})
    path = write_tar(tmp_path / "saved.tar", files)
    report = validate_docker_archive(tar_files(path), None, {})
    assert (report.findings, report.images[0].names) == ((), ("x:1",))
    assert told(validate_docker_archive(tar_files(path), "x:1", {})) == []
    name = next(name for name in files if name.endswith("layer.tar"))
    write_tar(path, {**files, name: TWO + bytes(512)})
    assert len(told(validate_docker_archive(tar_files(path), None, {}))) == 1
    config = f"{image.id.removeprefix('sha256:')}.json"
    write_tar(path, {**files, config: changed(image, author="else").config})
    assert told(validate_docker_archive(tar_files(path), None, {})) == [
        f"{config}: has another content than its name says"
    ]
    with pytest.raises(UsageError, match="there is no image y:1"):
        validate_docker_archive(tar_files(path), "y:1", {})
