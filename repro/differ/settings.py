"""What a project's settings make of a lock: everything that capture takes from repro.toml and no run decides.

What capture's command line can say over them is only claimed where they say it themselves: a lock doesn't tell flags.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from repro.capture.conda.scripts import decided
from repro.capture.config import DEFAULT_TIMEOUT, Config, MetricPolicy
from repro.capture.metric_places import is_excluded, locked_places, metric_places
from repro.capture.mounts import mark_mounted
from repro.capture.roles import matches, role_of
from repro.capture.tolerances import DEFAULT, Measures, policy_problems, tolerance_of, wants_band
from repro.http import session
from repro.lock import (
    Base,
    CondaPackage,
    Environment,
    ImageOptions,
    Lock,
    LockedFile,
    Metric,
    MetricValue,
    Policy,
    Python,
    SystemPackage,
    Tolerance,
)
from repro.lock.metric_fields import LEAST_RUNS
from repro.oci.locations import is_location
from repro.registry import parse_name
from repro.runner.documents import MeasuredMetric
from repro.sources.declared import Declared
from repro.sources.mlflow import SCHEMES
from repro.sources.uri import scheme_of

_OWN_VARIABLES = frozenset({"PYTHONHASHSEED", "PYTHONPATH"})
"""What capture sets by itself."""
_SUPPLIES = {"base": "base", "pack": "packed"}


@dataclass(frozen=True, slots=True)
class Settled:
    """A lock under the settings.

    Attributes:
        lock: As a capture with these settings would write it, had nothing else changed.
        notes: What the lock says and the settings don't, or the other way round, though both may be right.
        faults: What capture would refuse.
    """

    lock: Lock
    notes: tuple[str, ...]
    faults: tuple[str, ...]


def settled(lock: Lock, config: Config, root: Path, environ: Mapping[str, str]) -> Settled:
    """Apply the settings to a lock. Nothing is run, and nobody is asked.

    Args:
        lock: The lock.
        config: The settings.
        root: Project root.
        environ: Values of variables that the settings allow.
    """
    changed = replace(
        lock,
        subject=replace(lock.subject, args=config.args or lock.subject.args),
        policy=_policy(lock, config),
        metrics=tuple(_metrics(lock.metrics, config)),
        files=_files(lock.files, config, root),
        environment=_environment(lock.environment, config, environ, activation_variables(lock, config)),
        image=_image(lock.image, config.image),
        python=_python(lock.python, config),
        base=_base(lock.base, config.base),
        system=tuple(_system(lock.system, config)),
        conda=tuple(_conda(lock.conda, config)),
    )
    return Settled(changed, tuple(_notes(lock, config)), tuple(_faults(lock, config)))


def _policy(lock: Lock, config: Config) -> Policy:
    measured = [MeasuredMetric(one.name, one.value, one.source) for one in lock.metrics]
    places = locked_places(config, metric_places(config, lock.subject.path), measured)
    return replace(
        lock.policy,
        timeout=lock.policy.timeout if config.timeout == DEFAULT_TIMEOUT else config.timeout,
        cell_timeout=config.cell_timeout or lock.policy.cell_timeout,
        memory=config.memory,
        allow_patch_drift=config.allow_patch_drift,
        metrics_files=places,
        metrics_exclude=_excludes(lock, config),
    )


def _excludes(lock: Lock, config: Config) -> tuple[str, ...]:
    """Locks of formats before 1.3 don't say them: what excludes nothing that is locked is not missed in those."""
    if not lock.policy.metrics_exclude and not any(is_excluded(one.name, config) for one in lock.metrics):
        return ()
    return tuple(sorted(config.metric_excludes))


def _metrics(metrics: tuple[Metric, ...], config: Config) -> Iterator[Metric]:
    known = {metric.name: metric.value for metric in metrics}
    for metric in metrics:
        if not is_excluded(metric.name, config):
            policy = config.metric_policies.get(metric.name, MetricPolicy())
            yield replace(
                metric,
                direction=policy.direction,
                tolerance=_tolerance(metric, policy, known),
                accept_improvement=policy.accept_improvement,
                gates=policy.gates,
            )


def _tolerance(metric: Metric, policy: MetricPolicy, known: Mapping[str, MetricValue]) -> Tolerance:
    """What the author says; where that is nothing, anything that could have been suggested stays as it is."""
    locked = metric.tolerance
    suggested = {Tolerance(), DEFAULT, Tolerance(digits=locked.digits), Tolerance(samples=locked.samples)}
    if (policy.tolerance is None and locked in suggested) or _lacks_runs(metric, policy):
        return locked
    measured = MeasuredMetric(metric.name, metric.value, metric.source, locked.digits)
    return tolerance_of(Measures(measured, metric.runs), policy, known)


def _files(files: tuple[LockedFile, ...], config: Config, root: Path) -> tuple[LockedFile, ...]:
    rules = config.files
    kept = [file for file in files if not matches(file.path, rules.exclude)]
    ruled = [replace(file, role=role_of(file.path, rules, imported=file.role == "code")) for file in kept]
    said = Declared(
        {key: value for key, value in config.sources.items() if scheme_of(value) not in SCHEMES}, root, session
    )
    placed = [replace(file, source=said.source_of(file.path) or file.source) for file in ruled]
    return mark_mounted(placed, rules.mount)


