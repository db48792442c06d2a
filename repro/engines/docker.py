"""The Docker Engine, and Podman through its Docker-compatible API, by way of the docker SDK."""

import contextlib
import posixpath
import uuid
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from docker import DockerClient
from docker.errors import APIError, NotFound

from repro.engines.archive import open_archive, read_members
from repro.engines.failures import closing_responses, engine_errors
from repro.engines.model import EngineInfo, ImageInfo, RunOutcome, RunSpec
from repro.engines.sealed import container, run_sealed
from repro.errors import UsageError

_BAD_REFERENCE = "invalid reference format"
_MOST_LINKS = 16
_UNTAGGED = "<none>:<none>"


class DockerEngine:
    """An engine that speaks the Docker API. `client` is the SDK's client, for builders."""

    def __init__(self, client: DockerClient, *, endpoint: str, source: str) -> None:
        self.client = client
        self._endpoint = endpoint
        self._source = source
        self._info: EngineInfo | None = None

    def info(self) -> EngineInfo:
        """Describe it, as it was when it was first asked. Raises InfrastructureError when it doesn't answer then."""
        self._info = self._info or self._ask()
        return self._info

    def _ask(self) -> EngineInfo:
        with engine_errors("describe itself", self._endpoint):
            version: dict[str, Any] = self.client.version()
            details: dict[str, Any] = self.client.info()
        podman = any("podman" in part.get("Name", "").lower() for part in version.get("Components") or ())
        return EngineInfo(
            name="podman" if podman else "docker",
            version=version["Version"],
            endpoint=self._endpoint,
            source=self._source,
            platform=f"{version['Os']}/{version['Arch']}",
            storage=details.get("Driver", ""),
            cpus=int(details.get("NCPU") or 0),
            memory=int(details.get("MemTotal") or 0),
        )

    def image(self, reference: str) -> ImageInfo | None:
        """The image with this name, digest or ID (also abbreviated), or None when the engine doesn't have it."""
        if not reference.isascii():
            return None  # no image can be called so, and requests refuse to ask
        with engine_errors("look for an image", reference):
            try:
                found: dict[str, Any] = self.client.api.inspect_image(reference)  # type: ignore[no-untyped-call]
            except NotFound:
                return None
            except APIError as error:
                if _BAD_REFERENCE in str(error.explanation):
                    return None
                raise
        return _image_info(found)

    def images_with_label(self, label: str) -> list[ImageInfo]:
        """Tagged images that carry this label, newest first."""
        with engine_errors("list its images"):
            listed: list[dict[str, Any]] = self.client.api.images(filters={"label": label})
        tagged = [item for item in listed if _tags(item)]
        newest = sorted(tagged, key=lambda item: (-int(item["Created"]), item["Id"]))
        found = (self.image(item["Id"]) for item in newest)
        return [image for image in found if image is not None]

    def read_files(self, image: str, path: PurePosixPath) -> dict[str, bytes]:
        """Regular files at or below `path` in an image, by POSIX path relative to it (`""` when it is a file itself).

        Nothing is run. Raises UsageError when there is no such path.
        """
        api = self.client.api
        name = f"repro-read-{uuid.uuid4().hex}"
        with container(api, name, image, command=["-"], network_disabled=True):
            place = str(path)
            for _ in range(_MOST_LINKS):
                with closing_responses(api), engine_errors("read files out of an image", place):
                    try:
                        chunks, _ = api.get_archive(name, place)
                    except NotFound as error:
                        raise UsageError("the image has no such path", where=f"{image}: {path}") from error
                    with open_archive(chunks) as archive:
                        files, link = read_members(archive)
                if link is None:
                    return files
                place = posixpath.normpath(posixpath.join(posixpath.dirname(place), link))
        raise UsageError("too many symbolic links", where=f"{image}: {path}")

    def run(self, spec: RunSpec, on_output: Callable[[str], None] | None = None) -> RunOutcome:
        """Run an image to its end, removing the container and its storage whatever happens, Ctrl-C included.

        `on_output` receives each line it prints, as it comes. Raises InfrastructureError when the engine fails.
        """
        return run_sealed(self.client.api, spec, on_output)

    def close(self) -> None:
        """Give up the connections."""
        with contextlib.suppress(OSError):
            self.client.close()


def _image_info(found: dict[str, Any]) -> ImageInfo:
    config: dict[str, Any] = found.get("Config") or {}
    return ImageInfo(
        id=_full_id(found["Id"]),
        tags=_tags(found),
        repo_digests=tuple(found.get("RepoDigests") or ()),
        platform=f"{found['Os']}/{found['Architecture']}",
        labels=dict(config.get("Labels") or {}),
        env=dict(_pair(item) for item in config.get("Env") or ()),
        user=config.get("User") or "",
        entrypoint=_words(config.get("Entrypoint")),
        diff_ids=tuple((found.get("RootFS") or {}).get("Layers") or ()),
        size=int(found.get("Size") or 0),
        cmd=_words(config.get("Cmd")),
    )


def _words(found: str | list[str] | None) -> tuple[str, ...]:
    return (found,) if isinstance(found, str) else tuple(found or ())


def _tags(found: dict[str, Any]) -> tuple[str, ...]:
    return tuple(tag for tag in found.get("RepoTags") or () if tag != _UNTAGGED)


def _full_id(text: str) -> str:
    return text if ":" in text else f"sha256:{text}"


def _pair(item: str) -> tuple[str, str]:
    name, _, value = item.partition("=")
    return name, value
