"""Which base image a capture pins: what repro.toml names, else Python's official one, else a labelled local one."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from repro.capture.interpreter import platform_of
from repro.capture.model import Interpreter
from repro.digest import Digest
from repro.engines import Engine, ImageInfo
from repro.errors import InfrastructureError, ReproError, UsageError
from repro.lock import Base, BaseSource
from repro.oci.documents import parse_config
from repro.oci.kept import keep
from repro.oci.locations import is_location, open_location, parse_location
from repro.progress import Progress
from repro.registry import ImageName, NotFoundError, Registry, RemoteImage, parse_name
from repro.store import ObjectStore, artifact_cache

LABEL_PYTHON = "dev.repro.base.python"
LABEL_PYTHON_PATH = "dev.repro.base.python-path"
LABEL_GLIBC = "dev.repro.base.glibc"
_OWN_LABELS = "dev.repro."
_BASE_LABELS = "dev.repro.base."

VARIABLE = "REPRO_BASE"
"""Names a base where the project doesn't."""

_ORIGINS: Mapping[BaseSource, str] = {
    "registry": "a registry",
    "engine": "this engine only",
    "layout": "files of this machine",
}

OFFICIAL = "docker.io/library/python:{version}-slim-bookworm"
WITHOUT_PYTHON = "docker.io/library/debian:bookworm-slim"
"""For environments that bring their own."""
_GLIBC = {"buster": "2.28", "bullseye": "2.31", "bookworm": "2.36", "trixie": "2.41"}
"""C library of Debian's releases, by the code name in the tags of its images, and of those made from them."""

_EVERYWHERE = (
    "Name a base of a registry that is there for every platform: [base] image in repro.toml "
    "(docs/how-to/base-images.md), or capture for {platform} alone (--platform {platform})."
)

