"""Scripts that packages had run as they were linked on the laptop: nobody runs or skips them without leave."""

from collections.abc import Collection, Iterable, Sequence

from repro_oci.image_python import can_compile

from repro.conda.records import Record
from repro.conda.scripts import EARLY, link_scripts
from repro.errors import CaptureError
from repro.lock.conda import Scripts


def scripts_of(record: Record) -> tuple[str, ...]:
    """The scripts that a package has run while it is linked."""
    return link_scripts(record.name, (one.path for one in record.paths))


def decided(name: str, skip: Collection[str], run: Collection[str]) -> Scripts | None:
    """What was said of a package's scripts; None for nothing."""
    return "run" if name in run else "skip" if name in skip else None


def check_scripts(records: Iterable[Record], skip: Collection[str], run: Collection[str] = ()) -> tuple[str, ...]:
    """Warnings about what becomes of scripts.

    Args:
        records: The installed packages.
        skip: Names of those whose scripts may be left out.
        run: Names of those whose scripts are run while an image is made.

    Raises:
        CaptureError: Packages have scripts of which nobody said what becomes of them, or one that can't be run then.
    """
    found = {record.name: (record, paths) for record in records if (paths := scripts_of(record))}
    _check_decided([found[name] for name in found if decided(name, skip, run) is None])
    _check_early([found[name] for name in found if name in run])
    told = {"run": "runs while an image is made", "skip": "is not run in the image"}
    idle = [(key, name) for key, names in (("skip", skip), ("run", run)) for name in sorted(set(names) - found.keys())]
    return (
        *(
            f"{one.label}: {', '.join(paths)} {told[decided(name, skip, run) or 'skip']}"
            for name, (one, paths) in found.items()
        ),
        *(f"{key}-scripts names {name}, which has no script, or isn't installed" for key, name in idle),
    )


def _check_decided(lacking: Sequence[tuple[Record, tuple[str, ...]]]) -> None:
    if not lacking:
        return
    names = ", ".join(f'"{record.name}"' for record, _ in lacking)
    raise CaptureError(
        f"{len(lacking)} conda {'package has a script' if len(lacking) == 1 else 'packages have scripts'} that ran "
        "here after linking, which nothing runs in the image without leave",
        problems=[f"{record.label}: {', '.join(paths)}" for record, paths in lacking],
        fix="Read them; if the work does without what they do, name the packages in repro.toml, then capture "
        f"again:\n  [conda]\n  skip-scripts = [{names}]\nName those in run-scripts whose scripts have to run while the "
        "image is made.",
    )


def _check_early(run: Iterable[tuple[Record, tuple[str, ...]]]) -> None:
    early = [f"{one.label}: {path}" for one, paths in run for path in paths if path.endswith(EARLY)]
    if early:
        raise CaptureError(
            "run-scripts names packages with scripts that run before linking, which can't be done in an image",
            problems=early,
            fix="Name them in skip-scripts instead, if the work does without what they do, and capture again.",
        )


def check_runnable(run: Iterable[str], targets: Iterable[str]) -> None:
    """Refuse scripts that have to run for a platform whose programs don't run on this machine.

    Raises:
        CaptureError: There are any; they are named.
    """
    named, others = sorted(run), [target for target in targets if not can_compile(target)]
    if named and others:
        raise CaptureError(
            f"post-link scripts have to run for {', '.join(others)}, whose programs don't run on this machine",
            problems=named,
            fix="Capture on Linux with the image's architecture; or, if the work does without what they do, name these "
            "packages in skip-scripts instead of run-scripts, under [conda] in repro.toml.",
        )
