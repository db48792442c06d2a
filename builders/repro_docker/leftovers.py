"""Finds and removes the images and containers that a build made on its way, however it ended; never anybody else's."""

import contextlib
import re
import time
from types import TracebackType
from typing import Any, Self

from repro.engines import DockerEngine
from repro.engines.failures import engine_errors, to_the_end
from repro.errors import InfrastructureError
from repro.plan import BuildPlan, layout

_IMAGE = re.compile(r" ?-{2,3}> ([0-9a-f]{12,64})$", re.IGNORECASE)
_CACHED = re.compile(r" ?-{2,3}> using cache", re.IGNORECASE)
_CONTAINER = re.compile(r" ?-{2,3}> running in ([0-9a-f]{12,64})$", re.IGNORECASE)
_QUIET_LOOKS = 3
_MOST_LOOKS = 60
_PAUSE = 0.25


class Made:
    """What a build's messages say that it made itself: not what it started from, nor what it found in the cache.

    Attributes:
        images: Their IDs, as abbreviated by the engine.
        containers: Likewise.
    """

    def __init__(self) -> None:
        self.images: set[str] = set()
        self.containers: set[str] = set()
        self._rest = ""
        self._given = False

    def hear(self, message: dict[str, Any]) -> None:
        """Take one message of the build stream (Engine API, POST /build)."""
        *lines, self._rest = (self._rest + str(message.get("stream") or "")).split("\n")
        for line in lines:
            self._line(line.rstrip())

    def _line(self, line: str) -> None:
        if line.lower().startswith("step "):
            self._given = " : FROM " in line
        elif _CACHED.match(line):
            self._given = True
        elif container := _CONTAINER.match(line):
            self.containers.add(container[1])
        elif (image := _IMAGE.match(line)) and not self._given:
            self.images.add(image[1])


class Leftovers:
    """Around one build: remembers what was there before, and tidies up what the build made beside its image.

    Two builds may share steps through the engine's cache, so that what this one made may be what another one builds
    on. The install stage is marked by its lock, and builds of one lock take turns: nobody else builds on it. What else
    this build made goes only after a failure, and only while nothing is built on it.
    """

    def __init__(self, engine: DockerEngine, plan: BuildPlan, made: Made) -> None:
        self._api = engine.client.api
        self._mark = str(plan.lock_digest)
        self._made = made
        self._spared: set[str] = set()

    def keep(self, image: str) -> None:
        """Spare the finished image, whether it has a name or not."""
        self._spared.add(image)

    def __enter__(self) -> Self:
        with engine_errors("list its images"):
            self._spared = {item["Id"] for item in self._images()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(InfrastructureError), engine_errors("remove temporary images"):
            to_the_end(lambda: self._tidy(cancelled=error is not None))

    def _tidy(self, *, cancelled: bool) -> None:
        """Remove what is left; after a build that was broken off, look until the engine has really stopped."""
        quiet = 0
        for _ in range(_MOST_LOOKS):
            while self._sweep():
                quiet = 0
            quiet += 1
            if not cancelled or quiet >= _QUIET_LOOKS:
                return
            time.sleep(_PAUSE)

    def _sweep(self) -> bool:
        """Remove our containers, and those of our images that nothing is built on; whether there was any to remove."""
        ours = self._ours()
        removed = 0
        for identity in self._containers():
            with contextlib.suppress(InfrastructureError), engine_errors("remove a container"):
                self._api.remove_container(identity, v=True, force=True)
                removed += 1
        dangling = self._images(filters={"dangling": True})
        for identity in [item["Id"] for item in dangling if item["Id"] in ours]:
            with contextlib.suppress(InfrastructureError), engine_errors("remove a temporary image"):
                self._api.remove_image(identity, noprune=True)  # its parents may be somebody else's
                removed += 1
        return removed > 0

    def _images(self, **options: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._api.images(all=True, **options)
        return found

    def _ours(self) -> set[str]:
        """New images that the build said it made, and marked ones that grew on such unsaid."""
        new = [item for item in self._images() if item["Id"] not in self._spared]
        ours = {item["Id"] for item in new if _named(item["Id"], self._made.images)}
        grown = True
        while grown:
            more = {item["Id"] for item in new if item.get("ParentId") in ours and self._marked(item)} - ours
            ours |= more
            grown = bool(more)
        return ours

    def _marked(self, item: dict[str, Any]) -> bool:
        """Images and containers of the install stage carry the lock's digest."""
        return (item.get("Labels") or {}).get(layout.LABEL_STAGE) == self._mark

    def _containers(self) -> list[str]:
        """Containers of this build's steps."""
        found: list[dict[str, Any]] = self._api.containers(all=True)
        return [item["Id"] for item in found if _named(item["Id"], self._made.containers)]


def _named(identity: str, said: set[str]) -> bool:
    plain = identity.removeprefix("sha256:")
    return any(plain.startswith(start) for start in said)
