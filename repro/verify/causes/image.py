"""Rules `image-changed`: the image is not the one that the lock builds; `base-changed`: its base isn't."""

from collections.abc import Iterator

from repro.verify.causes.situation import Situation
from repro.verify.model import Cause

_KINDS = ("lock", "evaluation", "runner", "record", "platform", "user", "entrypoint", "command", "label", "plan")
_BASE_LAYERS = {"interpreter", "system"}
_OTHER_RULES = ("wheel", "conda", "code", "data", "model", *_BASE_LAYERS)
"""How layers begin whose differences rules of their own tell."""

_CHANGED = "changed or missing: "


def other_image(situation: Situation) -> Iterator[Cause]:
    """What an image is made with besides packages, files and variables, which have rules of their own."""
    for finding in situation.found(*_KINDS):
        if finding.severity == "error":
            yield Cause(
                rule="image-changed",
                message=finding.message,
                laptop="",
                here="",
                where=finding.kind,
                confidence="certain",
                fix="Build the image again from the lock with `repro build`.",
                evidence=finding.evidence,
            )


def other_layers(situation: Situation) -> Iterator[Cause]:
    """Layers that hold neither packages nor files of the project."""
    for finding in situation.found("layers"):
        changed = sorted(changed_layers(finding.evidence))
        layers = ", ".join(name for name in changed if not name.startswith(_OTHER_RULES))
        if layers or "besides" in finding.message:
            yield Cause(
                rule="image-changed",
                message=f"{finding.message}{': ' if layers else ''}{layers}",
                laptop="",
                here="",
                where=layers or "layers",
                confidence="certain",
                fix="Build the image again from the lock with `repro build`.",
                evidence=finding.evidence,
            )


def other_base(situation: Situation) -> Iterator[Cause]:
    """Layers below the packages: the base image, the interpreter, packages of the system."""
    for finding in situation.found("base", "layers"):
        layers = _BASE_LAYERS.intersection(changed_layers(finding.evidence))
        below = "below" in finding.message
        if finding.severity == "error" and (finding.kind == "base" or below or layers):
            yield Cause(
                rule="base-changed",
                message=f"{finding.message}{': ' if layers else ''}{', '.join(sorted(layers))}",
                laptop=situation.lock.base.reference,
                here="",
                where=", ".join(sorted(layers)) or "base image",
                confidence="certain",
                fix="Build the image again from the lock, on the base that it pins.",
                evidence=finding.evidence,
            )


def changed_layers(evidence: tuple[str, ...]) -> set[str]:
    """Names of the predicted layers that an image hasn't."""
    lines = [line.removeprefix(_CHANGED) for line in evidence if line.startswith(_CHANGED)]
    return {name for line in lines for name in line.split(", ")}
