"""A captured conda environment on another platform: the same versions in that platform's builds. No version moves."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

from repro.capture.conda.counterparts import Counterparts, beside, channels_of
from repro.capture.conda.culprits import Group, find_culprits
from repro.capture.conda.patches import CondaReview
from repro.capture.conda.scripts import decided
from repro.capture.conda.solve import Conflict, Published, Repodata, Solver, virtual_packages
from repro.capture.conda.telling import differences, raise_problems
from repro.conda.environment import CondaPrefix
from repro.conda.names import LOCAL, NOARCH, subdir_of
from repro.digest import Digest
from repro.errors import CaptureError
from repro.lock import CondaPackage
from repro.lock.conda import Scripts
from repro.progress import Progress
from repro.words import count

_WORKERS = 8


class Archives(Protocol):
    """Makes sure of the archives that a lock is to name."""

    def settled(self, package: Published) -> "Settled":
        """What an archive is, and where it is to be had.

        Raises:
            CaptureError: It can't be had.
            IntegrityError: It is not what its channel announces.
        """


@dataclass(frozen=True, slots=True)
class Settled:
    """An archive whose content is known.

    Attributes:
        sha256: Its digest.
        size: Its bytes.
        url: Where it is published, without credentials; None when only the project's object store has it.
    """

    sha256: Digest
    size: int
    url: str | None


def is_foreign(prefix: CondaPrefix, target: str) -> bool:
    """Whether an environment was made for another platform than the target's."""
    return bool({record.subdir for record in prefix.records} - {NOARCH, subdir_of(target)})


def foreign_packages(
    prefix: CondaPrefix,
    *,
    target: str,
    glibc: str,
    repodata: Repodata,
    archives: Archives,
    progress: Progress,
    review: CondaReview | None = None,
    skip_scripts: Collection[str] = (),
    run_scripts: Collection[str] = (),
    may_differ: Collection[str] = (),
    needed: Collection[str] = (),
    preferred: Iterable[CondaPackage] = (),
) -> tuple[CondaPackage, ...]:
    """Solve for a target: everything that was asked for, and every captured package that is there in its version.

    Asked are the channels that packages were installed from, the one with the most packages first. Build strings are
    free, but for the kind of Python and of BLAS, which is kept where the target has it.

    Args:
        prefix: The captured environment, with all of its records.
        target: Such as `linux/amd64`.
        glibc: Version of the base image's C library.
        repodata: Gets the index of one channel and subdir.
        archives: Makes sure of what the lock names.
        progress: Told how the target differs.
        review: What is left of each package here. Those of which nothing is, because pip has put its own in their
            place, are left out there, too; the others lose what they lost here. All are whole when None.
        skip_scripts: Packages whose scripts may be left out.
        run_scripts: Packages whose scripts run while an image is made.
        may_differ: Names of packages that the author allows another version there.
        needed: Names of conda packages that pip's packages need.
        preferred: Packages that an earlier lock has for the target, taken where they still fit.

    Returns:
        The target's packages, by name.

    Raises:
        CaptureError: Packages lack a build for the target, don't fit together there, or were edited by hand and have
            another build there; each is named.
        UsageError: py-rattler isn't installed.
        InfrastructureError: A channel can't be reached.
        IntegrityError: An archive is not what its channel announces.
    """
    task = progress.start(f"solving conda packages for {target}")
    virtual = virtual_packages(target, glibc)
    solver = Solver.open(channels_of(prefix), subdir_of(target), repodata, virtual)
    replaced = set(prefix.named) - {one.record.name for one in review.contents} if review else set()
    captured = beside(prefix, solver.subdir, solver.published, may_differ=may_differ, needed=needed, replaced=replaced)
    liked = {one.name: one.url or one.file for one in preferred if one.target == target}
    found, groups = _solved(solver, captured, liked)
    raise_problems(target, solver, captured, found, groups)
    found = tuple(one for one in found if one.name not in replaced)
    for line in differences(target, captured, found):
        progress.warn(line)
    settled = _all_settled(found, archives, target)
    bare = (_locked(one, settled[one.name], captured, target) for one in found)
    packages = _as_here(bare, review or CondaReview(), lambda name: decided(name, skip_scripts, run_scripts))
    task.finish(count(len(packages), "package"))
    return packages


def _solved(
    solver: Solver, captured: Counterparts, liked: Mapping[str, str]
) -> tuple[tuple[Published, ...], Sequence[Group]]:
    """What would be on the target, and what stands in its way."""
    question = captured.question(liked)
    for loose in (False, True):
        constraints = captured.constraints(loose=loose)
        answer = solver.solve(question.under(constraints.values()))
        if not isinstance(answer, Conflict):
            return answer, ()
    groups, answer = find_culprits(solver, question, constraints)
    return answer, groups


def _all_settled(found: Sequence[Published], archives: Archives, target: str) -> dict[str, Settled]:
    """What each archive is, by the package's name; many at once, for channels are asked about each."""

    def attempt(one: Published) -> Settled | str:
        try:
            return archives.settled(one)
        except CaptureError as error:
            return f"{one.name}={one.version}={one.build}: {error.what}"

    with ThreadPoolExecutor(_WORKERS, "conda") as pool:
        outcomes = list(pool.map(attempt, found))
    problems = [outcome for outcome in outcomes if isinstance(outcome, str)]
    if problems:
        raise CaptureError(
            f"{count(len(problems), 'conda package')} for {target} can't be had",
            problems=problems,
            fix="Let the channels' owners know, or install other versions of these here; where a channel is private, "
            "see that its token or password is known (docs/how-to/conda.md).",
        )
    return {one.name: two for one, two in zip(found, outcomes, strict=True) if isinstance(two, Settled)}


def _locked(one: Published, settled: Settled, captured: Counterparts, target: str) -> CondaPackage:
    before = captured.by_name.get(one.name)
    release = None if before is None else f"{before.record.version} {before.record.build}"
    return CondaPackage(
        name=one.name,
        version=one.version,
        build=one.build,
        target=target,
        channel=LOCAL if settled.url is None else one.channel.label,
        subdir=one.subdir,
        file=one.file,
        url=settled.url,
        sha256=settled.sha256,
        size=settled.size,
        md5=one.md5,
        depends=one.depends,
        requested=before is not None and before.asked,
        captured="" if release is None else None if release == f"{one.version} {one.build}" else release,
    )


def _as_here(
    packages: Iterable[CondaPackage], review: CondaReview, scripts: Callable[[str], Scripts | None]
) -> tuple[CondaPackage, ...]:
    """The packages with what became of their files on the laptop."""
    without = {one.record.name: one.without() for one in review.contents}
    made = tuple(
        replace(
            package,
            without=without.get(package.name, ()),
            patched=review.patched.get(package.name, ()),
            scripts=scripts(package.name),
        )
        for package in packages
    )
    moved = [one for one in made if one.patched and one.captured is not None]
    if moved:
        raise CaptureError(
            f"{count(len(moved), 'conda package')} with files that were edited by hand can't be locked for "
            f"{moved[0].target}, which has other builds",
            problems=[f"{one.label}: {', '.join(patch.path for patch in one.patched)}" for one in moved],
            fix="Install them again without the edits (`conda install --force-reinstall NAME`), or capture for this "
            "machine's own platform.",
        )
    return made
