"""The plan itself: which layers an image has, in which order, and what each holds. No disk, no network, no clock."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from repro.digest import Digest
from repro.errors import IntegrityError, UsageError
from repro.lock import Lock, LockedFile, Package, PackageFile, Role
from repro.plan import layout
from repro.plan.evaluation import make_evaluation
from repro.plan.model import (
    BuildPlan,
    Content,
    Directory,
    ImageConfig,
    InlineFile,
    Item,
    Layer,
    Link,
    ProjectFile,
    Unpack,
    Wheel,
)
from repro.plan.runner import runner_digest

LARGE_WHEEL = 3 << 20
"""Wheels of at least this many bytes (about 8 MB installed) get a layer of their own, the largest first …"""
MOST_LARGE = 24
"""… but no more than this many; the rest share `BUCKETS` layers."""
BUCKETS = 8
INSTALLER = "installer"
"""The runner package that builders use to install the others; it stays out of the image."""


_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def make_plan(
    lock: Lock, lock_bytes: bytes, runner_sources: Mapping[str, bytes], target: str | None = None
) -> BuildPlan:
    """The build plan of a lock for one of its targets (the only one when None).

    Args:
        lock: What `lock_bytes` say.
        lock_bytes: The exact lock file, baked into the image; its sha256 is the lock digest.
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
    layers = [
        *_interpreter(lock),
        _environment(lock, python),
        *_wheels(lock.packages, chosen),
        _runner(lock, runner_sources, chosen),
        *_project(lock.files),
        _metadata(lock, lock_bytes, lock_digest),
    ]
    return BuildPlan(
        target=chosen,
        base=lock.base,
        python=python,
        python_version=lock.python.version,
        layers=tuple(layers),
        config=_config(lock, python, lock_digest),
        lock_digest=lock_digest,
        installer=_installer(lock, chosen),
    )


def _target(lock: Lock, target: str | None) -> str:
    if target is None and len(lock.targets) == 1:
        return lock.targets[0]
    if target not in lock.targets:
        raise UsageError(
            f"the lock is for {', '.join(lock.targets)}" + (f", not for {target}" if target else ""),
            where="repro.lock: targets",
            fix="Name one of them with --platform.",
        )
    return target


def _python(lock: Lock, target: str) -> PurePosixPath:
    """The interpreter's path in the image. Raises UsageError when nothing supplies it."""
    wanted, base, packed = lock.python, lock.base, lock.python.packed
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
        _allow_drift(lock, base.python)
    return PurePosixPath(base.python_path)


def _allow_drift(lock: Lock, supplied: str) -> None:
    wanted = lock.python.version
    if minor_version(supplied) != minor_version(wanted):
        raise UsageError(
            f"the base {lock.base.reference} has Python {supplied}; the laptop had {wanted}",
            where="repro.lock: base.python",
            fix=f"Choose a base that has Python {wanted} and capture again; another minor version is never accepted.",
        )
    if not lock.policy.allow_patch_drift:
        raise UsageError(
            f"the base {lock.base.reference} has Python {supplied}; the laptop had {wanted}",
            where="repro.lock: base.python",
            fix=f"Choose a base that has Python {wanted}, capture on Linux, where the interpreter can be packed, "
            "or set allow-patch-drift = true under [python] in repro.toml and capture again.",
        )


def minor_version(version: str) -> str:
    """`3.11` of `3.11.7`."""
    return ".".join(version.split(".")[:2])


def _interpreter(lock: Lock) -> list[Layer]:
    packed = lock.python.packed
    if packed is None:
        return []
    content = Content(packed.sha256, packed.size, packed.name)
    return [Layer("interpreter", f"Python {lock.python.version} as on the laptop", (Unpack(content),))]


def _environment(lock: Lock, python: PurePosixPath) -> Layer:
    """A virtual environment (PEP 405) without anything in it, and the places that runs write to."""
    minor = minor_version(lock.python.version)
    settings = f"home = {python.parent}\ninclude-system-site-packages = false\nversion = {lock.python.version}\n"
    bin_dir = layout.ENVIRONMENT / "bin"
    items: list[Item] = [
        InlineFile(settings.encode(), layout.ENVIRONMENT / "pyvenv.cfg"),
        Link(bin_dir / "python", str(python)),
        Link(bin_dir / "python3", "python"),
        Link(bin_dir / f"python{minor}", "python"),
        Directory(layout.ENVIRONMENT / "lib" / f"python{minor}" / "site-packages"),
        Directory(layout.WORK, 0o1777),
        Directory(layout.OUT, 0o1777),
    ]
    return Layer("environment", "the empty environment", tuple(items))