def activation_variables(lock: Lock, config: Config) -> Mapping[str, str]:
    """Locked variables that activating a conda environment may have set: its scripts would have to be run to tell."""
    variables = lock.environment.variables if lock.conda else {}
    return {name: value for name, value in variables.items() if name not in {*_OWN_VARIABLES, *config.env}}


def _environment(
    environment: Environment, config: Config, environ: Mapping[str, str], active: Mapping[str, str]
) -> Environment:
    known = {*_OWN_VARIABLES, *config.env, *active}
    kept = {name: value for name, value in environment.variables.items() if name in known}
    new = {name: environ.get(name, "not set here") for name in config.env if name not in kept}
    return replace(environment, threads=config.threads or environment.threads, variables={**kept, **new})


def _image(locked: ImageOptions, said: ImageOptions) -> ImageOptions:
    default = ImageOptions()
    return replace(
        locked,
        encoding=locked.encoding if said.encoding == default.encoding else said.encoding,
        bytecode=locked.bytecode if said.bytecode == default.bytecode else said.bytecode,
    )


def _python(locked: Python, config: Config) -> Python:
    wanted = _SUPPLIES.get(config.supply, locked.supply)
    if wanted == locked.supply:
        return locked
    return replace(locked, supply="base" if wanted == "base" else "packed", packed=None)


def _base(locked: Base, wanted: str | None) -> Base:
    """The base under the name that the settings give it, where that is another one."""
    if wanted is None or is_location(wanted) or locked.digest.hex.startswith(wanted.removeprefix("sha256:")):
        return locked
    name = parse_name(wanted)
    same = locked.reference in {wanted, name.name} and name.digest in {None, locked.digest}
    return locked if same else replace(locked, reference=wanted)


def _system(packages: tuple[SystemPackage, ...], config: Config) -> Iterator[SystemPackage]:
    asked = dict(one.partition("=")[::2] for one in config.system.apt)
    for one in packages:
        if one.reason != "asked" or one.name in asked:
            skip = one.skip_scripts and one.name in config.system.skip_scripts
            yield replace(one, version=asked.get(one.name) or one.version, skip_scripts=skip)


def _conda(packages: tuple[CondaPackage, ...], config: Config) -> Iterator[CondaPackage]:
    """With what is said of scripts; of which nothing is said stay as they are, and are faults."""
    for one in packages:
        said = one.scripts and decided(one.name, config.conda.skip_scripts, config.conda.run_scripts)
        yield replace(one, scripts=said or one.scripts)


def _notes(lock: Lock, config: Config) -> Iterator[str]:
    policy, own = lock.policy, "given on capture's command line, or taken out of the settings since"
    if config.timeout == DEFAULT_TIMEOUT != policy.timeout:
        yield f"timeout: the lock has {policy.timeout:g} s, which the settings don't say: {own}"
    if config.cell_timeout is None and policy.cell_timeout is not None:
        yield f"cell-timeout: the lock has {policy.cell_timeout:g} s, which the settings don't say: {own}"
    if lock.subject.args and not config.args:
        yield f"arguments: the lock has {' '.join(lock.subject.args)}, which the settings don't say: {own}"
    active = sorted(activation_variables(lock, config))
    if active:
        said = "set by activating the conda environment, or taken out of the settings since"
        yield f"variables: {', '.join(active)} in the lock, which the settings don't say: {said}"
    mounted = [file.path for file in lock.files if file.mount and not matches(file.path, config.files.mount)]
    if mounted:
        yield f"mount: {', '.join(mounted[:3])} stays out of the image, which the settings don't say: {own}"
    known = {one.name for one in lock.system}
    for text in config.system.apt:
        if text.partition("=")[0] not in known:
            yield f"apt: {text} is not in the lock, and needn't be where the base image has it"


def _faults(lock: Lock, config: Config) -> Iterator[str]:
    names = {metric.name for metric in lock.metrics}
    for name in sorted(config.metric_policies.keys() - names):
        yield f"[metrics.policy.{name}]: the lock has no metric of this name"
    ruled = {*config.conda.skip_scripts, *config.conda.run_scripts}
    for name in sorted({one.name for one in lock.conda if one.scripts} - ruled):
        yield f"[conda]: neither skip-scripts nor run-scripts names {name}, which has a script that runs after linking"
    for metric in lock.metrics:
        policy = config.metric_policies.get(metric.name, MetricPolicy())
        if _lacks_runs(metric, policy):
            had = 1 + len(metric.runs)
            yield f"{metric.name}: a band takes {LEAST_RUNS} runs, and the lock has {had}: capture with --runs 5"
        else:
            measured = MeasuredMetric(metric.name, metric.value, metric.source)
            yield from policy_problems(Measures(measured, metric.runs), policy)


def _lacks_runs(metric: Metric, policy: MetricPolicy) -> bool:
    """Whether a band is asked for, and too few runs were made for one."""
    return wants_band(policy) and 1 + len(metric.runs) < LEAST_RUNS
