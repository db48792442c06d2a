"""`repro build`: everything is checked first; only then does a builder get to work, and its result goes where asked."""

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from repro.build.builders import find_builder
from repro.build.outputs import Destination, Output, check_outputs, deliver
from repro.build.prepare import Prepared, Project, Sources, open_project, prepare
from repro.build.system import with_plain_layers
from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError, UsageError
from repro.lock import Bytecode, Encoding
from repro.oci.ahead import hash_ahead
from repro.oci.image import Image
from repro.oci.stores import project_images
from repro.plan import Artifacts, Assembler, BuildPlan, BuiltImage, Healable
from repro.progress import Progress, Silent
from repro.transfer.base import find_base

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_TAG = re.compile(rf"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?{_COMPONENT}(?:/{_COMPONENT})*(?::[\w][\w.-]{{0,127}})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What to build, and where to.

    Attributes:
        lock_path: The lock; the project is the directory that holds it.
        tags: Names for the image; `<project directory>:<start of the lock digest>` when there are none.
        builder: Name of an installed builder.
        targets: Platforms; the lock's only one when empty.
        outputs: Destinations; an engine when empty, or the project's own images where no engine answers.
        encoding: How layers are compressed, instead of the lock's choice.
        bytecode: Which modules are compiled, instead of the lock's choice.
        no_cache: Make everything again.
        twice: Make everything twice from nothing first, and compare.
        trust: Believe the lock's predictions: make only layers that the destination lacks.
    """

    lock_path: Path
    tags: tuple[str, ...] = ()
    builder: str = "oci"
    targets: tuple[str, ...] = ()
    outputs: tuple[Output, ...] = ()
    encoding: Encoding | None = None
    bytecode: Bytecode | None = None
    no_cache: bool = False
    twice: bool = False
    trust: bool = False


def build(request: BuildRequest, sources: Sources, progress: Progress | None = None) -> list[BuiltImage]:
    """Build the image of a lock, for one platform or several, and bring it where it was asked for.

    Raises:
        UsageError: No lock, a target it doesn't have, an unknown builder, or a name that no image can have.
        IntegrityError: The project, an object or a download is not what the lock says, or the result is not what the
            lock predicts; nothing was delivered.
        InfrastructureError: Objects that exist nowhere else are missing; the engine, the network or the disk failed.
    """
    _check_tags(request.tags)
    targets = sorted(set(request.targets))  # an index has one digest, in whatever order its platforms were named
    check_outputs(request.outputs, request.tags, len(targets))
    told = progress or Silent()
    builder = find_builder(request.builder)
    if not isinstance(builder, Assembler):
        _check_recipe(request)
    project = open_project(request.lock_path, told, request.encoding, request.bytecode)
    prepared = [prepare(project, target, sources, told) for target in targets or (None,)]
    tags = request.tags or (default_tag(request.lock_path, Digest.of(project.body)),)
    if isinstance(builder, Assembler):
        return _Assembly(builder, request, project, sources, told).run(prepared, tags)
    plan, artifacts = _recipe(prepared[0], sources, told)
    return [builder.build(plan, artifacts, tags=tags, progress=told, no_cache=request.no_cache)]


def emit(request: BuildRequest, directory: Path, sources: Sources, progress: Progress | None = None) -> Path:
    """Write what a person needs to build the image by hand to an empty directory; returns the main file.

    Errors are those of `build`; UsageError also when the directory isn't empty or the builder has nothing to write.
    """
    told = progress or Silent()
    builder = find_builder(request.builder)
    if isinstance(builder, Assembler):
        raise UsageError(f"the builder {request.builder!r} has no recipe to write", where="--builder")
    _check_recipe(request)
    project = open_project(request.lock_path, told, request.encoding, request.bytecode)
    one = prepare(project, next(iter(request.targets), None), sources, told)
    plan, artifacts = _recipe(one, sources, told)
    return builder.export(plan, artifacts, directory)


def default_tag(lock_path: Path, lock_digest: Digest) -> str:
    """The image's name when nobody gave one: the project directory's, made fit, and the start of the lock digest."""
    plain = unicodedata.normalize("NFKD", lock_path.resolve().parent.name).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
    return f"{slug or 'project'}:{lock_digest.short}"


def _check_recipe(request: BuildRequest) -> None:
    """Refuse what only an assembler can do, where an engine builds."""
    if len(set(request.targets)) > 1:
        raise UsageError(
            f"the builder {request.builder!r} builds one platform at a time",
            where="--platform",
            fix="Name one of them.",
        )
    asked = {
        "--output or --push": request.outputs not in ((), (Output("engine"),)),
        "--layer-encoding": request.encoding is not None,
        "--verify-reproducible": request.twice,
        "--trust-lock": request.trust,
    }
    if any(asked.values()):
        raise UsageError(
            f"the builder {request.builder!r} builds in an engine only, without "
            f"{', '.join(option for option, given in asked.items() if given)}",
            where="--builder",
            fix="Leave these out, or --builder: the builder `oci` writes layouts and archives, and pushes.",
        )


def _recipe(one: Prepared, sources: Sources, progress: Progress) -> tuple[BuildPlan, Artifacts]:
    """A plan that needs nothing but what engines can do, with everything that it needs."""
    if one.plan.base.source == "layout":
        raise UsageError(
            f"the base {one.plan.base.reference} is from a layout or an archive, which no engine can be asked for",
            where="repro.lock: base",
            fix="Build with the default builder, `oci`, or capture again with a base from a registry or the engine.",
        )
    plan, tars = with_plain_layers(
        one.plan, one.supplies, lambda: _base(one.plan, sources, progress), sources.cache, progress
    )
    return plan, {**one.supplies.bring_all(), **tars}


def _base(plan: BuildPlan, sources: Sources, progress: Progress) -> Image:
    """The plan's base. Raises as `repro.transfer.base.find_base` does."""
    return find_base(
        plan.base,
        plan.target,
        given=sources.base,
        cache=sources.cache,
        engine=sources.engine_or_none,
        registry=sources.registry(),
        progress=progress,
    )


class _HealedError(InfrastructureError):
    """Damaged layers were removed from the cache: the next try makes them again."""


@dataclass(frozen=True, slots=True)
class _Assembly:
    """One build by an assembler: its steps share what they were asked for."""

    builder: Assembler
    request: BuildRequest
    project: Project
    sources: Sources
    progress: Progress

    def run(self, prepared: Sequence[Prepared], tags: tuple[str, ...]) -> list[BuiltImage]:
        """Assemble an image for each target and deliver them; once more where the cache of layers was damaged."""
        try:
            return self._once(prepared, tags)
        except _HealedError as error:
            self.progress.warn(f"{error.what}; it is made anew")
            return self._once(prepared, tags)

    def _once(self, prepared: Sequence[Prepared], tags: tuple[str, ...]) -> list[BuiltImage]:
        outputs = self.request.outputs or (self._default_output(),)
        linking = any(output.kind == "layout" for output in outputs)
        images = [self._image(one, linking=linking) for one in prepared]
        base = self.project.lock.base
        to = Destination(
            tags=tags,
            engine=self.sources.engine,
            registry=self.sources.registry,
            base=base.reference if base.source == "registry" else "",
            progress=self.progress,
        )
        proved = {one.plan.target: not self.request.trust if one.predicted else None for one in prepared}
        built = [image for output in outputs for image in self._delivered(images, output, to)]
        return [replace(image, proved=proved[image.platform]) for image in built]

    def _delivered(self, images: Sequence[Image], output: Output, to: Destination) -> list[BuiltImage]:
        try:
            return deliver(images, output, to)
        except IntegrityError as error:
            damaged = [image.discard_damaged() for image in images if isinstance(image, Healable)]
            if any(damaged):
                raise _HealedError(
                    f"a layer in the cache was damaged, and is removed from it now: {error.what}",
                    where=error.where,
                    fix="Run the command again: the layer will be made anew.",
                ) from error
            raise

    def _image(self, one: Prepared, *, linking: bool) -> Image:
        plan, progress = one.plan, self.progress
        base = _base(plan, self.sources, progress)
        if linking:
            base = hash_ahead(base)
        if self.request.twice:
            digest = self.builder.check_reproducible(plan, base, one.supplies, progress=progress)
            progress.note(f"made twice from nothing, both times {digest}")
        return self.builder.assemble(
            plan,
            base,
            one.supplies,
            progress=progress,
            predicted=one.predicted,
            trust=self.request.trust and not self.request.twice,
            no_cache=self.request.no_cache,
        )

    def _default_output(self) -> Output:
        """An engine where one answers, else the project's own images, where `repro verify` finds them.

        An engine that was named has to answer: another place instead would be a surprise.
        """
        named = os.environ.get("DOCKER_HOST") or os.environ.get("DOCKER_CONTEXT")
        if (self.sources.engine() if named else self.sources.engine_or_none()) is not None:
            return Output("engine")
        place = project_images(self.project.root)
        self.progress.note(f"no container engine answers: the image goes to {place}")
        return Output("layout", place)


def _check_tags(tags: Sequence[str]) -> None:
    wrong = [tag for tag in tags if not _TAG.fullmatch(tag)]
    if wrong:
        raise UsageError(
            f"not a name that an image can have: {', '.join(repr(tag) for tag in wrong)}",
            where="--tag",
            fix="Use lower-case letters, digits, '.', '_' and '-', such as `my-model:1.0`.",
        )
