"""Builds plans through the Docker API's classic builder, and leaves nothing behind but the image."""

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from docker.errors import ImageNotFound
from docker.utils import parse_repository_tag

from repro.engines import DockerEngine, ImageInfo, find_docker
from repro.engines.failures import closing_responses, engine_errors
from repro.errors import InfrastructureError, IntegrityError, UsageError
from repro.files import disk_errors
from repro.plan import Artifacts, BuildPlan, BuiltImage, layout
from repro.progress import Progress
from repro_docker.base import ensure_base
from repro_docker.cancel import follow
from repro_docker.context import context_size, stream_context, write_context
from repro_docker.dockerfile import build_arguments
from repro_docker.leftovers import Leftovers, Made
from repro_docker.log import BuildLog
from repro_docker.turns import turn


class DockerBuilder:
    """Renders a Dockerfile and has it built by an engine: Docker's, or Podman's through the same API."""

    name = "docker"

    def __init__(self, engine: DockerEngine | None = None) -> None:
        self._engine = engine

    def build(
        self,
        plan: BuildPlan,
        artifacts: Artifacts,
        *,
        tags: Sequence[str],
        progress: Progress,
        no_cache: bool = False,
    ) -> BuiltImage:
        """Build the image and tag it (see `repro.plan.Builder.build`)."""
        engine = self._engine or find_docker()
        ensure_base(engine, plan, progress)
        made = Made()
        with turn(plan.lock_digest, progress), Leftovers(engine, plan, made) as leftovers:
            image = self._run(engine, plan, artifacts, progress, made, no_cache=no_cache)
            _check_result(plan, image)
            _tag(engine, image, tags, plan)
            leftovers.keep(image.id)
        info = engine.info()
        place = f"{info.name} {info.version} at {info.endpoint}"
        return BuiltImage(image.id, tuple(tags), image.size, place, image.platform)

    def export(self, plan: BuildPlan, artifacts: Artifacts, directory: Path) -> Path:
        """Write the Dockerfile and its context to a new or empty directory; returns the Dockerfile.

        Raises:
            UsageError: The directory isn't empty.
            IntegrityError: An artifact is not what the plan says; the directory is emptied again.
        """
        existed = directory.is_dir()
        if directory.exists() and not (existed and not any(directory.iterdir())):
            raise UsageError("there is something here already", where=str(directory), fix="Name an empty directory.")
        with disk_errors(directory):
            directory.mkdir(parents=True, exist_ok=True)
        try:
            return write_context(plan, artifacts, directory)
        except BaseException:
            _empty(directory, itself=not existed)
            raise

    def _run(
        self,
        engine: DockerEngine,
        plan: BuildPlan,
        artifacts: Artifacts,
        progress: Progress,
        made: Made,
        *,
        no_cache: bool,
    ) -> ImageInfo:
        sending = progress.start("sending the build context", context_size(plan), "bytes")
        log = BuildLog(progress)
        context = stream_context(plan, artifacts, sending.advance)
        with (
            closing_responses(engine.client.api) as responses,
            engine_errors("build the image"),
            contextlib.closing(log),
        ):
            lines = engine.client.api.build(
                fileobj=cast("Any", context),  # any iterable of bytes: it is sent in chunks
                custom_context=True,
                rm=True,
                forcerm=True,
                nocache=no_cache,
                pull=False,
                network_mode="none",
                buildargs=build_arguments(plan),
                platform=None if plan.target == engine.info().platform else plan.target,
                decode=True,
                use_config_proxy=False,
            )
            sending.finish()
            follow(responses[-1], lines, made.hear, log.add)
        image = engine.image(log.finished(plan))
        if image is None:
            raise InfrastructureError("the engine lost the image that it had just built")
        return image


def _check_result(plan: BuildPlan, image: ImageInfo) -> None:
    """Whether the image says about itself what the plan says."""
    config = plan.config
    problems = [
        f"{kind} {name}: the plan says {value!r}, the image {found.get(name)!r}"
        for kind, wanted, found in (("label", config.labels, image.labels), ("variable", config.env, image.env))
        for name, value in wanted.items()
        if found.get(name) != value
    ]
    if image.entrypoint != config.entrypoint:
        problems.append(f"entry point: the plan says {config.entrypoint}, the image {image.entrypoint}")
    if image.cmd:
        problems.append(f"arguments: the plan has none, the image {image.cmd}")
    if image.user != config.user:
        problems.append(f"user: the plan says {config.user}, the image {image.user}")
    if image.platform != plan.target:
        problems.append(f"platform: the plan says {plan.target}, the image {image.platform}")
    if problems:
        raise IntegrityError("the engine built something else than the plan says", problems=problems)


def _tag(engine: DockerEngine, image: ImageInfo, tags: Sequence[str], plan: BuildPlan) -> None:
    """Name the image; an earlier build of the same lock that loses its last name by that is removed."""
    for tag in tags:
        earlier = engine.image(tag)
        repository, version = parse_repository_tag(tag)
        with engine_errors("tag the image", tag):
            engine.client.api.tag(image.id, repository, version or "latest")
        if earlier is not None and earlier.id != image.id:
            _drop_superseded(engine, earlier.id, plan)


def _drop_superseded(engine: DockerEngine, identity: str, plan: BuildPlan) -> None:
    old = engine.image(identity)
    if old is None or old.tags or old.labels.get(layout.LABEL_LOCK) != str(plan.lock_digest):
        return
    with contextlib.suppress(InfrastructureError, ImageNotFound), engine_errors("remove an image", identity):
        engine.client.api.remove_image(identity)


def _empty(directory: Path, *, itself: bool) -> None:
    for entry in os.scandir(directory):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            Path(entry.path).unlink(missing_ok=True)
    if itself:
        directory.rmdir()
