"""Rules `cpu-dispatch` and `cpu-features`: other code was chosen for this CPU."""

import re
from collections.abc import Iterator
from typing import Literal

from repro.verify.causes.blas import blas, rounding_confidence
from repro.verify.causes.situation import Difference, Situation
from repro.verify.causes.words import cell, lines, value
from repro.verify.model import Cause

DISPATCH = re.compile(
    r"\$(OPENBLAS_CORETYPE|OPENBLAS_L2_SIZE|MKL_(CBWR|DEBUG_CPU_TYPE|ENABLE_INSTRUCTIONS|DYNAMIC)|BLIS_ARCH_TYPE"
    r"|NPY_(DISABLE|ENABLE)_CPU_FEATURES|(ONEDNN|DNNL)_\w+|ATEN_CPU_CAPABILITY|TF_ENABLE_ONEDNN_OPTS|GLIBC_TUNABLES)"
    r"|numpy dispatch|torch dispatch"
)
"""Settings that choose code by CPU."""

_ILLEGAL = re.compile(r"[Ii]llegal instruction|SIGILL")


def dispatch(situation: Situation) -> Iterator[Cause]:
    """Variables that choose code by CPU, where a library was loaded that listens; and what packages chose."""
    kernels = any(cause.rule == "blas-kernel" for cause in blas(situation))
    changed = [
        one
        for name, one in situation.settings().items()
        if DISPATCH.fullmatch(name) and not (kernels and name.startswith("$OPENBLAS"))
    ]
    variables = [one for one in changed if one.name.startswith("$")] if _computes(situation) else []
    chosen = [one for one in changed if not one.name.startswith("$")]
    if variables:
        names = ", ".join(one.name.lstrip("$") for one in variables)
        yield _dispatch(
            variables,
            f"{names}: what chooses code by CPU differs",
            names,
            "Set it to the same value on both sides: [run] env in repro.toml carries it into the image.",
            "likely" if situation.ran else "certain",
        )
    for one in chosen:
        package = one.name.partition(" ")[0]
        yield _dispatch(
            [one],
            f"{package} chose other code for this CPU than for the laptop's",
            package,
            "Pin it on both sides (NPY_DISABLE_CPU_FEATURES, ATEN_CPU_CAPABILITY), or allow a tolerance.",
            rounding_confidence(situation),
        )


def _dispatch(
    differences: list[Difference],
    message: str,
    where: str,
    fix: str,
    confidence: Literal["certain", "likely", "possible"],
) -> Cause:
    return Cause(
        rule="cpu-dispatch",
        message=message,
        laptop=value(differences[0].laptop),
        here=value(differences[0].here),
        where=where,
        confidence=confidence,
        fix=fix,
        evidence=lines(differences),
    )


def _computes(situation: Situation) -> bool:
    """Whether a library was loaded that chooses code by CPU; of an image that wasn't run, nobody knows."""
    machine, record = situation.lock.evidence.machine, situation.here.record
    known = [*(machine.libraries if machine else ()), *(record.libraries if record else ())]
    return bool(known) or not situation.ran


def features(situation: Situation) -> Iterator[Cause]:
    """Instruction sets that one CPU has and the other hasn't; or an instruction that this one hasn't at all."""
    machine, record, failure = situation.lock.evidence.machine, situation.here.record, situation.failure
    if machine is None or record is None:
        return
    here = set(record.machine.get("features", "").split())
    lost, gained = sorted(set(machine.features) - here), sorted(here - set(machine.features))
    illegal = failure is not None and bool(_ILLEGAL.search(situation.failed_with))
    other = bool(here) and bool(lost or gained) and not situation.only_failed
    if not (other or illegal):
        return
    yield Cause(
        rule="cpu-features",
        message="the program used an instruction that this CPU doesn't have"
        if illegal
        else "this CPU has other instruction sets than the laptop's, and libraries choose their code by them",
        laptop=" ".join(lost) or machine.processor,
        here=" ".join(gained) or record.machine.get("processor", "unknown"),
        where=(cell(failure.cell) if failure else "") or "CPU",
        confidence="certain" if illegal else rounding_confidence(situation),
        fix="Run where the CPU is of the laptop's kind, or pin the code path: OPENBLAS_CORETYPE, MKL_CBWR, "
        "NPY_DISABLE_CPU_FEATURES, ONEDNN_MAX_CPU_ISA, ATEN_CPU_CAPABILITY; or allow the difference with a tolerance.",
        evidence=(
            *([f"only on the laptop: {' '.join(lost)}"] if lost else []),
            *([f"only here: {' '.join(gained)}"] if gained else []),
        ),
    )
