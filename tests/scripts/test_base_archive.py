"""scripts/make-base without a container engine: an archive, made from Debian packages."""

import hashlib
import json
import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from repro.digest import Digest
from repro.engines import DockerEngine
from repro.oci.archives import open_archive
from tests.scripts.machines import SCRIPTS, Machine, needs_debian, needs_linux

pytestmark = needs_linux

ROOT = SCRIPTS.parent
RECIPE = hashlib.sha256((ROOT / "Dockerfile.base").read_bytes()).hexdigest()[:16]
LABELS = {"python": "3.11.2", "python-path": "/usr/bin/python3.11", "glibc": "2.36", "recipe": RECIPE}
TAG = "repro-test-base-archive:1"
KEPT = ("User", "Env", "Entrypoint", "Cmd", "WorkingDir", "Labels", "ExposedPorts", "Volumes")
DEFAULT = Path(".local", "share", "repro", "bases", "repro-base-bookworm.tar")

MMDEBSTRAP = """#!/bin/bash
echo "${*//[^ -~]/ }" >> "$MACHINE/mmdebstrap.calls"
echo "$REPRO_STEP" > "$MACHINE/step"
[ ! -e "$MACHINE/broken" ] || { echo "E: no mirror today" >&2; exit 1; }
for argument in "$@"; do case $argument in
  *download*) echo "3.11.2 /usr/bin/python3.11 2.36" > "${argument##* }" ;;
esac; done
mkdir -p "$MACHINE/files"
tar -cf "${@: -2:1}" -C "$MACHINE/files" .
"""
DPKG_QUERY = """#!/bin/bash
[ ! -e "$MACHINE/no-$4" ] || exit 1
echo "install ok installed"
"""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Debian or Ubuntu without an engine; a stand-in takes the place of mmdebstrap."""
    made = Machine(tmp_path)
    made.has("dirname", "sha256sum", "cut", "tar")
    made.program("mmdebstrap", MMDEBSTRAP)
    made.program("dpkg-query", DPKG_QUERY)
    made.program("apt-config", "#!/bin/bash\nexit 0\n")
    return made


def config(path: Path) -> dict[str, object]:
    with tarfile.open(path) as reader:
        (manifest,) = json.load(reader.extractfile("manifest.json"))  # type: ignore[arg-type]
        found: dict[str, object] = json.load(reader.extractfile(manifest["Config"]))["config"]  # type: ignore[arg-type]
    return found


def test_without_an_engine_the_base_goes_into_a_file(machine: Machine) -> None:
    code, output = machine.run("make-base")
    assert code == 0, output
    path = machine.root / DEFAULT
    assert "no container engine answers (asked with: docker podman), so the base goes into a file" in output
    assert output.endswith(f"use it with: export REPRO_BASE=docker-archive:{path}\n")
    assert config(path) == {
        "Cmd": ["/bin/sh"],
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"],
        "Labels": {f"dev.repro.base.{name}": text for name, text in LABELS.items()},
        "User": "10001:0",
    }
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert not list(machine.root.glob("repro-make-base.*/"))


def test_one_that_is_there_is_left_alone(machine: Machine) -> None:
    machine.run("make-base")
    code, output = machine.run("make-base")
    assert (code, len(machine.calls("mmdebstrap"))) == (0, 1)
    assert f"{DEFAULT} is there, with Python 3.11.2" in output
    code, output = machine.run("make-base", "--force", "--python", "3.11.7")
    assert (code, len(machine.calls("mmdebstrap"))) == (0, 2)
    assert "note: this base has Python 3.11.2, not 3.11.7" in output


@pytest.mark.parametrize("rest", [b"not a tar", b""])
def test_what_is_no_base_is_replaced(machine: Machine, rest: bytes) -> None:
    path = machine.root / "base.tar"
    path.write_bytes(rest)
    code, output = machine.run("make-base", "--archive", "base.tar", cwd=machine.root)
    assert code == 0, output
    assert config(path)["User"] == "10001:0"


def test_an_archive_that_is_named_is_relative_to_where_one_is_and_asks_no_engine(machine: Machine) -> None:
    machine.program("docker", '#!/bin/bash\ntouch "$MACHINE/docker-was-called"\n')
    (machine.root / "here").mkdir()
    code, output = machine.run("make-base", "--archive", "bases/b.tar", cwd=machine.root / "here")
    assert code == 0, output
    assert config(machine.root / "here" / "bases" / "b.tar")["User"] == "10001:0"
    assert not (machine.root / "docker-was-called").exists()


def test_a_failure_leaves_what_was_there(machine: Machine) -> None:
    machine.run("make-base")
    before = (machine.root / DEFAULT).read_bytes()
    (machine.root / "broken").touch()
    code, output = machine.run("make-base", "--force")
    assert code == 4
    assert "E: no mirror today" in output
    assert (machine.root / DEFAULT).read_bytes() == before
    assert not list(machine.root.glob("repro-make-base.*/"))


def test_ordinary_users_need_packages_and_namespaces(machine: Machine) -> None:
    machine.user(1000)
    (machine.root / "no-uidmap").touch()
    code, output = machine.run("make-base")
    assert code == 4
    assert "sudo apt-get install uidmap" in output
    assert machine.calls("apt") == machine.calls("mmdebstrap") == []
    (machine.root / "no-uidmap").unlink()
    code, output = machine.run("make-base")
    assert code == 0, output
    assert "--mode=unshare" in machine.calls("mmdebstrap")[0]
    (machine.root / "broken").touch()
    code, output = machine.run("make-base", "--force")
    assert code == 4
    assert "/etc/subuid" in output


def test_where_debian_packages_are_of_no_use(machine: Machine) -> None:
    (machine.bin / "apt-get").unlink()
    code, output = machine.run("make-base")
    assert code == 4
    assert "takes Debian or Ubuntu" in output
    assert "[base] image" in output


def test_a_registry_takes_an_engine(machine: Machine) -> None:
    code, output = machine.run("make-base", "--from", "registry")
    assert code == 4
    assert "scripts/setup-engine" in output


def test_the_steps_are_those_of_the_dockerfile(machine: Machine) -> None:
    machine.run("make-base")
    step = (machine.root / "step").read_text()
    assert step.startswith("set -eu; ")
    assert step.replace("\\\n", "").strip() in (ROOT / "Dockerfile.base").read_text().replace("\\\n", "")
    subprocess.run(["sh", "-n"], input=step, text=True, check=True)


@dataclass(frozen=True)
class Made:
    """The archive of a real run, and what the run said."""

    path: Path
    output: str


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A base made by the real mmdebstrap, on a PATH without engines."""
    folder = tmp_path_factory.mktemp("no-engine")
    (folder / "bin").mkdir()
    for place in ("/usr/sbin", "/usr/bin", "/sbin", "/bin"):
        for program in Path(place).iterdir():
            link = folder / "bin" / program.name
            if program.name not in {"docker", "podman"} and not link.is_symlink():
                link.symlink_to(program)
    environment = {**os.environ, "PATH": str(folder / "bin"), "XDG_DATA_HOME": str(folder)}
    environment.pop("DOCKER_HOST", None)
    command = [SCRIPTS / "make-base", "--tag", TAG]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return Made(folder / "repro" / "bases" / "repro-base-bookworm.tar", done.stdout)


