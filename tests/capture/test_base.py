"""Which base a capture pins, against the real engine and a real registry."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from repro.capture.base import LABEL_GLIBC, LABEL_PYTHON, LABEL_PYTHON_PATH, resolve_base
from repro.capture.model import Interpreter
from repro.digest import Digest
from repro.engines import DockerEngine, Engine, ImageInfo
from repro.errors import InfrastructureError, IntegrityError, UsageError
from repro.lock import Base, parse_lock, render_lock
from repro.oci.image import Image
from repro.oci.write_archive import write_archive
from repro.oci.write_layout import write_layout
from repro.progress import Silent
from repro.registry import NotFoundError, Registry
from repro.store import artifact_cache
from repro.transfer.base import find_base
from tests.builders.projects import NO_IMAGE
from tests.lock.samples import full_lock
from tests.oci.forged import forge, layer
from tests.registry import server
from tests.registry.server import RunningRegistry

LOCAL = "repro-base:bookworm"
NOBODY = "localhost:9/library/python:{version}-slim-bookworm"
"""An official image whose registry nobody runs: port 9 is `discard`."""


def interpreter(version: str = "3.11.7", machine: str = "x86_64") -> Interpreter:
    python = Path("/opt/any/bin/python3.11")
    return Interpreter(
        executable=python,
        base_executable=python,
        prefix=python.parent.parent,
        base_prefix=python.parent.parent,
        implementation="cpython",
        version=version,
        system="Linux",
        machine=machine,
        platform="linux-x86_64",
        soabi="",
        glibc="2.36",
        paths={},
        sys_path=(),
        distributions=(),
    )


@pytest.fixture
def empty_registry(tmp_path: Path) -> Iterator[RunningRegistry]:
    with server.running(tmp_path) as running:
        yield running


@pytest.fixture
def client(tmp_path: Path) -> Registry:
    return Registry(environ={"HOME": str(tmp_path)})


OFFICIAL_ENV = {"linux/amd64": ("PYTHON_VERSION=3.11.7",), "linux/arm64": ("PYTHON_VERSION=3.11.7",)}


def test_the_official_image_comes_first(empty_registry: RunningRegistry, client: Registry) -> None:
    official = f"{empty_registry.host}/library/python:{{version}}-slim-bookworm"
    digest = server.push(empty_registry.host, "library/python:3.11.7-slim-bookworm", OFFICIAL_ENV)
    for machine in ("x86_64", "arm64"):
        base = resolve_base(
            interpreter(machine=machine),
            configured=None,
            engine=None,
            progress=Silent(),
            registry=client,
            official=official,
        )
        assert base == Base(
            reference=f"{empty_registry.host}/library/python:3.11.7-slim-bookworm",
            digest=digest,
            source="registry",
            python="3.11.7",
            python_path="/usr/local/bin/python3.11",
            glibc="2.36",
        )


def test_a_configured_image_needs_to_say_its_glibc(empty_registry: RunningRegistry, client: Registry) -> None:
    server.push(empty_registry.host, "team/base:1", OFFICIAL_ENV)
    with pytest.raises(UsageError, match="which C library") as caught:
        resolve_base(
            interpreter(),
            configured=f"{empty_registry.host}/team/base:1",
            engine=None,
            progress=Silent(),
            registry=client,
        )
    assert caught.value.fix is not None
    assert LABEL_GLIBC in caught.value.fix


@pytest.mark.parametrize(
    ("label", "glibc"),
    [
        ("2.36", "2.36"),
        ("2.36-9+deb12u4", "2.36"),
        (" 2.36\n", "2.36"),
        ("2.12.2", "2.12"),
        ("ldd (Debian GLIBC 2.36-9+deb12u4) 2.36", "2.36"),
        ("ldd (GNU libc) 2.34\nCopyright (C) 2021 Free Software Foundation, Inc.", "2.34"),
    ],
)
def test_a_glibc_label_may_say_what_ldd_prints(label: str, glibc: str) -> None:
    assert made_base(label).glibc == glibc


@pytest.mark.parametrize("label", ["2", "glibc", "v2.36", "2.", "2.36rc", "musl libc (x86_64)\nVersion 1.2.3"])
def test_a_glibc_label_that_is_no_version_is_named(label: str) -> None:
    with pytest.raises(UsageError, match=LABEL_GLIBC) as caught:
        made_base(label)
    assert repr(label.strip()) in caught.value.what


def made_base(label: str, targets: tuple[str, ...] = ()) -> Base:
    labelled = replace(NO_IMAGE, platform="linux/amd64", tags=("base:1",), labels={LABEL_GLIBC: label})

    class OneImage(DockerEngine):
        def __init__(self) -> None:
            """Without a connection: only the one image is asked for."""

        def image(self, reference: str) -> ImageInfo:
            assert reference == "base:1"
            return labelled

    return resolve_base(interpreter(), configured="base:1", engine=OneImage(), progress=Silent(), targets=targets)


def test_a_damaged_registry_is_not_passed_over(empty_registry: RunningRegistry, client: Registry) -> None:
    digest = server.push(empty_registry.host, "library/python:3.11.7-slim-bookworm", OFFICIAL_ENV)
    path = empty_registry.blob(digest)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(IntegrityError):
        resolve_base(
            interpreter(),
            configured=None,
            engine=None,
            progress=Silent(),
            registry=client,
            official=f"{empty_registry.host}/library/python:{{version}}-slim-bookworm",
        )


def test_nothing_at_all_lists_the_ways(client: Registry) -> None:
    with pytest.raises(InfrastructureError, match="no base image") as caught:
        resolve_base(interpreter(), configured=None, engine=None, progress=Silent(), registry=client, official=NOBODY)
    fix = caught.value.fix or ""
    assert "scripts/make-base" in fix
    assert "docker pull localhost:9/library/python:3.11.7-slim-bookworm" in fix
    assert "[base] image" in fix
    assert len(caught.value.problems) == 2


def test_ways_to_a_base_for_another_platform_lead_there(client: Registry) -> None:
    with pytest.raises(InfrastructureError, match="no base image") as caught:
        resolve_base(
            interpreter(),
            configured=None,
            engine=None,
            progress=Silent(),
            registry=client,
            official=NOBODY,
            targets=("linux/arm64",),
        )
    fix = caught.value.fix or ""
    assert "make-base" not in fix, "it makes one for this machine"
    assert "1. let a registry answer:  docker pull --platform linux/arm64 localhost:9/" in fix


def test_a_configured_image_that_cannot_be_asked_for(client: Registry) -> None:
    with pytest.raises(InfrastructureError, match="localhost:9"):
        resolve_base(interpreter(), configured="localhost:9/base:1", engine=None, progress=Silent(), registry=client)
    with pytest.raises(UsageError, match="not an image name") as caught:
        resolve_base(interpreter(), configured="Not A Name", engine=None, progress=Silent(), registry=client)
    assert caught.value.where == "repro.toml: base.image"


def local_base(image: ImageInfo, reference: str) -> Base:
    return Base(
        reference=reference,
        digest=Digest.parse(image.id),
        source="engine",
        python=image.labels[LABEL_PYTHON],
        python_path=image.labels[LABEL_PYTHON_PATH],
        glibc=image.labels[LABEL_GLIBC],
    )


@pytest.mark.engine
def test_without_a_registry_the_engines_base_serves(engine: Engine, base_image: ImageInfo, client: Registry) -> None:
    base = resolve_base(
        interpreter(base_image.labels[LABEL_PYTHON]),
        configured=None,
        engine=engine,
        progress=Silent(),
        registry=client,
        official=NOBODY,
    )
    assert base == local_base(base_image, LOCAL)


@pytest.mark.engine
@pytest.mark.parametrize("kind", ["tag", "id", "bare id", "short id"])
def test_an_image_of_the_engine_can_be_named(
    engine: Engine, base_image: ImageInfo, client: Registry, kind: str
) -> None:
    bare = base_image.id.removeprefix("sha256:")
    name = {"tag": LOCAL, "id": base_image.id, "bare id": bare, "short id": bare[:12]}[kind]
    base = resolve_base(interpreter(), configured=name, engine=engine, progress=Silent(), registry=client)
    assert base == local_base(base_image, name)


@pytest.mark.engine
def test_an_unknown_id(engine: Engine, client: Registry) -> None:
    with pytest.raises(UsageError, match="no engine here has an image"):
        resolve_base(interpreter(), configured="0123456789abcdef", engine=engine, progress=Silent(), registry=client)


@pytest.fixture
def derived(engine: DockerEngine, base_image: ImageInfo) -> Iterator[dict[str, str]]:
    """Images made from the base, newer than it: an evaluation, and another base with another Python."""
    api = engine.client.api
    ids = {}
    for tag, labels in (
        ("repro-test-base/evaluation:1", "LABEL dev.repro.lock.digest=x"),
        ("repro-test-base/other:1", "LABEL dev.repro.base.python=3.11.99"),
    ):
        container = api.create_container(base_image.id)
        try:
            repository, _, version = tag.partition(":")
            made = api.commit(container["Id"], repository=repository, tag=version, changes=labels)
            ids[tag] = made["Id"]
        finally:
            api.remove_container(container["Id"])
    yield ids
    for tag in ids:
        api.remove_image(tag)


@pytest.mark.engine
def test_of_several_bases_the_exact_version_wins_and_evaluations_never(
    engine: Engine, base_image: ImageInfo, client: Registry, derived: dict[str, str]
) -> None:
    def chosen(version: str) -> Base:
        return resolve_base(
            interpreter(version),
            configured=None,
            engine=engine,
            progress=Silent(),
            registry=client,
            official=NOBODY,
        )

    assert chosen("3.11.99").digest == Digest.parse(derived["repro-test-base/other:1"])
    assert chosen("3.10.1") == local_base(base_image, LOCAL)
    assert chosen(base_image.labels[LABEL_PYTHON]).digest != Digest.parse(derived["repro-test-base/evaluation:1"])


@pytest.mark.engine
def test_the_base_pushed_to_a_registry(
    engine: DockerEngine, base_image: ImageInfo, empty_registry: RunningRegistry, client: Registry
) -> None:
    """By tag it becomes a digest to pull by; when the registry is gone, the engine still knows that digest."""
    repository = f"{empty_registry.host}/team/base"
    api = engine.client.api
    api.tag(base_image.id, repository, "1")
    try:
        lines = list(api.push(repository, "1", stream=True, decode=True))
        (pushed,) = [line["aux"]["Digest"] for line in lines if "aux" in line]
        by_tag = resolve_base(
            interpreter(), configured=f"{repository}:1", engine=engine, progress=Silent(), registry=client
        )
        expected = replace(local_base(base_image, f"{repository}:1"), digest=Digest.parse(pushed), source="registry")
        assert by_tag == expected
        by_digest = resolve_base(
            interpreter(), configured=f"{repository}@{pushed}", engine=None, progress=Silent(), registry=client
        )
        assert by_digest == replace(expected, reference=repository)
        path = empty_registry.blob(Digest.parse(base_image.id))
        path.write_bytes(path.read_bytes().replace(b"3.11", b"3.99"))
        with pytest.raises(IntegrityError, match="something else"):
            resolve_base(interpreter(), configured=f"{repository}:1", engine=engine, progress=Silent(), registry=client)
        empty_registry.process.terminate()
        empty_registry.process.wait()
        offline = resolve_base(
            interpreter(), configured=f"{repository}:1", engine=engine, progress=Silent(), registry=client
        )
        assert offline == expected
    finally:
        api.remove_image(f"{repository}:1")


def test_a_registry_that_refuses_is_no_guess(tmp_path: Path) -> None:
    with server.with_password(tmp_path) as registry:
        server.push(registry.host, "team/base:1", OFFICIAL_ENV, login=True)
        client = Registry(environ=server.login(tmp_path, registry.host, password="guess"))
        with pytest.raises(NotFoundError, match="credentials"):
            resolve_base(
                interpreter(),
                configured=f"{registry.host}/team/base:1",
                engine=None,
                progress=Silent(),
                registry=client,
            )


LABELS = {LABEL_PYTHON: "3.11.7", LABEL_PYTHON_PATH: "/usr/bin/python3.11", LABEL_GLIBC: "2.36"}
LAYER = layer({"opt/": b"", "opt/base": b"x"})
HERE, ARM = forge(LAYER, labels=LABELS), forge(LAYER, platform="linux/arm64", labels=LABELS)


def from_place(
    tmp_path: Path,
    client: Registry,
    configured: str | None,
    machine: str = "x86_64",
    targets: tuple[str, ...] = (),
    **environ: str,
) -> Base:
    return resolve_base(
        interpreter(machine=machine),
        configured=configured,
        engine=None,
        progress=Silent(),
        registry=client,
        official=NOBODY,
        root=tmp_path,
        environ={"REPRO_CACHE_DIR": str(tmp_path / "user"), **environ},
        targets=targets,
    )


def kept(tmp_path: Path, base: Base, client: Registry, target: str = "linux/amd64") -> Image:
    """As a build finds it, without the place."""
    return find_base(
        base,
        target,
        given=None,
        cache=artifact_cache({"REPRO_CACHE_DIR": str(tmp_path / "user")}),
        engine=lambda: None,
        registry=client,
        progress=Silent(),
    )


@pytest.mark.parametrize(
    ("configured", "reference"),
    [
        ("oci:places/bases", "team/base:1"),
        ("oci:places/bases:team/base:1", "team/base:1"),
        ("oci:places/bases:@{digest}", "team/base:1"),
        ("oci-archive:places/bases.tar", "docker.io/team/base:1"),
        ("oci:places/unnamed", "unnamed"),
        ("oci-archive:places/unnamed.tar", "unnamed"),
        ("docker-archive:places/bases.tar", "team/base:1"),
    ],
)
def test_a_base_from_a_layout_or_an_archive(tmp_path: Path, client: Registry, configured: str, reference: str) -> None:
    """Pinned by digest, called by its name there, copied into the cache; its place is in no lock."""
    for name, references in (("bases", ["team/base:1"]), ("unnamed", [])):
        write_layout([HERE], tmp_path / "places" / name, references=references)
        write_archive([HERE], tmp_path / "places" / f"{name}.tar", references=references)
    base = from_place(tmp_path, client, configured.format(digest=HERE.digest))
    assert base == Base(reference, HERE.digest, "layout", "3.11.7", "/usr/bin/python3.11", "2.36")
    shutil.rmtree(tmp_path / "places")
    image = kept(tmp_path, base, client)
    assert (image.manifest, image.config) == (HERE.manifest, HERE.config)
    with image.open_layer(0) as stream:
        assert stream.read() == HERE.blobs[0]
    lock = replace(full_lock(), base=base)
    assert parse_lock(render_lock(lock)).base == base


def test_a_base_for_several_platforms_is_pinned_by_its_index(tmp_path: Path, client: Registry) -> None:
    digest = write_layout([HERE, ARM], tmp_path / "bases", references=["base:1"])
    for machine, image in (("x86_64", HERE), ("arm64", ARM)):
        base = from_place(tmp_path, client, "oci:bases", machine)
        assert (base.digest, base.source) == (digest, "layout")
        assert kept(tmp_path, base, client, image.platform).manifest == image.manifest


BOTH = ("linux/amd64", "linux/arm64")


def test_a_base_has_to_be_there_for_every_target(tmp_path: Path, client: Registry) -> None:
    write_layout([HERE, ARM], tmp_path / "bases", references=["base:1"])
    write_layout([HERE], tmp_path / "here", references=["base:1"])
    assert from_place(tmp_path, client, "oci:bases", targets=BOTH).glibc == "2.36"
    with pytest.raises(UsageError, match="no image for linux/arm64, only for linux/amd64"):
        from_place(tmp_path, client, "oci:here", targets=BOTH)
    with pytest.raises(UsageError, match="this engine's image is for linux/amd64 alone, not for linux/arm64") as caught:
        made_base("2.36", BOTH)
    assert caught.value.where == "base:1"


def test_a_local_base_of_another_platform_says_which_one_to_capture_for() -> None:
    with pytest.raises(UsageError, match="the image is for linux/amd64, not for linux/arm64") as caught:
        made_base("2.36", ("linux/arm64",))
    assert "--platform linux/amd64" in str(caught.value.fix)


def test_a_registrys_base_has_to_be_there_for_every_target(empty_registry: RunningRegistry, client: Registry) -> None:
    name = f"{empty_registry.host}/library/python:{{version}}-slim-bookworm"

    def resolved(**more: Any) -> Base:
        return resolve_base(
            interpreter(), configured=None, engine=None, progress=Silent(), registry=client, official=name, **more
        )

    server.push(empty_registry.host, "library/python:3.11.7-slim-bookworm", {"linux/amd64": ("PYTHON_VERSION=3.11.7",)})
    with pytest.raises(UsageError, match="not for linux/arm64, only for linux/amd64"):
        resolved(targets=BOTH)
    server.push(empty_registry.host, "library/python:3.11.7-slim-bookworm", OFFICIAL_ENV)
    assert resolved(targets=BOTH).python == "3.11.7"


def test_a_base_for_the_target_alone_is_enough(tmp_path: Path, client: Registry) -> None:
    """Such as a laptop with Apple's processor that captures for a server's."""
    write_layout([HERE], tmp_path / "here", references=["base:1"])
    assert from_place(tmp_path, client, "oci:here", "arm64", ("linux/amd64",)).digest == HERE.digest


def test_the_environment_names_a_base_where_the_project_does_not(tmp_path: Path, client: Registry) -> None:
    write_layout([HERE], tmp_path / "bases", references=["base:1"])
    other = forge(LAYER, LAYER, labels=LABELS)
    write_layout([other], tmp_path / "others", references=["base:1"])
    place = {"REPRO_BASE": f"oci:{tmp_path}/bases"}
    assert from_place(tmp_path, client, None, **place).digest == HERE.digest
    assert from_place(tmp_path, client, "oci:others", **place).digest == other.digest
    with pytest.raises(InfrastructureError, match="localhost:9") as caught:
        from_place(tmp_path, client, None, REPRO_BASE="localhost:9/base:1")
    assert caught.value.where == "REPRO_BASE"


def test_a_place_without_a_usable_base(tmp_path: Path, client: Registry) -> None:
    write_layout([ARM], tmp_path / "arm", references=["base:1"])
    write_layout([forge(LAYER)], tmp_path / "unlabelled", references=["base:1"])
    with pytest.raises(UsageError, match="no image for linux/amd64, only for linux/arm64"):
        from_place(tmp_path, client, "oci:arm")
    with pytest.raises(UsageError, match="which C library"):
        from_place(tmp_path, client, "oci:unlabelled")
    with pytest.raises(UsageError, match="no such layout"):
        from_place(tmp_path, client, "oci:nowhere")
    assert not (tmp_path / "user").exists()
