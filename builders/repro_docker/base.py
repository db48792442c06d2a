"""The base image: there already, or pulled by its digest; never another one that merely has its name."""

from typing import Any

from repro.engines import DockerEngine, ImageInfo
from repro.engines.failures import TRANSPORT, closing_responses
from repro.errors import InfrastructureError, IntegrityError
from repro.lock import Base
from repro.plan import BuildPlan
from repro.progress import Progress
from repro_docker.dockerfile import base_reference


def ensure_base(engine: DockerEngine, plan: BuildPlan, progress: Progress) -> ImageInfo:
    """The plan's base in this engine, pulled by digest when it isn't there and a registry has it.

    Raises:
        InfrastructureError: It isn't there and can't be had.
        IntegrityError: What is there under this digest is for another platform, or not known by the digest.
    """
    found = engine.image(base_reference(plan))
    if found is None:
        if plan.base.source == "engine":
            raise _missing(engine, plan.base)
        _pull(engine, plan, progress)
        found = engine.image(base_reference(plan))
    if found is None or not _has_digest(found, plan.base):
        raise IntegrityError(
            f"what the registry sent is not {plan.base.digest}",
            where=plan.base.reference,
            fix="Pull it again; if this persists, ask who runs the registry.",
        )
    if found.platform != plan.target:
        raise IntegrityError(
            f"the base is for {found.platform}, the plan for {plan.target}",
            where=plan.base.reference,
            fix=f"Remove that image and pull the one for {plan.target}, or capture again with another base.",
        )
    return found


def _has_digest(image: ImageInfo, base: Base) -> bool:
    if base.source == "engine":
        return image.id == str(base.digest)
    return any(known.endswith(f"@{base.digest}") for known in image.repo_digests)


def _missing(engine: DockerEngine, base: Base) -> InfrastructureError:
    other = engine.image(base.reference)
    known = f"; the image that is called so here is {other.id}" if other else ""
    return InfrastructureError(
        f"the base image {base.reference} ({base.digest}) is not in this engine, and no registry has it{known}",
        where="repro.lock: base",
        fix="Bring it here from where the lock was captured (`docker save` there, `docker load` here), "
        "or capture again with a base that this engine has.",
    )


def _pull(engine: DockerEngine, plan: BuildPlan, progress: Progress) -> None:
    base = plan.base
    repository = _without_tag(base.reference)
    task = progress.start(f"pulling {base.reference}", None)
    try:
        with closing_responses(engine.client.api):
            lines = engine.client.api.pull(
                repository, tag=str(base.digest), stream=True, decode=True, platform=plan.target
            )
            for line in lines:
                _follow(line, base, task.advance)
    except TRANSPORT as error:
        raise _unreachable(base, getattr(error, "explanation", None) or str(error)) from error
    task.finish(f"pulled {base.reference}")


def _follow(line: dict[str, Any], base: Base, advance: Any) -> None:
    if "error" in line:
        raise _unreachable(base, str(line["error"]))
    if line.get("status") == "Pull complete":
        advance(1, str(line.get("id", "")))


def _unreachable(base: Base, reason: str) -> InfrastructureError:
    return InfrastructureError(
        f"the base image {base.reference}@{base.digest} is not in this engine and can't be pulled: {reason.strip()}",
        where="repro.lock: base",
        fix="Check the network, the registry's name and `docker login`; "
        "or load the image from elsewhere with `docker load`.",
    )


def _without_tag(reference: str) -> str:
    """`host:5000/name:tag` → `host:5000/name`."""
    head, slash, last = reference.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"
