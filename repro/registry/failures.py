"""What a registry's answers mean when they aren't what was asked for, as errors that say what to do."""

from collections.abc import Sequence

import requests

from repro.digest import Digest
from repro.errors import InfrastructureError
from repro.registry.names import ImageName

UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TOO_MANY = 401, 403, 404, 429


class NotFoundError(InfrastructureError):
    """The registry answered: there is no such image, or none for the platform, or not for us."""


class MissingError(NotFoundError):
    """The registry answered: there is no such image, or a part of it isn't there."""


def check_status(response: requests.Response, name: ImageName, part: Digest | None = None) -> None:
    """Raise an error for an answer that is no success (2xx).

    Args:
        response: The answer.
        name: The image.
        part: What of it was asked for: a layer, a configuration, the manifest for a platform; None for all of it.

    Raises:
        NotFoundError: There is no such thing (MissingError), or we may not have it.
        InfrastructureError: Any other refusal.
    """
    status = response.status_code
    if status == NOT_FOUND:
        raise _missing(name, part)
    if status in {UNAUTHORIZED, FORBIDDEN}:
        raise refused(name, anonymous="Authorization" not in response.request.headers)
    if status == TOO_MANY:
        raise InfrastructureError(
            f"the registry {name.registry} has had too many requests from here",
            fix=f"Wait, or log in: docker login {name.registry}.",
        )
    if not response.ok:
        raise InfrastructureError(
            f"the registry {name.registry} answered {status} {response.reason or ''}".rstrip(), where=str(name)
        )


def _missing(name: ImageName, part: Digest | None) -> MissingError:
    if part is None:
        what, fix = f"there is no image {name}", "Check the name, the tag or the digest."
    else:
        what, fix = f"the registry lacks {part}, a part of {name}", "Push the image again, or use another one."
    return MissingError(what, where=name.registry, fix=fix)


def refused(name: ImageName, *, anonymous: bool) -> NotFoundError:
    """Registries don't tell a private image from none, so neither do we."""
    how = "without credentials" if anonymous else "with the credentials that are configured"
    return NotFoundError(
        f"the registry does not give us {name} {how}",
        where=name.registry,
        fix=f"Check the name; if it is private, log in: docker login {name.registry}.",
    )


def not_for(name: ImageName, platform: str, offered: Sequence[str]) -> NotFoundError:
    """There is an image, but for other platforms."""
    return NotFoundError(
        f"{name} is not for {platform}, only for {', '.join(offered) or 'nothing'}",
        where=name.registry,
        fix="Name an image that is.",
    )
