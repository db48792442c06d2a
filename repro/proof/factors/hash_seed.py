"""Factor `hash-seed`: PYTHONHASHSEED, which decides the order of sets of strings."""

from repro.proof.factors.model import Found, LeftOut, Scene, Swap, same, variables

FACTOR, TITLE = "hash-seed", "the hash seed"
_FIX = "Sort what comes out of sets before it is used; or capture again with the seed that the image has."


def hash_seed(scene: Scene) -> Found:
    """As both interpreters told it."""
    laptop, here = scene.setting("hash seed")
    if laptop is None or here is None:
        yield LeftOut(FACTOR, TITLE, "the laptop's run left no evidence of it here")
    elif laptop == here:
        yield same(FACTOR, TITLE, laptop)
    elif not (laptop.isdecimal() and here.isdecimal()):
        yield LeftOut(FACTOR, TITLE, f"{laptop} on the laptop, {here} here: what is random can't be set again")
    else:
        yield Swap(FACTOR, TITLE, variables(laptop, PYTHONHASHSEED=laptop), variables(here, PYTHONHASHSEED=here), _FIX)
