"""The layer of what conda packages' post-link scripts leave: whether they can be run here, and on what."""

import sys
from collections.abc import Sequence
from pathlib import Path

from repro.errors import InfrastructureError
from repro.lock import CondaPackage
from repro.oci.entry import Entry
from repro.oci.image import Image
from repro.oci.rootfs import rootfs
from repro.plan import BuildPlan, Supplies
from repro.plan.conda import compiles_linked, scripts_of
from repro.progress import Progress
from repro_oci.image_python import can_compile
from repro_oci.script_changes import SKIP
from repro_oci.script_ground import make_ground


def scripted_entries(
    plan: BuildPlan, base: Image, supplies: Supplies, directory: Path, progress: Progress
) -> list[Entry]:
    """What a plan's scripts add to the environment and change in it.

    Args:
        plan: The plan.
        base: Its base.
        supplies: Brings packages.
        directory: The user's cache.
        progress: Told what scripts say.

    Raises:
        CaptureError: A script fails, does what no layer can hold, or leaves something else each time.
        InfrastructureError: Scripts can't be run on this machine, or the disk refuses.
        IntegrityError: A package or the base can't be trusted.
    """
    scripts = scripts_of(plan)
    if scripts is None:
        return []
    packages = [link.package for link in scripts.links]
    program = _program(plan.target, packages)
    from repro_oci.script_runs import Stage, run_scripts  # noqa: PLC0415 - POSIX only

    ground = make_ground(plan, base, supplies, directory)
    task = progress.start("running post-link scripts", 2 * len(packages))
    with rootfs(ground.image, directory / "rootfs") as root:
        stage = Stage(program, root, ground.entries, directory, compiled=compiles_linked(plan))
        entries = run_scripts(stage, packages, task, progress.note)
    task.finish()
    return entries


def _program(target: str, packages: Sequence[CondaPackage]) -> str:
    """Path of the bubblewrap that runs them."""
    what = f"post-link scripts have to run for the image of {target}, and can't on this machine"
    named = ", ".join(package.label for package in packages)
    if not can_compile(target):
        raise InfrastructureError(
            f"{what}: it is {sys.platform} of another architecture or system", where=named, fix=f"Build there. {SKIP}"
        )
    from repro.engines.bubblewrap.program import check_program, find_program  # noqa: PLC0415 - POSIX only

    try:
        program = find_program()
        check_program(program)
    except InfrastructureError as error:
        fix = f"{error.fix or ''} Or do without the scripts: {SKIP}".strip()
        raise InfrastructureError(f"{what}: {error.what}", where=named, problems=error.problems, fix=fix) from error
    return program.path