def _wheels(packages: Iterable[Package], target: str) -> list[Layer]:
    wheels = [wheel for package in packages for wheel in _wheels_of(package, target, layout.ENVIRONMENT)]
    large = sorted((w for w in wheels if w.file.size >= LARGE_WHEEL), key=lambda w: (-w.file.size, w.package))
    alone = sorted(large[:MOST_LARGE], key=lambda wheel: wheel.package)
    shared: defaultdict[int, list[Wheel]] = defaultdict(list)
    for wheel in wheels:
        if wheel not in alone:
            shared[_bucket(wheel.package)].append(wheel)
    return [
        *(Layer(f"wheel-{w.package}", f"{w.package} {w.version}", (w,)) for w in alone),
        *(_bucket_layer(number, shared[number]) for number in sorted(shared)),
    ]


def _bucket_layer(number: int, wheels: Iterable[Wheel]) -> Layer:
    ordered = tuple(sorted(wheels, key=lambda wheel: wheel.package))
    return Layer(f"wheels-{number}", " ".join(f"{w.package} {w.version}" for w in ordered), ordered)


def _wheels_of(package: Package, target: str, prefix: PurePosixPath) -> list[Wheel]:
    return [Wheel(package.name, package.version, file, prefix) for file in package.files if target in file.targets]


def _bucket(name: str) -> int:
    """Rendezvous hashing (Thaler and Ravishankar, 1996): a package stays in its bucket whatever else is installed."""
    weights = [hashlib.sha256(f"{number}/{name}".encode()).digest() for number in range(BUCKETS)]
    return weights.index(max(weights))


def _runner(lock: Lock, sources: Mapping[str, bytes], target: str) -> Layer:
    wheels = [
        wheel
        for package in lock.runner.packages
        if package.name != INSTALLER
        for wheel in _wheels_of(package, target, layout.RUNNER_PACKAGES)
    ]
    home = layout.RUNNER / "repro_runner"
    files = [InlineFile(data, home / path) for path, data in sorted(sources.items())]
    return Layer("runner", f"the runner of repro {lock.runner.version}", (*wheels, *files))


def _installer(lock: Lock, target: str) -> PackageFile:
    for package in lock.runner.packages:
        for file in package.files:
            if package.name == INSTALLER and target in file.targets:
                return file
    raise IntegrityError(
        f"the lock pins no {INSTALLER} for {target}, without which no wheel can be installed",
        where="repro.lock: runner.packages",
        fix="Capture again.",
    )


_LAYER_OF: dict[Role, str] = {"data": "data", "model": "model", "code": "code", "notebook": "code", "config": "code"}


def _project(files: Iterable[LockedFile]) -> list[Layer]:
    layers: defaultdict[str, list[LockedFile]] = defaultdict(list)
    for file in files:
        layers[_LAYER_OF[file.role]].append(file)
    comments = {"data": "data", "model": "the model", "code": "code, notebooks and configuration"}
    return [
        Layer(name, comment, tuple(_project_file(file) for file in sorted(layers[name], key=lambda file: file.path)))
        for name, comment in comments.items()
        if layers[name]
    ]


def _project_file(file: LockedFile) -> ProjectFile:
    content = Content(file.sha256, file.size, file.path)
    return ProjectFile(content, layout.PROJECT / file.path, 0o755 if file.executable else 0o644)


def _metadata(lock: Lock, lock_bytes: bytes, lock_digest: Digest) -> Layer:
    evaluation = make_evaluation(lock, lock_digest).to_json()
    items = (InlineFile(evaluation, layout.EVALUATION), InlineFile(lock_bytes, layout.LOCK))
    return Layer("metadata", "the lock and the evaluation", items)


def _config(lock: Lock, python: PurePosixPath, lock_digest: Digest) -> ImageConfig:
    return ImageConfig(
        user=layout.USER,
        workdir=str(layout.WORK),
        entrypoint=(str(python), "-I", "-S", "-B", str(layout.RUNNER / "repro_runner")),
        env={
            "PATH": f"{layout.ENVIRONMENT}/bin:{python.parent}:{_SYSTEM_PATH}",
            "VIRTUAL_ENV": str(layout.ENVIRONMENT),
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
    }


_LABELLED: dict[str, tuple[Role, ...]] = {
    layout.LABEL_CODE: ("code", "notebook", "config"),
    layout.LABEL_DATA: ("data",),
    layout.LABEL_MODEL: ("model",),
}


def files_digest(files: Iterable[LockedFile], roles: tuple[Role, ...]) -> Digest:
    """One digest over the files of some roles: sha256 of what `sha256sum` prints for them, sorted by path."""
    lines = sorted((file.path, file.sha256.hex) for file in files if file.role in roles)
    return Digest.of("".join(f"{sha256}  {path}\n" for path, sha256 in lines).encode())
