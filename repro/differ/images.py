"""What `repro build` put into an image: its lock and the project's files. Nothing is run or unpacked."""

import contextlib
import platform
import tarfile
from collections.abc import Iterator
from functools import cache

from repro.differ.contents import Contents
from repro.engines.model import Engine
from repro.errors import IntegrityError, UsageError
from repro.lock import LockedFile
from repro.oci.image import Image
from repro.oci.locations import Location, open_location, parse_location
from repro.oci.streams import open_plain
from repro.plan import layout
from repro.verify.stage import find_image

_MACHINES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64"}
_PLATFORMS = ("linux/amd64", "linux/arm64")
_LARGEST = 64 << 20
_LOCK = layout.LOCK.relative_to("/").as_posix()
_PROJECT = f"{layout.PROJECT.relative_to('/').as_posix()}/"


def engine_image(reference: str, engine: Engine) -> tuple[bytes, Contents]:
    """The lock's body that is baked into an image of an engine, and its project files.

    Raises:
        UsageError: The engine has no such image, or it was not made by `repro build`.
    """
    image = find_image(engine, reference)
    try:
        body = engine.read_files(image.id, layout.LOCK)[""]
    except (UsageError, KeyError) as error:
        raise _not_ours(reference) from error

    def find(file: LockedFile) -> bytes | None:
        try:
            return engine.read_files(image.id, layout.PROJECT / file.path).get("")
        except UsageError:
            return None

    return body, find


def located_image(reference: str) -> tuple[bytes, Contents]:
    """The same of an image in a layout or an archive (`repro.oci.locations`); needs no engine.

    Raises:
        UsageError: There is none, several, or it was not made by `repro build`.
        IntegrityError: It is damaged.
    """
    ours = _Ours(_any_platform(parse_location(reference)))
    body = ours.file(_LOCK)
    if body is None:
        raise _not_ours(reference)
    return body, lambda file: ours.file(_PROJECT + file.path)


def _any_platform(location: Location) -> Image:
    """The image for this machine, else for another one: nothing of it is run."""
    images, own = open_location(location), _platform()
    try:
        return images.pinned(location.reference, own).image
    except UsageError:
        for platform in _PLATFORMS:
            with contextlib.suppress(UsageError):
                return images.pinned(location.reference, platform).image
        raise


class _Ours:
    """Files of an image, its layers read from the top down and only as far as needed.

    The image was put together by somebody else: what is found says nothing until its digest is compared.
    """

    def __init__(self, image: Image) -> None:
        self._layers = reversed(range(len(image.layers)))
        self._image = image
        self._known: dict[str, bytes] = {}
        self.file = cache(self._file)

    def _file(self, path: str) -> bytes | None:
        while path not in self._known:
            number = next(self._layers, None)
            if number is None or number < 1:
                return None
            for name, data in _project_files(self._image, number):
                self._known.setdefault(name, data)
        return self._known[path]


def _project_files(image: Image, number: int) -> Iterator[tuple[str, bytes]]:
    """The lock and the project's files in a layer."""
    try:
        with open_plain(image, number) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                wanted = name == _LOCK or name.startswith(_PROJECT)
                if wanted and member.isfile() and member.size <= _LARGEST:
                    content = archive.extractfile(member)
                    yield name, b"" if content is None else content.read()
    except (OSError, tarfile.TarError) as error:
        raise IntegrityError(f"a layer can't be read: {error}", where=str(image.layers[number].digest)) from error


def _platform() -> str:
    machine = platform.machine()
    return f"linux/{_MACHINES.get(machine, machine)}"


def _not_ours(reference: str) -> UsageError:
    return UsageError(
        "the image was not made by `repro build`: it has no lock", where=reference, fix="Build it with `repro build`."
    )
