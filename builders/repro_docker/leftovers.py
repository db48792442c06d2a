"""Finds and removes the images and containers that a build made on its way, however it ended; never anybody else's."""

import contextlib
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from repro.engines import DockerEngine
from repro.engines.failures import engine_errors, to_the_end
from repro.errors import InfrastructureError
from repro.plan import BuildPlan, layout

_QUIET_LOOKS = 3
_MOST_LOOKS = 60
_PAUSE = 0.25


class Leftovers:
    """Around one build: remembers what was there before and what the build said it made, and tidies up after it."""

    def __init__(self, engine: DockerEngine, plan: BuildPlan) -> None:
        self._api = engine.client.api
        self._plan = plan
        self._said: set[str] = set()
        self._before: set[str] = set()

    def saw(self, image: str) -> None:
        """Note the (abbreviated) ID of an image that the build made or used."""
        self._said.add(image.removeprefix("sha256:"))

    def keep(self, image: str) -> None:
        """Spare the finished image, whether it has a name or not."""
        self._before.add(image)

    def __enter__(self) -> Self:
        with engine_errors("list its images"):
            self._before = {item["Id"] for item in self._images()}
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
            quiet = 0 if self._sweep() else quiet + 1
            if not cancelled or quiet >= _QUIET_LOOKS:
                return
            time.sleep(_PAUSE)

    def _sweep(self) -> bool:
        """Remove our dangling images once, leaves first; whether there was anything to do."""
        ours = self._ours(self._images())
        busy = self._containers(ours)
        for identity in busy:
            with contextlib.suppress(InfrastructureError), engine_errors("remove a container"):
                self._api.remove_container(identity, v=True, force=True)
        dangling = self._images(filters={"dangling": True})
        leaves = [item["Id"] for item in dangling if item["Id"] in ours]
        for identity in leaves:
            with contextlib.suppress(InfrastructureError), engine_errors("remove a temporary image"):
                self._api.remove_image(identity)
        return bool(leaves or busy)

    def _images(self, **options: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._api.images(all=True, **options)
        return found

    def _ours(self, images: Iterable[dict[str, Any]]) -> set[str]:
        """New images that the build named, that carry its marks, or that descend from such."""
        new = [item for item in images if item["Id"] not in self._before]
        ours = {item["Id"] for item in new if self._named(item["Id"]) or self._marked(item)}
        grown = True
        while grown:
            more = {item["Id"] for item in new if item.get("ParentId") in ours} - ours
            ours |= more
            grown = bool(more)
        return ours

    def _named(self, identity: str) -> bool:
        plain = identity.removeprefix("sha256:")
        return any(plain.startswith(said) for said in self._said)

    def _marked(self, item: dict[str, Any]) -> bool:
        """The install stage's label, or the entry point that the final stage sets first."""
        if (item.get("Labels") or {}).get(layout.LABEL_STAGE) == str(self._plan.lock_digest):
            return True
        with contextlib.suppress(InfrastructureError), engine_errors("inspect an image"):
            details: dict[str, Any] = self._api.inspect_image(item["Id"])  # type: ignore[no-untyped-call]
            config = details.get("Config") or {}
            return tuple(config.get("Entrypoint") or ()) == self._plan.config.entrypoint and not item.get("RepoTags")
        return False

    def _containers(self, images: set[str]) -> list[str]:
        """Containers that run, or ran, a step on one of our images."""
        found: list[dict[str, Any]] = self._api.containers(all=True)
        return [item["Id"] for item in found if item.get("ImageID") in images]
