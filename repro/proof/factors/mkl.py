"""Factor `mkl-dispatch`: which code path Intel MKL takes, by MKL_CBWR (conditional numerical reproducibility)."""

from repro.proof.factors.model import Found, Scene, Swap, same, variables

FACTOR, TITLE = "mkl-dispatch", "MKL's code path"
_PATHS = (("AVX512", "avx512f"), ("AVX2", "avx2"), ("AVX", "avx"), ("SSE4_2", "sse4_2"))
_FIX = 'Set MKL_CBWR to the same on both sides ([run] env = ["MKL_CBWR"]) and capture again.'


def mkl_dispatch(scene: Scene) -> Found:
    """By what both CPUs have, where MKL was loaded on both sides; nothing where it wasn't."""
    machine, record = scene.situation.lock.evidence.machine, scene.situation.here.record
    if machine is None or record is None or not any(one.name == "mkl" for one in machine.libraries):
        return
    laptop = _path(set(machine.features))
    here = _path(set(record.machine.get("features", "").split()))
    if laptop == here:
        yield same(FACTOR, TITLE, laptop)
    else:
        yield Swap(FACTOR, TITLE, variables(laptop, MKL_CBWR=laptop), variables(here, MKL_CBWR=here), _FIX)


def _path(features: set[str]) -> str:
    return next((path for path, feature in _PATHS if feature in features), "COMPATIBLE")
