"""The plan itself: which layers an image has, in which order, and what each holds. No disk, no network, no clock."""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from repro.digest import Digest
from repro.errors import IntegrityError, UsageError
from repro.lock import Lock, LockedFile, PackageFile, Role
from repro.plan import conda, layers, layout
from repro.plan.evaluation import make_evaluation
from repro.plan.model import (
    BuildPlan,
    Directory,
    ImageConfig,
    InlineFile,
    Layer,
)
from repro.plan.runner import runner_digest
from repro.plan.versions import minor_version

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def make_plan(
    lock: Lock, lock_bytes: bytes, runner_sources: Mapping[str, bytes], target: str | None = None
) -> BuildPlan:
    """The build plan of a lock for one of its targets (the only one when None).

    Args:
        lock: What `lock_bytes` say.
        lock_bytes: Its body (`repro.lock.lock_body`), baked into the image; the sha256 of that is the lock digest.
        runner_sources: The runner's files (`repro.plan.runner_sources`).
        target: Platform such as `linux/amd64`.

    Raises:
        UsageError: The lock has no such target, or the base can't supply the captured Python and the policy
            doesn't allow another patch version.
        IntegrityError: The runner at hand is not the one that the lock pins.
    """
    chosen = _target(lock, target)
    python = _python(lock, chosen)
    if runner_digest(runner_sources) != lock.runner.sha256:
        raise IntegrityError(
            f"the lock pins the runner of repro {lock.runner.version}, and this repro carries another",
            where="repro.lock: runner.sha256",
            fix=f"Use repro {lock.runner.version}, or capture again with this one.",
        )
    lock_digest = Digest.of(lock_bytes)
    made = [
        *layers.interpreter(lock, chosen),
        *layers.system(lock.system, chosen),
        layers.environment(lock, python),
        *layers.packages(lock, chosen),
        *layers.bytecode(lock, chosen),
        layers.runner(lock, runner_sources, chosen),
        *layers.runner_bytecode(lock, chosen),
        *layers.project(lock.files),
        _metadata(lock, lock_bytes, lock_digest),
    ]
    return BuildPlan(
        target=chosen,
        base=lock.base,
        python=python,
        python_version=lock.python.version,
        layers=tuple(made),
        config=_config(lock, python, lock_digest),
        lock_digest=lock_digest,
        installer=_installer(lock, chosen),
        encoding=lock.image.encoding,
    )


def _target(lock: Lock, target: str | None) -> str:
    if target is None and len(lock.targets) == 1:
        return lock.targets[0]
    if target not in lock.targets:
        wanted = " ".join(f"--platform {one}" for one in (*lock.targets, target))
        more = f", or capture again with {wanted}" if target else ""
        raise UsageError(
            f"the lock is for {', '.join(lock.targets)}" + (f", not for {target}" if target else ""),
            where="repro.lock: targets",
            fix=f"Name one of them with --platform{more}.",
        )
    return target


def _python(lock: Lock, target: str) -> PurePosixPath:
    """The interpreter's path in the image. Raises UsageError when nothing supplies it."""
    wanted, base, packed = lock.python, lock.base, lock.python.packed
    linked = conda.python_of(lock, target)
    if linked is not None:
        if linked.version != wanted.version:
            _allow_drift(lock, linked.version, f"the conda package {linked.label}")
        return conda.python_path(linked)
    if packed is not None:
        if packed.target != target:
            raise UsageError(
                f"the packed interpreter runs on {packed.target}, not on {target}",
                where="repro.lock: python.packed.target",
                fix=f"Choose a base image that has Python {wanted.version} and capture again.",
            )
        return layout.PYTHON / "bin" / f"python{minor_version(wanted.version)}"
    if base.python is None or base.python_path is None:
        raise UsageError(
            f"the base {base.reference} has no Python and none was packed",
            where="repro.lock: base.python",
            fix=f"Choose a base that has Python {wanted.version}, or capture on Linux, where it can be packed.",
        )
    if base.python != wanted.version:
        _allow_drift(lock, base.python, f"the base {base.reference}")
    return PurePosixPath(base.python_path)


