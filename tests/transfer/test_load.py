"""Images straight into the real engine: what is sent, what is asked, and what is left when it fails."""

import gzip
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import pytest

from repro.digest import Digest
from repro.engines import DockerEngine, ImageInfo, find_docker
from repro.errors import InfrastructureError, IntegrityError
from repro.oci.image import LAYER, LAYER_ZSTD, Descriptor
from repro.progress import Silent
from repro.transfer.load import _wants_plain, load
from tests.engines.podman import running_podman
from tests.oci.forged import Forged, changed, forge, layer

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

pytestmark = pytest.mark.engine

NAME = "repro-test-load"
ONE = layer({"opt/": b"", "opt/one": b"1" * 50_000})
TWO = layer({"opt/": b"", "opt/two": b"2" * 70_000})
CODE = layer({"opt/": b"", "opt/code": b"print()"})


class Watched:
    """The real engine, with the archives that it is sent measured and its requests counted."""

    def __init__(self, engine: DockerEngine) -> None:
        self.engine = engine
        self.sent: list[int] = []
        self.requests: list[str] = []
        self.all_sent = threading.Event()


@pytest.fixture
def watched(engine: DockerEngine, monkeypatch: pytest.MonkeyPatch) -> Watched:
    found = Watched(engine)
    api = engine.client.api
    original, send = api.load_image, api.send

    def load_image(data: Iterator[bytes], quiet: bool | None = None) -> Any:
        found.sent.append(0)

        def counted() -> Iterator[bytes]:
            for block in data:
                found.sent[-1] += len(block)
                yield block
            found.all_sent.set()

        return original(counted(), quiet=quiet)

    def sending(request: Any, **settings: Any) -> Any:
        found.requests.append(
            f"{request.method} {request.path_url.partition('/v1.')[2].partition('/')[2].split('/')[0]}"
        )
        return send(request, **settings)

    monkeypatch.setattr(api, "load_image", load_image)
    monkeypatch.setattr(api, "send", sending)
    return found


@pytest.fixture(autouse=True)
def _clean(engine: DockerEngine) -> Iterator[None]:
    """Every test ends without images of these tests, and had left none without a name."""
    yield
    made = engine.client.api.images(all=True, filters={"label": "dev.repro.test"})
    for image in made:
        engine.client.api.remove_image(image["Id"], force=True)
    assert not [image for image in made if image["RepoTags"] in (None, [], ["<none>:<none>"])]


def put(engine: DockerEngine, image: Forged, *tags: str) -> ImageInfo:
    return load(engine, image, tags=[f"{NAME}:{tag}" for tag in tags], progress=Silent())


@pytest.mark.parametrize("packed", [True, False], ids=["gzip", "tar"])
def test_an_unknown_image_is_sent_whole_and_named(watched: Watched, packed: bool) -> None:
    image = forge(ONE, TWO, packed=packed)
    found = put(watched.engine, image, "a", "b")
    assert (found.id, found.tags) == (image.id, (f"{NAME}:a", f"{NAME}:b"))
    assert found.diff_ids == tuple(map(str, image.diff_ids))
    assert image.opened == [0, 1]


def test_only_the_layers_that_the_engine_lacks_are_opened_and_sent(watched: Watched) -> None:
    put(watched.engine, forge(ONE, TWO, packed=False), "base")
    image = forge(ONE, TWO, CODE, packed=False)
    watched.sent.clear()
    put(watched.engine, image, "new")
    assert image.opened == [2]
    assert max(watched.sent) < len(CODE) + 8192 < len(ONE) + len(TWO)


def test_the_engines_own_base_is_never_sent(watched: Watched, base_image: ImageInfo) -> None:
    base = [Digest.parse(digest) for digest in base_image.diff_ids]
    plain = forge(*[b""] * len(base), CODE, diff_ids=[*base, Digest.of(CODE)], packed=False)
    nowhere = tuple(Descriptor(LAYER, digest, 1 << 40) for digest in base)
    image = replace(plain, layers=(*nowhere, plain.layers[-1]), opened=[])
    image = changed(image)
    found = put(watched.engine, image, "on-base")
    assert found.diff_ids[:-1] == base_image.diff_ids
    assert image.opened == [len(base)]
    assert sum(watched.sent) < len(CODE) + 4 * 8192


def test_what_an_image_of_the_same_name_has_is_not_asked_for(watched: Watched) -> None:
    put(watched.engine, forge(ONE, CODE), "x")
    watched.sent.clear()
    image = forge(ONE, TWO)
    put(watched.engine, image, "x")
    assert image.opened == [1]
    assert len(watched.sent) == 1
    watched.engine.client.api.remove_image(forge(ONE, CODE).id)


