"""Factor `torch-dispatch`: which instruction sets PyTorch's own kernels use, by ATEN_CPU_CAPABILITY."""

from repro.proof.factors.model import Found, LeftOut, Scene, Swap, same, variables

FACTOR, TITLE = "torch-dispatch", "PyTorch's instruction sets"
_ORDER = ("DEFAULT", "AVX2", "AVX512")
_FIX = 'Set ATEN_CPU_CAPABILITY to the same on both sides ([run] env = ["ATEN_CPU_CAPABILITY"]) and capture again.'


def torch_dispatch(scene: Scene) -> Found:
    """By what PyTorch said in both runs; nothing where it wasn't loaded."""
    laptop, here = scene.setting("torch dispatch")
    if laptop is None or here is None:
        return
    if laptop == here:
        yield same(FACTOR, TITLE, laptop)
    elif not {laptop, here} <= set(_ORDER) or _ORDER.index(laptop) > _ORDER.index(here):
        yield LeftOut(FACTOR, TITLE, f"{laptop} on the laptop, {here} here: this CPU can't be set to it")
    else:
        there, now = ({"ATEN_CPU_CAPABILITY": value.lower()} for value in (laptop, here))
        yield Swap(FACTOR, TITLE, variables(laptop, **there), variables(here, **now), _FIX)
