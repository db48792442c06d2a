"""Looking into an image for `repro inspect`."""

from pathlib import Path

from repro.digest import Digest
from repro.engines.model import Engine
from repro.errors import IntegrityError
from repro.lock import lock_body, parse_lock
from repro.plan import layout, runner_digest, runner_sources
from repro.progress import Progress
from repro.report.summaries import ImageInspection
from repro.verify.baked import check_image, find_base, read_baked
from repro.verify.stage import find_image


def is_lock(target: str) -> bool:
    """Whether somebody means a lock file rather than an image: it is a file and no archive, or is called like one."""
    return target.endswith((".lock", ".toml")) or (Path(target).is_file() and not target.endswith(".tar"))


def inspect_image(reference: str, engine: Engine, progress: Progress) -> ImageInspection:
    """What can be told about an image without running it.

    Raises:
        UsageError: The engine doesn't have it, or it isn't one of ours.
        IntegrityError: Its lock is missing or can't be read.
    """
    image = find_image(engine, reference)
    baked = read_baked(engine, image)
    if baked.lock is None:
        raise IntegrityError("the image claims to have a lock but carries none", where=f"{reference}: {layout.LOCK}")
    lock = parse_lock(baked.lock, where=f"{reference}: {layout.LOCK}", progress=progress)
    body, ours, base = lock_body(baked.lock), runner_digest(runner_sources()), find_base(engine, lock, image.platform)
    found = check_image(lock, body, image, baked, ours, base=base)
    findings = tuple(one for one in found if one.kind != "unproved")  # an image can't carry its own prediction
    return ImageInspection(reference, image, lock, Digest.of(body), findings)
