"""Lock → canonical bytes. Same lock, same bytes: fixed order, one style, Unix line ends, UTF-8, no timestamps."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from repro.lock.body import SEPARATOR
from repro.lock.compared import ComparedOutput
from repro.lock.conda import conda_in_order, render_conda
from repro.lock.evidence_writer import in_order, render_evidence
from repro.lock.metric import Metric
from repro.lock.model import (
    SCHEMA_VERSION,
    Environment,
    Lock,
    LockedFile,
    Package,
    PackageFile,
    Policy,
    PredictedImage,
    PredictedLayer,
    Python,
    SystemPackage,
)
from repro.lock.toml import inline, pairs, table, wrapped

_HEADER = """\
# Written by `repro capture`. Commit it and review it; never edit it by hand: the sha256 of everything
# but the predictions at its end is the identity that images, verdicts and statements carry.
"""


def render_lock(lock: Lock) -> bytes:
    """The canonical bytes of a lock file (docs/formats/lock.md): the body, and the predictions where there are some.

    The order of the lock's collections doesn't matter, but for the layers of a predicted image.
    """
    predicted = "".join(_predicted(image) for image in canonical(lock).predicted)
    return render_body(lock) + (f"{SEPARATOR}\n{predicted}".encode() if predicted else b"")


def render_body(lock: Lock) -> bytes:
    """The body alone: what the lock digest covers and images carry."""
    return "".join([_HEADER, *_sections(canonical(lock))]).encode()


def canonical(lock: Lock) -> Lock:
    """The same lock with every collection in its canonical order."""
    return replace(
        lock,
        subject=replace(lock.subject, directories=tuple(sorted(lock.subject.directories))),
        targets=tuple(sorted(lock.targets)),
        metrics=tuple(sorted(lock.metrics, key=lambda metric: metric.name)),
        files=tuple(sorted(lock.files, key=lambda file: file.path)),
        outputs=tuple(sorted(lock.outputs)),
        compared=tuple(sorted(lock.compared, key=lambda output: output.path)),
        packages=_packages(lock.packages),
        runner=replace(lock.runner, packages=_packages(lock.runner.packages)),
        system=tuple(sorted(lock.system, key=lambda package: (package.target, package.name))),
        conda=conda_in_order(lock.conda),
        modules={name: tuple(sorted(lock.modules[name])) for name in sorted(lock.modules) if lock.modules[name]},
        evidence=in_order(lock.evidence),
        predicted=tuple(sorted(lock.predicted, key=lambda image: image.target)),
    )


def _packages(packages: Iterable[Package]) -> tuple[Package, ...]:
    ordered = sorted(packages, key=lambda package: (package.name, package.version))
    return tuple(
        replace(package, files=tuple(sorted(package.files, key=lambda file: file.name))) for package in ordered
    )


def _sections(lock: Lock) -> Iterator[str]:
    yield pairs({"version": SCHEMA_VERSION, "targets": lock.targets, "outputs": lock.outputs})
    yield from _evaluation(lock)
    yield from _python(lock.python)
    yield from _image(lock)
    yield from _surroundings(lock.environment, lock.policy)
    yield from (_metric(metric) for metric in lock.metrics)
    yield from (_compared(output) for output in lock.compared)
    yield from (_file(file) for file in lock.files)
    yield from (_system(package) for package in lock.system)
    yield from (render_conda(package) for package in lock.conda)
    yield from (_package("packages", package) for package in lock.packages)
    yield table("runner", {"version": lock.runner.version, "sha256": lock.runner.sha256.hex})
    yield from (_package("runner.packages", package) for package in lock.runner.packages)
    yield from render_evidence(lock.evidence)
    if lock.modules:
        yield table("modules", {}) + "".join(wrapped(name, names) for name, names in lock.modules.items())


def _evaluation(lock: Lock) -> Iterator[str]:
    subject = lock.subject
    yield table(
        "subject",
        {
            "kind": subject.kind,
            "path": subject.path,
            "kernel": subject.kernel,
            "args": subject.args or None,
            "root": subject.root,
            "directories": subject.directories or None,
        },
    )
    yield table("baseline", {"rerun": lock.baseline.rerun})


def _python(python: Python) -> Iterator[str]:
    yield table("python", {"implementation": python.implementation, "version": python.version, "supply": python.supply})
    if packed := python.packed:
        yield table(
            "python.packed",
            {
                "name": packed.name,
                "sha256": packed.sha256.hex,
                "size": packed.size,
                "glibc": packed.glibc,
                "target": packed.target,
            },
        )


def _image(lock: Lock) -> Iterator[str]:
    base = lock.base
    yield table(
        "base",
        {
            "reference": base.reference,
            "digest": str(base.digest),
            "source": base.source,
            "python": base.python,
            "python-path": base.python_path,
            "glibc": base.glibc,
        },
    )
    image = lock.image
    compiled = None if image.compiled is None else tuple(sorted(image.compiled))
    yield table("image", {"encoding": image.encoding, "bytecode": image.bytecode, "compiled": compiled})


def _surroundings(environment: Environment, policy: Policy) -> Iterator[str]:
    yield table(
        "environment",
        {"timezone": environment.timezone, "locale": environment.locale, "threads": environment.threads},
    )
    yield table("environment.variables", dict(sorted(environment.variables.items())))
    yield table(
        "policy",
        {
            "timeout": policy.timeout,
            "cell-timeout": policy.cell_timeout,
            "memory": policy.memory,
            "allow-patch-drift": policy.allow_patch_drift,
            "metrics-files": policy.metrics_files,
            "metrics-exclude": policy.metrics_exclude or None,
        },
    )


def _metric(metric: Metric) -> str:
    tolerance = metric.tolerance
    return table(
        "[metrics]",
        {
            "name": metric.name,
            "value": metric.value,
            "source": metric.source,
            "direction": metric.direction,
            "absolute": tolerance.absolute,
            "relative": tolerance.relative,
            "ulp": tolerance.ulp,
            "digits": tolerance.digits,
            "samples": tolerance.samples,
            "flips": tolerance.flips or None,
            "band": tolerance.band or None,
            "accept-improvement": metric.accept_improvement or None,
            "min": metric.gates.minimum,
            "max": metric.gates.maximum,
            "runs": metric.runs or None,
        },
    )


def _compared(output: ComparedOutput) -> str:
    return table(
        "[compared-outputs]",
        {
            "path": output.path,
            "kind": output.kind,
            "sha256": output.sha256.hex,
            "size": output.size,
            "absolute": output.absolute,
            "relative": output.relative,
            "key": output.key or None,
            "sanitize": output.sanitize or None,
            "gate": None if output.gate else False,
        },
    )


def _file(file: LockedFile) -> str:
    return table(
        "[files]",
        {
            "path": file.path,
            "role": file.role,
            "sha256": file.sha256.hex,
            "size": file.size,
            "executable": file.executable or None,
            "mount": file.mount or None,
            "source": file.source,
        },
    )


def _system(package: SystemPackage) -> str:
    return table(
        "[system]",
        {
            "name": package.name,
            "version": package.version,
            "architecture": package.architecture,
            "target": package.target,
            "url": package.url,
            "sha256": package.sha256.hex,
            "size": package.size,
            "reason": package.reason,
            "skip-scripts": package.skip_scripts or None,
        },
    )


def _package(section: str, package: Package) -> str:
    head = table(
        f"[{section}]",
        {
            "name": package.name,
            "version": package.version,
            "origin": package.origin,
            "source": package.source,
            "requested": package.requested or None,
            "patched": tuple(sorted(package.patched)) or None,
        },
    )
    lines = "".join(f"  {_package_file(file)},\n" for file in package.files)
    return f"{head}files = [\n{lines}]\n"


def _package_file(file: PackageFile) -> str:
    return inline(
        {
            "name": file.name,
            "url": file.url,
            "sha256": file.sha256.hex,
            "size": file.size,
            "targets": file.targets,
        }
    )


def _predicted(image: PredictedImage) -> str:
    head = table(
        "[predicted]",
        {
            "target": image.target,
            "format": image.format,
            "config": str(image.config),
            "manifest": None if image.manifest is None else str(image.manifest),
        },
    )
    lines = "".join(f"  {_predicted_layer(layer)},\n" for layer in image.layers)
    return f"{head}layers = [\n{lines}]\n"


def _predicted_layer(layer: PredictedLayer) -> str:
    return inline(
        {
            "name": layer.name,
            "diff-id": str(layer.diff_id),
            "blob": None if layer.blob is None else str(layer.blob),
            "size": layer.size,
        }
    )