_IMAGE_ID = re.compile(r"(?:sha256:)?[0-9a-f]{12,64}")
_GLIBC_LABEL = re.compile(r"(?:ldd \([^()]*\) )?(\d+\.\d+)(?![\d])(?:[-+.~ \n].*)?", re.ASCII | re.DOTALL)
"""The version, with or without what a distribution adds to it, or the text that `ldd --version` prints."""
_VERSION = re.compile(r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?")


def resolve_base(
    interpreter: Interpreter,
    *,
    configured: str | None,
    engine: Engine | None,
    progress: Progress,
    registry: Registry | None = None,
    official: str | None = None,
    root: Path = Path(),
    cache: ObjectStore | None = None,
    environ: Mapping[str, str] = os.environ,
    targets: Sequence[str] = (),
) -> Base:
    """The base image, pinned. One from a layout or an archive is copied into the cache, where builds find it.

    Args:
        interpreter: The captured one: its version and machine decide.
        configured: `[base] image`: `name:tag`, `name@sha256:…`, a local tag, an image ID of the engine, `oci:DIR`,
            `oci-archive:FILE` or `docker-archive:FILE`; where it is None, what REPRO_BASE says.
        engine: A local engine, or None when none answers.
        progress: Told which base it is, and what was passed over.
        registry: The client for registries.
        official: Name of the official image, with `{version}`; Python's when None, Debian's where Python is conda's.
        root: What the paths of layouts and archives are relative to.
        cache: Keeps bases; the user's cache when None.
        environ: The environment.
        targets: Platforms that it has to be there for; this machine's when there is none.

    Raises:
        UsageError: The configured name can't be used, or its image doesn't say which glibc it has, or it isn't there
            for every target.
        InfrastructureError: There is no base: nothing configured, no registry, nothing labelled in the engine.
        IntegrityError: A registry sent something else than it names.
    """
    own = image_platform(interpreter)
    platform, *others = sorted(targets or (own,), key=lambda target: target != own)
    search = _Search(platform, own, engine, registry or Registry(), progress)
    wanted = configured or environ.get(VARIABLE)
    if wanted and is_location(wanted):
        base = _from_location(wanted, (platform, *others), root, cache or artifact_cache(environ))
    elif wanted:
        base = search.configured(wanted, "repro.toml: base.image" if configured else VARIABLE)
    else:
        named = official or (OFFICIAL if interpreter.conda is None else WITHOUT_PYTHON)
        base = search.default(parse_name(named.format(version=interpreter.version)), interpreter.version)
    for other in others:
        search.check_for(other, base)
    supplied = "Python is conda's" if interpreter.conda is not None else f"Python {base.python}"
    progress.note(f"Base image {base.reference} ({base.digest}) from {_ORIGINS[base.source]}, {supplied}")
    return base


def image_platform(interpreter: Interpreter) -> str:
    """The platform of an image for this machine: Linux's, also when the laptop isn't."""
    return f"linux/{platform_of(interpreter).partition('/')[2]}"


@dataclass(frozen=True, slots=True)
class _Search:
    platform: str
    own: str
    engine: Engine | None
    registry: Registry
    progress: Progress

    def configured(self, text: str, where: str) -> Base:
        try:
            return self._configured(text)
        except ReproError as error:
            error.where = error.where or where
            raise

    def _configured(self, text: str) -> Base:
        local = self.engine.image(text) if self.engine is not None else None
        if _IMAGE_ID.fullmatch(text):
            if local is None:
                raise UsageError(f"no engine here has an image {text}", fix="Check the image ID.")
            return self._local(local, text)
        name = parse_name(text)
        if local is not None and _pulled(local, name) is None:
            return self._local(local, text)
        try:
            return _remote_base(self.registry.resolve(name, self.platform))
        except InfrastructureError as error:
            if local is None:
                raise
            self.progress.note(f"{error.what}; the engine's own copy of {text} is used")
            return self._known(local, name)

    def default(self, name: ImageName, version: str) -> Base:
        reasons = []
        try:
            return _remote_base(self.registry.resolve(name, self.platform))
        except InfrastructureError as error:
            reasons.append(f"{name}: {error.what}")
        if self.engine is not None:
            local = self.engine.image(name.name)
            if local is not None and _pulled(local, name) is not None:
                return self._known(local, name)
            found = self._labelled(version)
            if found is not None:
                self.progress.note(f"{reasons[0]}; an image of this engine is used")
                return self._local(found, found.tags[0] if found.tags else found.id)
            reasons.append(f"no image for {self.platform} in the local engine carries the labels {_BASE_LABELS}*")
        else:
            reasons.append("no container engine answers")
        raise InfrastructureError(
            "there is no base image",
            problems=reasons,
            fix=self._ways(name),
        )

    def _ways(self, name: ImageName) -> str:
        """How to come to a base; what makes one here makes it for this machine."""
        here = self.platform == self.own
        ways = [
            *(["make one here:          scripts/make-base, in repro's repository"] if here else []),
            f"let a registry answer:  docker pull {'' if here else f'--platform {self.platform} '}{name.name}",
            'name one of your own:   [base] image = "NAME" in repro.toml (docs/how-to/base-images.md)',
        ]
        listed = "\n".join(f"  {number}. {way}" for number, way in enumerate(ways, 1))
        return f"Do one of these, then capture again:\n{listed}"

    def check_for(self, other: str, base: Base) -> None:
        """Refuse a base that another target can't be put on: that is known before the run, not only at the build."""
        if base.source == "engine":
            raise UsageError(
                f"this engine's image is for {self.platform} alone, not for {other}",
                where=base.reference,
                fix=_EVERYWHERE.format(platform=self.platform),
            )
        if base.source == "registry":
            try:
                self.registry.resolve(parse_name(base.reference).at(base.digest), other)
            except NotFoundError as error:
                fix = _EVERYWHERE.format(platform=self.platform)
                raise UsageError(error.what, where=base.reference, fix=fix) from error
            except InfrastructureError as error:  # it is down just now: the build asks again
                self.progress.note(f"{error.what}; whether {base.reference} is there for {other} was not looked at")

    def _labelled(self, version: str) -> ImageInfo | None:
        """A base of this engine: of the exact version if there is one, made by make-base rather than not, newest."""
        assert self.engine is not None  # noqa: S101 - for the type checker; the one caller has looked
        images = [
            image
            for image in self.engine.images_with_label(LABEL_PYTHON)
            if image.platform == self.platform and not _made_from_a_base(image)
        ]
        images.sort(key=lambda image: (image.labels[LABEL_PYTHON] != version, not _made_by_make_base(image)))
        return images[0] if images else None

    def _known(self, image: ImageInfo, name: ImageName) -> Base:
        """An image that the engine once pulled: it can be pulled anywhere by the digest that it came with."""
        digest = _pulled(image, name)
        if digest is None or str(digest) == image.id:  # the containerd store gives local images such digests as well
            return self._local(image, name.name)
        return _base(name.name, digest, "registry", image.env, image.labels)

    def _local(self, image: ImageInfo, reference: str) -> Base:
        if image.platform != self.platform:
            raise UsageError(
                f"the image is for {image.platform}, not for {self.platform}",
                where=reference,
                fix=_EVERYWHERE.format(platform=image.platform),
            )
        return _base(reference, Digest.parse(image.id), "engine", image.env, image.labels)


def _from_location(text: str, platforms: Sequence[str], root: Path, cache: ObjectStore) -> Base:
    """A base from a layout or an archive: known by its digest and a name, never by its place on this machine."""
    location = parse_location(text)
    pinned, *_ = [open_location(location, root).pinned(location.reference, platform) for platform in platforms]
    named = location.reference if location.reference and not location.reference.startswith("@") else None
    place = (root / location.path).resolve()
    reference = named or next(iter(pinned.names), None) or (place.name if place.is_dir() else place.stem)
    config = parse_config(pinned.image.config)
    base = _base(reference, pinned.digest, "layout", config.env, config.labels)
    for image in (pinned.image, *pinned.others):
        keep(image, cache)
    cache.add_bytes(pinned.document)
    return base


def _remote_base(image: RemoteImage) -> Base:
    return _base(image.name.name, image.digest, "registry", image.env, image.labels)


def _base(
    reference: str,
    digest: Digest,
    source: BaseSource,
    env: Mapping[str, str],
    labels: Mapping[str, str],
) -> Base:
    """What the image says of itself. Raises UsageError when its C library is unknown."""
    python, path = labels.get(LABEL_PYTHON) or None, labels.get(LABEL_PYTHON_PATH) or None
    stated = env.get("PYTHON_VERSION", "")
    if python is None and _VERSION.fullmatch(stated):  # as the official images say it
        python, path = stated, f"/usr/local/bin/python{'.'.join(stated.split('.')[:2])}"
    glibc = _labelled_glibc(reference, labels) or _official_glibc(reference)
    if glibc is None:
        raise UsageError(
            "the base image doesn't say which C library it has",
            where=reference,
            fix=f'Add it where the image is made: LABEL {LABEL_GLIBC}="2.36" (what `ldd --version` prints there); '
            "see docs/how-to/base-images.md.",
        )
    return Base(reference, digest, source, python if path else None, path if python else None, glibc)


def _labelled_glibc(reference: str, labels: Mapping[str, str]) -> str | None:
    text = labels.get(LABEL_GLIBC, "").strip()
    if not text:
        return None
    found = _GLIBC_LABEL.fullmatch(text)
    if found is None:
        raise UsageError(
            f"the base image's label {LABEL_GLIBC} is {text!r}, which is no version of glibc",
            where=reference,
            fix=f'Correct it where the image is made, such as LABEL {LABEL_GLIBC}="2.36" (`ldd --version` says).',
        )
    return found[1]


def _official_glibc(reference: str) -> str | None:
    _, _, tag = reference.rpartition(":")
    official = any(f"/library/{name}:" in reference for name in ("python", "debian"))
    return next((glibc for release, glibc in _GLIBC.items() if official and release in tag.split("-")), None)


def _pulled(image: ImageInfo, name: ImageName) -> Digest | None:
    """The digest under which the engine knows this image from the name's repository."""
    for entry in image.repo_digests:
        known = parse_name(entry)
        if (known.registry, known.repository) == (name.registry, name.repository):
            return known.digest
    return None


def _made_from_a_base(image: ImageInfo) -> bool:
    """Evaluation images inherit their base's labels."""
    return any(label.startswith(_OWN_LABELS) and not label.startswith(_BASE_LABELS) for label in image.labels)


def _made_by_make_base(image: ImageInfo) -> bool:
    return any(tag.startswith(("repro-base:", "localhost/repro-base:")) for tag in image.tags)
