"""Factor `time-zone`: TZ, by name, or by its rule where the image doesn't know the name."""

import zoneinfo
from importlib import resources
from pathlib import Path

from repro.proof.factors.model import Found, LeftOut, Scene, Setting, Swap, same, variables

FACTOR, TITLE = "time-zone", "the time zone"
_FIX = "Compute in UTC, or capture again: the rerun and the image then use the same zone."


def time_zone(scene: Scene) -> Found:
    """By what local time both runs had; by the locked name where the laptop's run is not at hand."""
    names, effective = scene.setting("$TZ"), scene.setting("time zone")
    laptop = names[0] or scene.situation.lock.environment.timezone
    here = names[1]
    if here is None:
        yield LeftOut(FACTOR, TITLE, "this run left no evidence of it")
    elif laptop != here:
        yield Swap(FACTOR, TITLE, _setting(laptop), _setting(here), _FIX)
    elif effective[0] in {None, effective[1]}:
        yield same(FACTOR, TITLE, here)
    elif rule := posix_rule(laptop):
        yield Swap(FACTOR, TITLE, variables(laptop, TZ=rule), variables(f"{effective[1]}, as {here}", TZ=here), _FIX)
    else:
        yield LeftOut(FACTOR, TITLE, f"neither the image nor this machine knows {laptop}")


def posix_rule(name: str) -> str:
    """The rule of a zone for times to come (the footer of its file, RFC 8536, section 3.3); "" for unknown zones."""
    try:
        zoneinfo.ZoneInfo(name)
        data = next((path.read_bytes() for path in _files(name) if path.is_file()), None) or _packaged(name)
    except (KeyError, OSError, ValueError, ImportError):
        return ""
    return data.rpartition(b"\n")[0].rpartition(b"\n")[2].decode("ascii", "replace")


def _files(name: str) -> list[Path]:
    return [Path(folder, name) for folder in zoneinfo.TZPATH]


def _packaged(name: str) -> bytes:
    return resources.files("tzdata.zoneinfo").joinpath(name).read_bytes()


def _setting(name: str) -> Setting:
    return variables(name, TZ=name)
