"""Is the image what its lock says? Everything that can be told without running it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from repro.digest import Digest
from repro.engines.model import Engine, ImageInfo
from repro.errors import IntegrityError, ReproError, UsageError
from repro.lock import Lock, PredictedImage
from repro.oci.documents import parse_config
from repro.plan import ImageConfig, layout, make_plan, runner_digest
from repro.plan.evaluation import make_evaluation
from repro.store import ObjectStore, artifact_cache
from repro.transfer.plain import kept_config
from repro.verify.model import Finding

_RUNNER = "repro_runner/"
_STEERING = (
    *("LD_", "PYTHON", "OMP_", "MKL_", "OPENBLAS_", "BLIS_", "KMP_", "GOMP_", "NPY_", "GLIBC_TUNABLES", "MALLOC_"),
    *("REPRO_", "JUPYTER", "IPYTHON", "VIRTUAL_ENV", "PYTEST"),
)
"""Beginnings of variables that Python, the loader, numerical libraries or the runner listen to."""
_OFFICIAL = {
    f"PYTHON_{name}"
    for name in ("VERSION", "SHA256", "PIP_VERSION", "SETUPTOOLS_VERSION", "GET_PIP_URL", "GET_PIP_SHA256")
}
"""What Docker's official images of Python say about themselves."""
_ROOT = {"", "0", "root"}


@dataclass(frozen=True, slots=True)
class Baked:
    """The files that an image carries under /opt/repro, by path relative to it; empty when it has none."""

    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def lock(self) -> bytes | None:
        """The lock, byte for byte: its body alone, when nobody meddled with it."""
        return self.files.get(layout.LOCK.name)

    @property
    def evaluation(self) -> bytes | None:
        """What the runner is told."""
        return self.files.get(layout.EVALUATION.name)

    @property
    def runner(self) -> dict[str, bytes]:
        """The runner's own files by path below its directory."""
        return {path.removeprefix(_RUNNER): data for path, data in self.files.items() if path.startswith(_RUNNER)}


def read_baked(engine: Engine, image: ImageInfo) -> Baked:
    """Read what is baked into an image; nothing is run.

    Raises:
        UsageError: The image has nothing of `repro` in it.
    """
    try:
        return Baked(engine.read_files(image.id, layout.RUNNER))
    except UsageError as error:
        if layout.LABEL_LOCK in image.labels:
            return Baked()
        raise UsageError(
            "the image was not made by `repro build`: it has neither a lock nor a runner",
            where=image.tags[0] if image.tags else image.id,
            fix="Build it with `repro build`.",
        ) from error


@dataclass(frozen=True, slots=True)
class LockedBase:
    """What has to be known of the locked base: its ID, its variables, the digests of its uncompressed layers."""

    id: str
    env: Mapping[str, str]
    diff_ids: tuple[str, ...]


def find_base(
    engine: Engine, lock: Lock, platform: str | None = None, *, cache: ObjectStore | None = None
) -> LockedBase | None:
    """The locked base, by its digest, where the engine has it or the cache (the user's when None) has its documents.

    `platform` is the image's; it may be None where the lock has but one.
    """
    base = lock.base
    by_name, by_digest = f"{base.reference}@{base.digest}", str(base.digest)
    names = {"registry": (by_name,), "engine": (by_digest,), "layout": (by_digest, by_name)}[base.source]
    found = next((image for name in names if (image := engine.image(name)) is not None), None)
    if found is not None:
        return LockedBase(found.id, found.env, found.diff_ids)
    wanted = platform or (lock.targets[0] if len(lock.targets) == 1 else None)
    return None if wanted is None else _kept_base(base.digest, wanted, cache or artifact_cache())


def _kept_base(digest: Digest, platform: str, cache: ObjectStore) -> LockedBase | None:
    """The base by its configuration, which every way to bring a base leaves in the cache."""
    try:
        config = kept_config(digest, platform, cache)
    except IntegrityError:  # the base is for other platforms: which ones the image may be for is the lock's to say
        return None
    if config is None:
        return None
    known = parse_config(config)
    return LockedBase(str(Digest.of(config)), known.env, tuple(str(diff_id) for diff_id in known.diff_ids))