def _allow_drift(lock: Lock, supplied: str, supplier: str) -> None:
    wanted = lock.python.version
    if minor_version(supplied) != minor_version(wanted):
        raise UsageError(
            f"{supplier} has Python {supplied}; the laptop had {wanted}",
            where="repro.lock: base.python",
            fix=f"Choose a base that has Python {wanted} and capture again; another minor version is never accepted.",
        )
    if not lock.policy.allow_patch_drift:
        raise UsageError(
            f"{supplier} has Python {supplied}; the laptop had {wanted}",
            where="repro.lock: base.python",
            fix=f"Choose a base that has Python {wanted}, capture on Linux for its own platform alone, where the "
            "interpreter can be packed, or set allow-patch-drift = true under [python] in repro.toml; capture again.",
        )


def _installer(lock: Lock, target: str) -> PackageFile:
    for package in lock.runner.packages:
        for file in package.files:
            if package.name == layers.INSTALLER and target in file.targets:
                return file
    raise IntegrityError(
        f"the lock pins no {layers.INSTALLER} for {target}, without which no wheel can be installed",
        where="repro.lock: runner.packages",
        fix="Capture again.",
    )


def _metadata(lock: Lock, lock_bytes: bytes, lock_digest: Digest) -> Layer:
    evaluation = make_evaluation(lock, lock_digest).to_json()
    place = (Directory(layout.MOUNTED),) if layers.mounted(lock.files) else ()
    items = (InlineFile(evaluation, layout.EVALUATION), InlineFile(lock_bytes, layout.LOCK))
    return Layer("metadata", "the lock and the evaluation", (*place, *items))


def _config(lock: Lock, python: PurePosixPath, lock_digest: Digest) -> ImageConfig:
    return ImageConfig(
        user=layout.USER,
        workdir=str(layout.WORK),
        entrypoint=(str(python), "-I", "-S", "-B", str(layout.RUNNER / "repro_runner")),
        env={
            "PATH": f"{layout.ENVIRONMENT}/bin:{python.parent}:{_SYSTEM_PATH}",
            "CONDA_PREFIX" if lock.conda else "VIRTUAL_ENV": str(layout.ENVIRONMENT),
            "HOME": "/tmp",  # noqa: S108 - the one directory that is writable for any user in any engine
            **make_evaluation(lock, lock_digest).environment,
        },
        labels=_labels(lock, lock_digest),
    )


def _labels(lock: Lock, lock_digest: Digest) -> dict[str, str]:
    title = PurePosixPath(lock.subject.path).stem
    return {
        "org.opencontainers.image.title": title,
        "org.opencontainers.image.description": f"Reruns {lock.subject.path} and checks its author's numbers",
        "org.opencontainers.image.base.name": lock.base.reference,
        "org.opencontainers.image.base.digest": str(lock.base.digest),
        layout.LABEL_SUBJECT: lock.subject.path,
        layout.LABEL_VERSION: lock.runner.version,
        layout.LABEL_LOCK: str(lock_digest),
        **{
            label: str(files_digest(lock.files, roles))
            for label, roles in _LABELLED.items()
            if any(file.role in roles for file in lock.files)
        },
        **({layout.LABEL_MOUNTED: str(files_digest(mounted))} if (mounted := layers.mounted(lock.files)) else {}),
    }


_LABELLED: dict[str, tuple[Role, ...]] = {
    layout.LABEL_CODE: ("code", "notebook", "config"),
    layout.LABEL_DATA: ("data",),
    layout.LABEL_MODEL: ("model",),
}


def files_digest(files: Iterable[LockedFile], roles: tuple[Role, ...] | None = None) -> Digest:
    """One digest over the files of some roles, or all: sha256 of what `sha256sum` prints for them, sorted by path."""
    lines = sorted((file.path, file.sha256.hex) for file in files if roles is None or file.role in roles)
    return Digest.of("".join(f"{sha256}  {path}\n" for path, sha256 in lines).encode())
