"""The run of an experiment: as sealed and as limited as the one that a verification makes."""

import os

from repro.engines.model import RunSpec
from repro.lock import Lock
from repro.plan import layout
from repro.verify.mounts import Brought
from repro.verify.stage import GRACE


def sealed_spec(
    lock: Lock,
    image: str,
    brought: Brought,
    *,
    timeout: float | None,
    memory: int | None,
    args: tuple[str, ...] = (),
) -> RunSpec:
    """What the engine is asked for.

    Args:
        lock: Whose limits count where none is given.
        image: ID.
        brought: Files that the image lacks.
        timeout: Seconds.
        memory: Bytes, or None for no limit.
        args: For the runner.
    """
    owner = os.getuid() if os.name == "posix" else 0
    return RunSpec(
        image=image,
        args=args,
        writable=(layout.WORK, layout.OUT),
        collect=layout.OUT,
        timeout=lock.policy.timeout + GRACE if timeout is None else timeout,
        memory=memory,
        user=f"{owner}:0" if brought.private and owner else None,
        shown=brought.shown,
    )