def check_image(
    lock: Lock, lock_bytes: bytes, image: ImageInfo, baked: Baked, ours: Digest, *, base: LockedBase | None = None
) -> tuple[Finding, ...]:
    """Every way in which an image differs from what the lock, given with its body's bytes, would build. Pure.

    `ours` is the digest of this repro's own runner: another version of repro may describe the same evaluation in
    other words, which must not be taken for tampering. `base` is the locked base (see `find_base`), or None where it
    isn't at hand: then it can't be told whether the image is made on it.
    """
    digest = Digest.of(lock_bytes)
    other = tuple(_other_lock(digest, image, baked))
    return other or (
        *_evaluation(lock, digest, baked, ours),
        *_differences(lock, lock_bytes, image, baked, base),
        *_base(lock, image, base),
        *_layers(lock, image, base),
    )


def _other_lock(digest: Digest, image: ImageInfo, baked: Baked) -> Iterator[Finding]:
    label = image.labels.get(layout.LABEL_LOCK, "none")
    inside = "none" if baked.lock is None else str(Digest.of(baked.lock))
    found = {f"its label {layout.LABEL_LOCK}": label, f"its file {layout.LOCK}": inside}
    if set(found.values()) != {str(digest)}:
        yield _error(
            "lock",
            "the image was made from another lock",
            f"this lock: {digest}",
            *(f"{place}: {value}" for place, value in found.items()),
        )


def _evaluation(lock: Lock, digest: Digest, baked: Baked, ours: Digest) -> Iterator[Finding]:
    planned = make_evaluation(lock, digest).to_json()
    if baked.evaluation != planned:
        found = "none" if baked.evaluation is None else str(Digest.of(baked.evaluation))
        same = ours == lock.runner.sha256
        yield _error(
            "evaluation" if same else "version",
            f"{layout.EVALUATION} in the image is not the evaluation that the lock describes"
            if same
            else f"the lock was made by another repro, {lock.runner.version}, whose evaluations this one can't check",
            *_expected_found(str(Digest.of(planned)), found),
        )


def _differences(
    lock: Lock, lock_bytes: bytes, image: ImageInfo, baked: Baked, base: LockedBase | None
) -> Iterator[Finding]:
    runner = runner_digest(baked.runner)
    if runner != lock.runner.sha256:
        yield _error(
            "runner",
            f"the runner in the image is not the one that the lock pins, repro {lock.runner.version}",
            *_expected_found(str(lock.runner.sha256), str(runner)),
        )
    if image.platform not in lock.targets:
        yield _error(
            "platform",
            f"the image is for {image.platform}, the lock is for {', '.join(lock.targets)}",
        )
    if runner == lock.runner.sha256 and image.platform in lock.targets:
        yield from _configuration(lock, lock_bytes, image, baked, base)


def _configuration(
    lock: Lock, lock_bytes: bytes, image: ImageInfo, baked: Baked, base: LockedBase | None
) -> Iterator[Finding]:
    """What the container would run, as whom, and in which environment."""
    try:
        planned = make_plan(lock, lock_bytes, baked.runner, image.platform).config
    except ReproError as error:
        yield _error("plan", f"nothing can be built from this lock: {error.what}")
        return
    yield from _user(planned, image)
    if base is not None or not _is_predicted(lock, image):  # that one's variables are those that the lock foretold
        yield from _unplanned(planned, image, base)
    if image.entrypoint != planned.entrypoint:
        yield _error(
            "entrypoint",
            "the image does not start the runner as planned",
            *_expected_found(" ".join(planned.entrypoint), " ".join(image.entrypoint)),
        )
    if image.cmd:
        yield _error(
            "command", "the image passes arguments to the runner", *_expected_found("none", " ".join(image.cmd))
        )
    for name, value in sorted(planned.env.items()):
        if image.env.get(name) != value:
            yield _error("environment", f"the image sets {name} to another value", *_pair(value, image.env.get(name)))
    for name, value in sorted(planned.labels.items()):
        if name.startswith(layout.LABEL) and image.labels.get(name) != value:
            yield _error("label", f"the label {name} has another value", *_pair(value, image.labels.get(name)))