@needs_debian
def test_what_is_in_it(made: Made) -> None:
    image = open_archive(made.path, None, "linux/amd64")
    assert str(Digest.of(image.config)) in made.output
    settings = json.loads(image.config)["config"]
    assert settings["User"] == "10001:0"
    assert settings["Labels"]["dev.repro.base.recipe"] == RECIPE
    with tarfile.open(made.path) as reader:
        (manifest,) = json.load(reader.extractfile("manifest.json"))  # type: ignore[arg-type]
        (layer,) = manifest["Layers"]
        with tarfile.open(fileobj=reader.extractfile(layer)) as files:
            members = {member.name.removeprefix("./"): member for member in files}
            users = files.extractfile("./etc/passwd").read().decode()  # type: ignore[union-attr]
    assert users.endswith("\nrepro:x:10001:0:repro:/home/repro:/usr/sbin/nologin\n")
    home, sources = members["home/repro"], members["etc/apt/sources.list"]
    assert (home.uid, home.gid, home.mode) == (10001, 0, 0o770)
    assert (sources.uid, sources.gid, sources.mode) == (0, 0, 0o644)
    assert settings["Labels"]["dev.repro.base.python-path"].removeprefix("/") in members
    left = {"facts", "etc/resolv.conf", "etc/hostname", "etc/apt/apt.conf.d/99mmdebstrap", "etc/apt/public.list"}
    assert left.isdisjoint(members)
    assert max(member.mtime for member in members.values()) <= 1686355200


@pytest.mark.engine
@needs_debian
def test_an_engine_takes_it_and_dockerfile_base_has_nothing_to_add(engine: DockerEngine, made: Made) -> None:
    api = engine.client.api
    ids = []
    try:
        with made.path.open("rb") as stream:
            engine.client.images.load(stream)
        base = engine.image(TAG)
        assert base is not None
        ids.append(TAG)
        names = {"PYTHON_VERSION": "python", "PYTHON_PATH": "python-path", "GLIBC_VERSION": "glibc"}
        facts = {name: base.labels[f"dev.repro.base.{label}"] for name, label in names.items()}
        again, _ = engine.client.images.build(
            path=str(made.path.parent),
            dockerfile=str(ROOT / "Dockerfile.base"),
            buildargs={"FROM_IMAGE": TAG, **facts},
            network_mode="none",
            rm=True,
        )
        ids.append(str(again.id))
        theirs, ours = api.inspect_image(again.id)["Config"], api.inspect_image(TAG)["Config"]
        assert {name: theirs.get(name) for name in KEPT} == {name: ours.get(name) for name in KEPT}
        added = api.history(again.id)[: -len(base.diff_ids)]
        assert sum(step["Size"] for step in added) == 0
    finally:
        for name in reversed(ids):
            api.remove_image(name)
