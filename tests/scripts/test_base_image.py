"""Dockerfile.base, scripts/make-base and the archives that it writes, on the real engine."""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker.errors import BuildError

from repro.engines import DockerEngine, ImageInfo

ROOT = Path(__file__).parents[2]
ARCHIVE = ROOT / "scripts" / "image-archive"
EPOCH = 1686355200
MARK = "dev.repro.test.base"
PYTHON, PYTHON_PATH, GLIBC = ("dev.repro.base." + name for name in ("python", "python-path", "glibc"))


def make_base(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", ROOT / "scripts" / "make-base", *arguments]
    return subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=False)


def archive(*arguments: object) -> str:
    command = [sys.executable, "-I", "-S", "-B", ARCHIVE, *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--pyhton", "3.11.7"],
        ["--python", "3.11"],
        ["--from", "nowhere"],
        ["--from", "registry", "--archive", "base.tar"],
        ["--tag"],
        ["--python"],
        ["--archive"],
    ],
)
def test_wrong_arguments(arguments: list[str]) -> None:
    done = make_base(*arguments)
    assert done.returncode in {1, 2}
    assert done.stderr.strip()


def test_an_engine_that_is_named_and_does_not_answer(tmp_path: Path) -> None:
    done = make_base("--force", DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    assert done.returncode == 4
    assert "scripts/setup-engine" in done.stderr


@pytest.mark.engine
def test_a_base_that_is_there_is_left_alone(engine: DockerEngine, base_image: ImageInfo) -> None:
    done = make_base()
    assert done.returncode == 0, done.stderr
    assert "is there" in done.stdout
    assert engine.image("repro-base:bookworm") == base_image


@pytest.mark.engine
def test_what_the_base_has(engine: DockerEngine, base_image: ImageInfo) -> None:
    """CA certificates, time zones, a user without a name of its own, the Python that its labels say; and no caches."""
    assert base_image.user == "10001:0"
    code = "import os, platform, ssl, venv; print(platform.python_version(), os.confstr('CS_GNU_LIBC_VERSION'))"
    caches = (
        "-path /root/.cache -o -path '/var/cache/apt/*.bin' -o -path '/var/lib/apt/lists/*_Packages*' -o -path '/tmp/*'"
    )
    look = f"""set -e; id -u; id -g; touch $HOME/written; wc -l < /etc/ssl/certs/ca-certificates.crt
ls /usr/share/zoneinfo/Europe/London
{base_image.labels[PYTHON_PATH]} -c "{code}"
find / -xdev \\( {caches} \\) -print 2>/dev/null || true"""
    output = engine.client.containers.run(base_image.id, ["/bin/sh", "-c", look], remove=True, network_disabled=True)
    uid, gid, certificates, zone, *rest = output.decode().splitlines()
    assert (uid, gid, zone) == ("10001", "0", "/usr/share/zoneinfo/Europe/London")
    assert int(certificates) > 1000
    assert rest == [f"{base_image.labels[PYTHON]} glibc {base_image.labels[GLIBC]}"]


def build_base(engine: DockerEngine, context: Path, image: str, **arguments: str) -> str:
    """Dockerfile.base on an image, without the network; its ID."""
    made, _ = engine.client.images.build(
        path=str(context),
        dockerfile=str(ROOT / "Dockerfile.base"),
        buildargs={"FROM_IMAGE": image, **arguments},
        network_mode="none",
        rm=True,
        forcerm=True,
    )
    return str(made.id)


@pytest.fixture
def facts(base_image: ImageInfo) -> dict[str, str]:
    labels = base_image.labels
    return {"PYTHON_VERSION": labels[PYTHON], "PYTHON_PATH": labels[PYTHON_PATH], "GLIBC_VERSION": labels[GLIBC]}


@pytest.fixture(scope="module")
def variants(engine: DockerEngine, base_image: ImageInfo) -> Iterator[dict[str, str]]:
    """Images like the base that lack one thing each, or nothing. What failed builds leave is found by a label."""
    api = engine.client.api
    lacks = {
        "nothing": "/nothing",
        "certificates": "/etc/ssl/certs/ca-certificates.crt",
        "zones": "/usr/share/zoneinfo",
    }
    made = {}
    try:
        for name, path in lacks.items():
            container = api.create_container(base_image.id, ["rm", "-rf", path], user="0")
            try:
                api.start(container["Id"])
                assert api.wait(container["Id"])["StatusCode"] == 0
                made[name] = api.commit(container["Id"], changes=["USER 0", f"LABEL {MARK}=1"])["Id"]
            finally:
                api.remove_container(container["Id"], force=True)
        yield made
    finally:
        api.prune_images(filters={"dangling": True, "label": MARK})


@pytest.mark.engine
@pytest.mark.parametrize(
    "case",
    [
        ("nothing", {"PYTHON_VERSION": "3.11.99"}, "not 3.11.99"),
        ("nothing", {"PYTHON_PATH": "/usr/bin/nothing"}, "no Python at /usr/bin/nothing"),
        ("nothing", {"GLIBC_VERSION": "2.0"}, "not glibc 2.0"),
        ("certificates", {}, "no CA certificates"),
        ("zones", {}, "no time zones"),
    ],
    ids=["python", "path", "glibc", "certificates", "zones"],
)
def test_dockerfile_base_refuses_what_is_not_a_base(
    engine: DockerEngine,
    facts: dict[str, str],
    variants: dict[str, str],
    tmp_path: Path,
    case: tuple[str, dict[str, str], str],
) -> None:
    lacks, change, reason = case
    with pytest.raises(BuildError) as caught:
        build_base(engine, tmp_path, variants[lacks], **{**facts, **change})
    assert reason in "".join(line.get("stream", "") for line in caught.value.build_log)


@pytest.mark.engine
def test_dockerfile_base_takes_what_is_one(
    engine: DockerEngine, facts: dict[str, str], variants: dict[str, str], tmp_path: Path
) -> None:
    made = engine.image(build_base(engine, tmp_path, variants["nothing"], **facts))
    assert made is not None
    assert made.user == "10001:0"
    assert {name: made.labels[name] for name in (PYTHON, PYTHON_PATH, GLIBC)} == {
        PYTHON: facts["PYTHON_VERSION"],
        PYTHON_PATH: facts["PYTHON_PATH"],
        GLIBC: facts["GLIBC_VERSION"],
    }


@pytest.mark.engine
def test_two_builds_normalise_to_one_image(engine: DockerEngine, base_image: ImageInfo, tmp_path: Path) -> None:
    """Builders stamp the time into layers and configuration; after normalising nothing of it is left."""
    api = engine.client.api
    ids, archives = [], []
    tag = "repro-test-normalise:1"
    keep = len(base_image.diff_ids)
    try:
        for number in range(2):
            step = f"touch -d @{EPOCH + 100 + number} /new && mkdir -p /z /a && chmod 1777 /a"
            recipe = f"FROM {base_image.id}\nUSER 0\nRUN {step}\nUSER 10001\n"
            made, _ = engine.client.images.build(fileobj=io.BytesIO(recipe.encode()), nocache=True, rm=True)
            ids.append(made.id)
            saved, out = tmp_path / "saved.tar", tmp_path / f"{number}.tar"
            with saved.open("wb") as stream:
                for block in api.get_image(made.id):
                    stream.write(block)
            archive("normalise", saved, out, tag, EPOCH, keep)
            archives.append(hashlib.sha256(out.read_bytes()).hexdigest())
        assert ids[0] != ids[1]
        assert archives[0] == archives[1]
        with (tmp_path / "0.tar").open("rb") as stream:
            engine.client.images.load(stream)
        loaded = engine.image(tag)
        assert loaded is not None
        assert loaded.diff_ids[:keep] == base_image.diff_ids
        assert (loaded.user, loaded.labels, loaded.env) == ("10001", base_image.labels, base_image.env)
        output = engine.client.containers.run(tag, ["stat", "-c", "%Y %a %n", "/new", "/a"], remove=True)
        assert output.decode().split() == [str(EPOCH), "644", "/new", str(EPOCH), "1777", "/a"]
    finally:
        for image in {tag, *ids}:
            if engine.image(image) is not None:
                api.remove_image(image)


def test_a_root_file_system_becomes_an_image_of_a_known_id(tmp_path: Path) -> None:
    rootfs = tmp_path / "rootfs.tar"
    with tarfile.open(rootfs, "w") as writer:
        member = tarfile.TarInfo("etc/os-release")
        member.size, member.mtime = 3, 12345
        writer.addfile(member, io.BytesIO(b"ID="))
    outputs = []
    for name in ("one.tar", "two.tar"):
        archive("rootfs", rootfs, tmp_path / name, "some:tag", EPOCH, json.dumps({"Labels": {"a": "b=c"}}))
        outputs.append((tmp_path / name).read_bytes())
    assert outputs[0] == outputs[1]
    with tarfile.open(tmp_path / "one.tar") as reader:
        files = {member.name: reader.extractfile(member).read() for member in reader}  # type: ignore[union-attr]
    (manifest,) = json.loads(files["manifest.json"])
    config = json.loads(files[manifest["Config"]])
    layer = hashlib.sha256(rootfs.read_bytes()).hexdigest()
    assert config["rootfs"]["diff_ids"] == [f"sha256:{layer}"]
    assert files[manifest["Layers"][0]] == rootfs.read_bytes()
    assert manifest["Config"] == hashlib.sha256(files[manifest["Config"]]).hexdigest() + ".json"
    assert config["created"] == "2023-06-10T00:00:00Z"
    assert config["config"] == {"Labels": {"a": "b=c"}}
    assert manifest["RepoTags"] == ["some:tag"]
    said = [archive("id", tmp_path / "one.tar"), archive("label", tmp_path / "one.tar", "a")]
    assert said == [f"sha256:{manifest['Config'].removesuffix('.json')}\n", "b=c\n"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.tar", "rootfs.tar", "two.tar"]
