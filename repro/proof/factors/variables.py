"""Factor `cpu-dispatch`: variables that steer libraries and differ, such as ONEDNN_MAX_CPU_ISA; one swap for each."""

import re
from collections.abc import Iterator

from repro.plan.evaluation import THREAD_VARIABLES
from repro.proof.factors.model import Found, LeftOut, Scene, Setting, Swap, variables
from repro.runner.experiment import Experiment

FACTOR = "cpu-dispatch"
_ELSEWHERE = re.compile(rf"\$(TZ|LANG|LANGUAGE|LC_\w+|PYTHONHASHSEED|LD_PRELOAD|{'|'.join(THREAD_VARIABLES)})")
"""What other factors set, or what would be another program."""
_OF_LIBRARY = {"$OPENBLAS_": "openblas", "$MKL_": "mkl", "$BLIS_": "blis"}
_FIX = "Set it to the same value on both sides: [run] env in repro.toml carries it into the image."


def steering_variables(scene: Scene) -> Found:
    """By what both interpreters had; a variable that only the image sets can't be taken away from it."""
    laptop, here = scene.situation.laptop.record, scene.situation.here.record
    if laptop is None or here is None:
        return
    names = (name for name in laptop.settings.keys() | here.settings.keys() if name.startswith("$"))
    for name in sorted(names):
        ours, now = laptop.settings.get(name), here.settings.get(name)
        if ours == now or _ELSEWHERE.fullmatch(name) or name in _told(scene):
            continue
        plain = name.removeprefix("$")
        library = next((one for prefix, one in _OF_LIBRARY.items() if name.startswith(prefix)), None)
        if library is not None and library not in {one.get("name") for one in here.libraries}:
            yield LeftOut(FACTOR, plain, f"differs, but no {library} was loaded")
            continue
        if ours is None:
            yield LeftOut(FACTOR, plain, f"set to {now} here, not set on the laptop: it can't be unset in the image")
            continue
        back = Setting("not set", Experiment()) if now is None else variables(now, **{plain: now})
        yield Swap(f"{FACTOR}:{plain}", plain, variables(ours, **{plain: ours}), back, _FIX)


def _told(scene: Scene) -> Iterator[str]:
    """Variables by which other factors set what libraries said themselves that they had chosen."""
    record = scene.situation.here.record
    if record is not None and any(one.get("name") == "openblas" and one.get("kernel") for one in record.libraries):
        yield "$OPENBLAS_CORETYPE"
    for choice, name in _CHOSEN.items():
        if None not in scene.setting(choice):
            yield name


_CHOSEN = {"numpy dispatch": "$NPY_DISABLE_CPU_FEATURES", "torch dispatch": "$ATEN_CPU_CAPABILITY"}