def _predicted(lock: Lock, image: ImageInfo) -> PredictedImage | None:
    return next((one for one in lock.predicted if one.target == image.platform), None)


def _is_predicted(lock: Lock, image: ImageInfo) -> bool:
    """Whether it is the predicted image itself, known by its configuration or its manifest."""
    predicted = _predicted(lock, image)
    return predicted is not None and image.id in {str(predicted.config), str(predicted.manifest)}


def _layers(lock: Lock, image: ImageInfo, base: LockedBase | None) -> Iterator[Finding]:
    """Every file of every package, by the digests of the layers that hold them."""
    predicted = _predicted(lock, image)
    if predicted is None:
        cure = "judge by a repro.lock that predicts it (--lock): the lock inside an image predicts none"
        yield _unproved("the lock predicts no image for this platform", cure)
    elif not _is_predicted(lock, image):
        yield from _compared(predicted, image, base)


def _compared(predicted: PredictedImage, image: ImageInfo, base: LockedBase | None) -> Iterator[Finding]:
    wanted = tuple(str(layer.diff_id) for layer in predicted.layers)
    below, ours = image.diff_ids[: -len(wanted)], image.diff_ids[-len(wanted) :]
    missing = [layer.name for layer in predicted.layers if str(layer.diff_id) not in image.diff_ids]
    if ours == wanted and base is None:
        cure = "with the locked base in the engine or the cache they can be compared"
        yield _unproved("its configuration is not the predicted one, and the base isn't here to compare with", cure)
    elif ours == wanted and base is not None and below != base.diff_ids:
        yield _error("layers", "the image has other layers below those that the lock predicts than its base")
    elif ours != wanted and not missing:
        yield _error(
            "layers", "the image has layers besides those that the lock predicts, or has them in another order"
        )
    elif ours != wanted and len(missing) < len(wanted):
        message = "the image has other layers than the lock predicts"
        yield _error("layers", message, f"changed or missing: {', '.join(missing)}")
    elif ours != wanted:
        yield _unproved("no layer is the one that the lock predicts: another builder made the image")


def _unproved(reason: str, cure: str = "build it with `repro build`, whose layers can be compared") -> Finding:
    message = f"{reason}, so the files of its packages are not proved to be those of the lock"
    return Finding("unproved", "warning", message, (cure,))


def _base(lock: Lock, image: ImageInfo, base: LockedBase | None) -> Iterator[Finding]:
    if base is not None and image.diff_ids[: len(base.diff_ids)] != base.diff_ids:
        yield _error("base", "the image is not made on the base that the lock pins", f"the base: {base.id}")
    elif base is None and not _is_predicted(lock, image):
        message = (
            "the locked base is neither in the engine nor in the cache, so the image's layers aren't compared with it"
        )
        yield Finding("base", "warning", message, (f"the base: {lock.base.reference}, {lock.base.digest}",))


def _unplanned(planned: ImageConfig, image: ImageInfo, base: LockedBase | None) -> Iterator[Finding]:
    """Variables that could steer the run; those of the locked base are pinned with it."""
    known = {} if base is None else base.env
    for name, value in sorted(image.env.items()):
        harmless = name in planned.env or name in _OFFICIAL or known.get(name) == value
        if name.startswith(_STEERING) and not harmless:
            yield _error(
                "environment", f"the image sets {name}, which nobody planned", *_expected_found("none", repr(value))
            )


def _user(planned: ImageConfig, image: ImageInfo) -> Iterator[Finding]:
    if image.user.partition(":")[0] in _ROOT:
        yield _error("user", "the image runs as root", *_expected_found(planned.user, image.user or "none"))
    elif image.user != planned.user:
        yield Finding("user", "warning", "the image runs as another user", _expected_found(planned.user, image.user))


def _pair(expected: str, found: str | None) -> tuple[str, str]:
    return _expected_found(repr(expected), "none" if found is None else repr(found))


def _expected_found(expected: str, found: str) -> tuple[str, str]:
    return f"expected: {expected}", f"found:    {found}"


def _error(kind: str, message: str, *evidence: str) -> Finding:
    return Finding(kind, "error", message, evidence)
