"""What a lock's packages are, in a few words: conda's, and what only the object store has."""

from collections.abc import Iterator, Sequence

from repro.lock import CondaPackage, Lock
from repro.report.style import human_size
from repro.words import count


def conda_fields(packages: Sequence[CondaPackage]) -> Iterator[tuple[str, str]]:
    """What conda's packages are, and what of them isn't as published or as on the laptop."""
    if not packages:
        return
    channels = ", ".join(sorted({one.channel for one in packages}))
    builds = sum(one.captured is not None for one in packages)
    other = f"; {count(builds, 'build')} of another platform than the laptop's" if builds else ""
    size = human_size(sum(one.size for one in packages))
    yield "conda", f"{count(len({one.name for one in packages}), 'package')}, {size}, from {channels}{other}"
    scripts = sorted({one.name for one in packages if one.scripts == "skip"})
    if scripts:
        yield "", f"without the post-link scripts of {', '.join(scripts)}"
    edited = sorted({one.name for one in packages if one.patched})
    if edited:
        yield "", f"edited by hand: {', '.join(edited)}"


def only_stored(lock: Lock) -> Iterator[str]:
    """What nobody publishes, and whoever builds needs all the same."""
    yield from (file.name for package in lock.packages for file in package.files if file.url is None)
    yield from dict.fromkeys(one.file for one in lock.conda if one.url is None)
    yield from dict.fromkeys(f"edited files of {one.name}" for one in lock.conda if one.patched)
    if lock.python.packed is not None:
        yield lock.python.packed.name
