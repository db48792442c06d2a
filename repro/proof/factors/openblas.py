"""Factor `blas-kernel`: which of its code paths OpenBLAS takes, by OPENBLAS_CORETYPE."""

from repro.proof.factors.model import Found, LeftOut, Scene, Setting, Swap, same, variables

FACTOR, TITLE = "blas-kernel", "the OpenBLAS kernel"
_NEEDS = {
    "haswell": "avx2",
    "zen": "avx2",
    "sandybridge": "avx",
    "bulldozer": "avx",
    "piledriver": "avx",
    "steamroller": "avx",
    "excavator": "avx2",
    "skylakex": "avx512f",
    "cooperlake": "avx512f",
    "sapphirerapids": "avx512f",
}
"""The instruction set without which a kernel ends with an illegal instruction (OpenBLAS, driver/others/dynamic.c)."""


def openblas_kernel(scene: Scene) -> Found:
    """By what each OpenBLAS in both runs said that it had chosen."""
    machine, record = scene.situation.lock.evidence.machine, scene.situation.here.record
    if machine is None or record is None:
        return
    here = {str(one.get("file")): one.get("kernel") for one in record.libraries if one.get("name") == "openblas"}
    both = [(one.kernel, here[one.file]) for one in machine.libraries if one.file in here and one.kernel]
    differing = [(laptop, str(now)) for laptop, now in both if now and laptop != now]
    if not differing:
        if both:
            yield same(FACTOR, TITLE, both[0][0])
        return
    laptop, now = differing[0]
    wanted = _NEEDS.get(laptop.lower(), "")
    if wanted and wanted not in record.machine.get("features", "").split():
        yield LeftOut(FACTOR, TITLE, f"{laptop} on the laptop, {now} here: this CPU has no {wanted}, which it needs")
    else:
        yield Swap(FACTOR, TITLE, _setting(laptop), _setting(now), _fix(laptop))


def _setting(kernel: str) -> Setting:
    return variables(kernel, OPENBLAS_CORETYPE=kernel)


def _fix(kernel: str) -> str:
    return (
        f"Pin the kernel on both sides: set OPENBLAS_CORETYPE={kernel}, allow it in repro.toml "
        '([run] env = ["OPENBLAS_CORETYPE"]), and capture again; or allow the difference with a tolerance.'
    )