def test_a_layer_that_only_looked_shared_is_sent_after_all(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when an image is removed between the question and the answer."""
    image = forge(ONE, TWO, CODE)
    monkeypatch.setattr("repro.transfer.load._first", lambda *_: 2)
    assert put(watched.engine, image, "x").id == image.id
    assert image.opened[-3:] == [0, 1, 2]


def test_an_image_that_is_there_is_only_named(watched: Watched) -> None:
    image = forge(ONE, TWO)
    put(watched.engine, image, "a")
    for tag, most in (("a", 1), ("b", 3)):
        watched.requests.clear()
        watched.sent.clear()
        assert f"{NAME}:{tag}" in put(watched.engine, image, tag).tags
        assert watched.sent == []
        assert len(watched.requests) <= most
    assert image.opened == [0, 1]


def test_another_configuration_over_the_same_layers_sends_no_layer(watched: Watched) -> None:
    image = forge(ONE, TWO)
    put(watched.engine, image, "a")
    other = changed(image, author="somebody")
    assert put(watched.engine, other, "b").id == other.id != image.id
    assert other.opened == []


def test_a_layer_that_is_there_twice(watched: Watched) -> None:
    image = forge(ONE, TWO, ONE)
    assert put(watched.engine, image, "x").diff_ids == tuple(map(str, image.diff_ids))
    longer = forge(ONE, TWO, ONE, CODE)
    assert put(watched.engine, longer, "y").id == longer.id
    assert longer.opened == [3]


def test_a_store_that_takes_no_parts_gets_everything(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    put(watched.engine, forge(ONE), "base")
    status = {"Driver": "overlayfs", "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}
    monkeypatch.setattr(watched.engine.client.api, "info", lambda: status)
    image = forge(ONE, TWO)
    put(watched.engine, image, "x")
    assert image.opened == [0, 1]


def test_wrong_content_of_a_layer_is_refused_in_our_words(watched: Watched) -> None:
    image = forge(ONE, TWO, diff_ids=[Digest.of(ONE), Digest.of(CODE)])
    with pytest.raises(IntegrityError, match="content is not what its configuration says") as caught:
        put(watched.engine, image, "x")
    assert str(Digest.of(CODE)) in caught.value.details
    assert watched.engine.image(f"{NAME}:x") is None
    assert watched.engine.image(image.id) is None


def test_a_layer_that_is_no_tar_is_refused_by_the_engine(watched: Watched) -> None:
    with pytest.raises(InfrastructureError, match="could not load the image"):
        put(watched.engine, forge(b"no tar" * 1000), "x")


@dataclass(frozen=True)
class Measured(Forged):
    """An image that knows how long its layers after the first are unpacked."""

    def plain_size(self, number: int) -> int | None:
        return len(gzip.decompress(self.blobs[number])) if number else None


class Zstd(Measured):
    """The same of one with zstd."""

    def plain_size(self, number: int) -> int | None:
        return len(zstd.decompress(self.blobs[number])) if number else None


@pytest.fixture
def no_pigz(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)


@pytest.fixture
def pigz(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", {"unpigz": "/usr/bin/unpigz"}.get)


@pytest.mark.usefixtures("pigz")
def test_an_engine_with_pigz_gets_plain_layers(watched: Watched) -> None:
    image = Measured(**vars(forge(ONE, TWO, CODE)))
    found = put(watched.engine, image, "x")
    assert (found.id, found.diff_ids) == (image.id, tuple(map(str, image.diff_ids)))
    assert len(TWO) + len(CODE) < watched.sent[-1] < len(ONE) + len(TWO) + len(CODE)


@pytest.mark.usefixtures("pigz")
def test_an_engine_with_pigz_gets_only_what_it_lacks(watched: Watched) -> None:
    put(watched.engine, Measured(**vars(forge(ONE, TWO))), "x")
    longer = Measured(**vars(forge(ONE, TWO, CODE)))
    assert put(watched.engine, longer, "y").id == longer.id
    assert longer.opened == [2]


@pytest.mark.usefixtures("pigz")
def test_a_blob_that_was_tampered_with_is_found_when_it_is_unpacked(watched: Watched) -> None:
    whole = forge(ONE, TWO)
    image = Measured(**vars(replace(whole, blobs=(whole.blobs[0], gzip.compress(TWO, 1, mtime=1)))))
    with pytest.raises(IntegrityError, match=whole.layers[1].digest.hex):
        put(watched.engine, image, "x")
    assert watched.engine.image(image.id) is None


@pytest.mark.usefixtures("pigz")
def test_wrong_content_is_found_before_an_engine_with_pigz_has_it(watched: Watched) -> None:
    image = Measured(**vars(forge(ONE, TWO, diff_ids=[Digest.of(ONE), Digest.of(CODE)])))
    with pytest.raises(IntegrityError, match=Digest.of(CODE).hex):
        put(watched.engine, image, "x")
    assert watched.engine.image(image.id) is None


@pytest.mark.usefixtures("no_pigz")
@pytest.mark.parametrize(("version", "plain"), [("20.10.24+dfsg1", True), ("23.0.1", False), ("dev", False)])
def test_an_engine_that_does_not_read_zstd_gets_plain_layers(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, version: str, plain: bool
) -> None:
    info = replace(watched.engine.info(), version=version)
    whole = forge(TWO)
    image = Measured(**vars(replace(whole, layers=(replace(whole.layers[0], media_type=LAYER_ZSTD),))))
    assert _wants_plain(info, image) is plain
    assert _wants_plain(info, whole) is False


def test_a_zstd_image_is_loaded_by_any_engine(watched: Watched) -> None:
    packed = zstd.compress(TWO)
    whole = forge(ONE, TWO)
    layers = (whole.layers[0], Descriptor(LAYER_ZSTD, Digest.of(packed), len(packed)))
    image = Zstd(**vars(changed(replace(whole, layers=layers, blobs=(whole.blobs[0], packed)))))
    assert put(watched.engine, image, "x").diff_ids == tuple(map(str, whole.diff_ids))


def test_a_tampered_blob_never_becomes_an_image(watched: Watched) -> None:
    image = forge(ONE, TWO).with_blob(1, b"tampered")
    with pytest.raises(IntegrityError, match=image.layers[1].digest.hex):
        put(watched.engine, image, "x")
    assert watched.engine.image(image.id) is None
    assert put(watched.engine, forge(ONE, TWO), "x").id == image.id


def interrupt_when(monkeypatch: pytest.MonkeyPatch, moment: threading.Event) -> threading.Event:
    """Ctrl-C for whoever waits for a thread, at that moment; returns what is set once the thread knows of it."""
    monkeypatch.setattr("repro.transfer.load._PATIENCE", 300.0)  # an engine with much to do takes longer
    join = threading.Thread.join
    waiting, known = [moment], threading.Event()

    def joined(thread: threading.Thread, timeout: float | None = None) -> None:
        if timeout is None and waiting:
            waiting.pop().wait()
            raise KeyboardInterrupt
        known.set()
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", joined)
    return known


def test_ctrl_c_on_the_way_leaves_nothing(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    image, opening, opened = forge(ONE, TWO), threading.Event(), Forged.open_layer

    def slow(self: Forged, number: int) -> BinaryIO:
        opening.set()
        assert known.wait(60)
        return opened(self, number)

    monkeypatch.setattr(Forged, "open_layer", slow)
    monkeypatch.setattr("repro.transfer.load._first", lambda *_: 0)
    known = interrupt_when(monkeypatch, opening)
    with pytest.raises(KeyboardInterrupt):
        put(watched.engine, image, "x")
    assert watched.engine.image(image.id) is None
    assert image.opened == [0]


def test_ctrl_c_when_the_engine_has_everything_leaves_nothing(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = forge(ONE, TWO)
    monkeypatch.setattr("repro.transfer.load._first", lambda *_: 0)
    interrupt_when(monkeypatch, watched.all_sent)
    with pytest.raises(KeyboardInterrupt):
        put(watched.engine, image, "x")
    assert watched.engine.image(image.id) is None
    assert image.opened == [0, 1]


@pytest.fixture
def podman() -> Iterator[DockerEngine]:
    with running_podman() as running:
        found = find_docker({"DOCKER_HOST": running.address, "HOME": os.devnull})
        yield found
        found.close()


def test_podman_gets_it_whole_and_wrong_content_is_found_before(podman: DockerEngine) -> None:
    image = forge(ONE, TWO)
    found = put(podman, image, "a")
    assert (found.id, found.diff_ids) == (image.id, tuple(map(str, image.diff_ids)))
    assert put(podman, image, "b").id == image.id
    wrong = forge(ONE, TWO, diff_ids=[Digest.of(ONE), Digest.of(CODE)])
    with pytest.raises(IntegrityError, match="unpacked"):
        put(podman, wrong, "wrong")
    assert podman.image(f"{NAME}:wrong") is None
