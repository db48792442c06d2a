"""Everything that commands print with --json, one versioned document each. The verdict's is in `repro.verify`."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from repro.capture.request import CaptureResult
from repro.digest import Digest
from repro.errors import ReproError
from repro.lock import Lock
from repro.plan import BuiltImage
from repro.report.doctor import Check
from repro.report.findings import findings_data
from repro.report.repeats import repeats_json
from repro.report.summaries import ImageInspection
from repro.verify.document import encode_exactly


def capture_json(result: CaptureResult) -> bytes:
    """`repro.capture/1`: where the lock is, and what it is."""
    return document(
        "repro.capture/1",
        {
            "path": str(result.path),
            "changed": result.changed,
            "seconds": result.seconds,
            "warnings": result.warnings,
            "findings": findings_data(result.findings),
            "evidence": None if result.run_directory is None else str(result.run_directory),
            "repeats": repeats_json(result.repeats),
            "lock": _lock(result.lock, result.digest),
        },
    )


def build_json(images: Sequence[tuple[BuiltImage, Sequence[tuple[str, str, int]]]]) -> bytes:
    """`repro.build/2`: each image at each place, with its layers."""
    described = [
        {
            **_plain(image),
            "layers": [{"name": name, "comment": comment, "size": size} for name, comment, size in layers],
        }
        for image, layers in images
    ]
    return document("repro.build/2", {"images": described})


def lock_json(lock: Lock, digest: Digest) -> bytes:
    """`repro.lock-inspection/1`: everything in the lock, with its digest."""
    return document("repro.lock-inspection/1", _lock(lock, digest))


def image_json(found: ImageInspection) -> bytes:
    """`repro.image-inspection/1`: what the engine says of the image, its lock, and whether both agree."""
    return document(
        "repro.image-inspection/1",
        {
            "reference": found.reference,
            "image": found.image,
            "lock": _lock(found.lock, found.digest),
            "agrees": not any(finding.severity == "error" for finding in found.findings),
            "findings": found.findings,
        },
    )


def doctor_json(checks: Sequence[Check]) -> bytes:
    """`repro.doctor/1`: every check."""
    failed = any(check.status == "fail" for check in checks)
    return document("repro.doctor/1", {"ok": not failed, "checks": list(checks)})


def error_json(error: ReproError) -> str:
    """`repro.error/1` on one line: what, where, problems, details, fix, and the exit code."""
    document = {
        "schema": "repro.error/1",
        "error": type(error).__name__,
        "exit_code": int(error.exit_code),
        "what": error.what,
        "where": error.where,
        "problems": list(error.problems),
        "details": error.details,
        "fix": error.fix,
    }
    return json.dumps(document)


def _lock(lock: Lock, digest: Digest) -> dict[str, Any]:
    metrics = [{**_plain(metric), "value": encode_exactly(metric.value)} for metric in lock.metrics]
    return {"digest": str(digest), **_plain(lock), "metrics": metrics}


def document(schema: str, data: Mapping[str, Any]) -> bytes:
    """A document of ours: its schema and version first."""
    text = json.dumps({"schema": schema, **_plain(data)}, indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _plain(value: Any) -> Any:
    """Dataclasses as objects, digests as `sha256:…`, floats that JSON can't spell as their text."""
    match value:
        case Digest():
            return str(value)
        case float() if not math.isfinite(value):
            return repr(value)
        case Mapping():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _ if is_dataclass(value):
            return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        case _:
            return value
