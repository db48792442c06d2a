"""Factor `locale`: LC_ALL."""

from repro.proof.factors.model import Found, LeftOut, Scene, Swap, same, variables

FACTOR, TITLE = "locale", "the locale"
_FIX = "Sort and format without a locale, or capture again: the rerun and the image then use the same one."


def locale(scene: Scene) -> Found:
    """By the variable and by what came of it."""
    names, effective = scene.setting("$LC_ALL"), scene.setting("locale")
    laptop, here = names[0] or scene.situation.lock.environment.locale, names[1]
    if here is None:
        yield LeftOut(FACTOR, TITLE, "this run left no evidence of it")
    elif laptop != here:
        yield Swap(FACTOR, TITLE, variables(laptop, LC_ALL=laptop), variables(here, LC_ALL=here), _FIX)
    elif effective[0] not in {None, effective[1]}:
        yield LeftOut(FACTOR, TITLE, f"{effective[0]} on the laptop, {effective[1]} here: the image can't be set to it")
    else:
        yield same(FACTOR, TITLE, here)
