"""Rules `blas` and `blas-kernel`: another library computed the same sums, or the same one by other code."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from repro.lock import NativeLibrary
from repro.verify.causes.conda import blas_pairs, brought_by, here_conda, laptop_conda
from repro.verify.causes.situation import Situation
from repro.verify.causes.words import lines
from repro.verify.model import Cause

_BLAS = {"openblas", "mkl", "blis", "flexiblas"}
_FROM_WHEEL = re.compile(r"-[0-9a-f]{6,}\.")
"""What auditwheel and delocate put into the names of libraries that a wheel carries."""


def blas_builds(situation: Situation) -> Iterator[Cause]:
    """Builds of conda packages that stand for another BLAS: known also where none shows in a run, as Accelerate."""
    found = blas_pairs(situation)
    sure = any(situation.found("packages"))
    if not found or (situation.only_failed and not sure):
        return
    kinds = found[0].variants
    ran = next(((left, right) for left, right in _pairs(situation) if (left.name, right.get("name")) == kinds), None)
    laptop, here = (kind or "" for kind in kinds)
    where = found[0].name
    if ran is not None:
        laptop, here = _named(ran[0].name, ran[0].version), _named(ran[1].get("name"), ran[1].get("version"))
        where = ran[0].file
    yield Cause(
        rule="blas",
        message="another BLAS library computed than on the laptop",
        laptop=laptop,
        here=here,
        where=where,
        confidence="certain" if sure else "likely",
        fix=f'Have the same variant on both sides: conda install "libblas=*=*{kinds[1]}" on the laptop, and capture '
        "again; or allow the difference with a tolerance.",
        evidence=(*(pair.line for pair in found), *_providers(situation, laptop, here)),
    )


def blas(situation: Situation) -> Iterator[Cause]:
    """Another vendor or version of BLAS, or another of its kernels, of each file or each name."""
    pairs = [] if situation.only_failed else list(_pairs(situation))
    told = {one.variants for one in blas_pairs(situation)}
    for left, right in pairs:
        kinds = left.name, right.get("name")
        if (left.name, left.version) != (right.get("name"), right.get("version")) and kinds not in told:
            yield _blas(situation, left, right)
    yield from _kernels(situation, pairs)


def _named(name: object, version: object) -> str:
    return f"{name} {version or ''}".strip()


def _blas(situation: Situation, left: NativeLibrary, right: Mapping[str, Any]) -> Cause:
    laptop, here = _named(left.name, left.version), _named(right.get("name"), right.get("version"))
    return Cause(
        rule="blas",
        message="another BLAS library computed than on the laptop",
        laptop=laptop,
        here=here,
        where=left.file,
        confidence=rounding_confidence(situation),
        fix="Have the same package that brings it on both sides: see which one differs, and pin it.",
        evidence=() if _FROM_WHEEL.search(left.file) else tuple(_providers(situation, laptop, here)),
    )


def _providers(situation: Situation, laptop: str, here: str) -> Iterator[str]:
    """Conda's packages that bring the library of each side."""
    for side, named, packages in (
        ("on the laptop", laptop, laptop_conda(situation)),
        ("in the image", here, here_conda(situation)),
    ):
        kind = named.partition(" ")[0]
        package = brought_by(kind, packages)
        if package:
            yield f"{kind} {side} is brought by {package}"


def _kernels(situation: Situation, pairs: Iterable[tuple[NativeLibrary, Mapping[str, Any]]]) -> Iterator[Cause]:
    forced = [one for name, one in situation.settings().items() if name == "$OPENBLAS_CORETYPE"]
    for left, right in pairs:
        if left.kernel and right.get("kernel") and left.kernel != right["kernel"]:
            yield Cause(
                rule="blas-kernel",
                message=f"{left.name} chose other code for this CPU than for the laptop's",
                laptop=left.kernel,
                here=str(right["kernel"]),
                where=left.file,
                confidence=rounding_confidence(situation),
                fix=f'Pin it on both sides: OPENBLAS_CORETYPE="{left.kernel}" and [run] env = ["OPENBLAS_CORETYPE"], '
                "then capture again; or allow the difference with a tolerance."
                if left.name == "openblas"
                else "Pin its code path (MKL_CBWR for MKL) on both sides, or allow the difference with a tolerance.",
                evidence=lines(forced),
            )


def _pairs(situation: Situation) -> Iterator[tuple[NativeLibrary, Mapping[str, Any]]]:
    """The laptop's BLAS libraries with those here: by file, else by their order."""
    machine, record = situation.lock.evidence.machine, situation.here.record
    if machine is None or record is None:
        return
    ours = [one for one in machine.libraries if one.name in _BLAS]
    theirs = [one for one in record.libraries if one.get("name") in _BLAS]
    by_file = {one.get("file"): one for one in theirs}
    yield from ((one, by_file[one.file]) for one in ours if one.file in by_file)
    files = {one.file for one in ours}
    rest = [one for one in theirs if one.get("file") not in files]
    yield from zip([one for one in ours if one.file not in by_file], rest, strict=False)


def rounding_confidence(situation: Situation) -> Literal["likely", "possible"]:
    """Moves of floats by rounding come from such differences; larger ones may, where a fit stops at another step."""
    return "likely" if situation.only_rounding or not situation.moved else "possible"
