"""The capture stage: from a notebook or script on a laptop to a lock. Its steps live in the modules beside it."""

import functools
import os
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from repro_oci.builder import OciBuilder

from repro import __version__
from repro.capture.base import resolve_base
from repro.capture.baseline import baseline_warnings, make_baseline
from repro.capture.config import Config
from repro.capture.evidence import Evidence, gather, gather_stored, subject_sources
from repro.capture.interpreter import choose_interpreter, platform_of
from repro.capture.kernels import resolve_kernel
from repro.capture.model import Interpreter, Kernel
from repro.capture.packages.choose import abi_tag
from repro.capture.packages.index import IndexClient
from repro.capture.packages.lock_packages import lock_packages
from repro.capture.packages.origins import built_wheel, local_wheel
from repro.capture.packages.runner_packages import lock_runner
from repro.capture.packages.settings import IndexFlags, load_settings
from repro.capture.predict import Predictor, image_options
from repro.capture.probe import probe
from repro.capture.project import Project, open_project, previous_lock
from repro.capture.request import CaptureRequest, CaptureResult
from repro.capture.revision import read_revision
from repro.capture.surroundings import read_environment
from repro.capture.variables import variable_warnings
from repro.engines import DockerEngine, find_docker
from repro.errors import InfrastructureError
from repro.files import atomic_write
from repro.http import Session, session
from repro.lock import (
    Base,
    Baseline,
    Environment,
    ImageOptions,
    Lock,
    Package,
    Policy,
    Python,
    Runner,
    lock_body,
    render_lock,
)
from repro.lock import Evidence as Facts
from repro.plan import runner_digest, runner_sources
from repro.plan.evaluation import environment_variables
from repro.progress import Progress
from repro.registry import Registry
from repro.runner.documents import Evaluation
from repro.store import artifact_cache, project_store, run_directory


def capture(request: CaptureRequest, progress: Progress, environ: Mapping[str, str] = os.environ) -> CaptureResult:
    """Rerun the subject in its own environment and write a lock of everything that it really used.

    Nothing but the lock and `.repro/` is written, and the lock only when every step has succeeded.

    Raises:
        UsageError: The subject, its kernel or repro.toml can't be used as it is.
        CaptureError: Something that the run used can't be pinned, or it reported no metric.
        EvaluationError: The subject failed.
        InfrastructureError: No base image, package index or disk space.
        IntegrityError: The lock that is there can't be read.
    """
    started = time.monotonic()
    project = open_project(request)
    work = _Capture(project, request, progress, environ)
    previous = previous_lock(project)
    seen = work.see()
    lock = work.predicted(seen)
    data = render_lock(lock)
    if data != previous:
        atomic_write(project.output, data)
    return CaptureResult(
        lock=lock,
        lock_bytes=lock_body(data),
        path=project.output,
        changed=data != previous,
        warnings=seen.warnings,
        run_directory=seen.directory,
        seconds=time.monotonic() - started,
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """The lock but for its predictions, the run's directory, warnings, and how to reach the indexes."""

    lock: Lock
    directory: Path | None
    warnings: tuple[str, ...]
    sessions: Callable[[], Session]


@dataclass(frozen=True, slots=True)
class _Capture:
    """One capture under way: the steps share what they were asked for."""

    project: Project
    request: CaptureRequest
    progress: Progress
    environ: Mapping[str, str]

    def see(self) -> _Seen:
        """Take every step, cheap ones and those that need no run first."""
        config = self.project.config
        environment, warnings = read_environment(self.environ, allowed=config.env, threads=config.threads)
        kernel, interpreter = self._find_python()
        targets = self.request.targets or (platform_of(interpreter),)
        base = self._base(interpreter)
        python = self._interpreter(interpreter, base, targets)
        client = self._index(interpreter)
        packages, runner = self._packages(interpreter, base, targets, client)
        published = {package.name for package in packages if package.origin == "index"}
        evidence, directory = self._evidence(kernel, interpreter, environment, published, python)
        sources = self._sources(evidence)
        unseen = variable_warnings(sources, self.environ, kernel.env, environment_variables(environment))
        metrics = make_baseline(evidence.metrics, config, self.project.path, evidence.warnings)
        lock = Lock(
            subject=self.project.lock_subject(),
            baseline=Baseline(rerun=self.request.rerun),
            targets=targets,
            python=python,
            base=base,
            environment=environment,
            policy=_policy(config, _metrics_files(self.project, evidence)),
            metrics=metrics,
            files=evidence.files,
            outputs=evidence.outputs,
            packages=packages,
            runner=runner,
            image=image_options(self._image(), targets, self.progress),
            modules=evidence.modules,
            evidence=Facts(
                machine=evidence.machine,
                revision=read_revision(self.project.root, [file.path for file in evidence.files]),
            ),
        )
        told = (*warnings, *unseen, *evidence.warnings, *baseline_warnings(metrics))
        return _Seen(lock, directory, told, client.file_sessions)

    def predicted(self, seen: _Seen) -> Lock:
        """The lock with what its images need of the system, and what they will be; builds find them in the cache."""
        predictor = Predictor(
            assembler=OciBuilder(),
            base=None,
            cache=artifact_cache(),
            sessions=seen.sessions,
            engine=functools.cache(lambda: _engine(self.environ)),
            registry=self._registry(),
            progress=self.progress,
        )
        asked, lock = self.project.config.system, seen.lock
        if self.request.predict or asked.apt:
            lock = predictor.with_system(lock, self.project.root, asked)
        return predictor.predict(lock, self.project.root) if self.request.predict else lock

    def _image(self) -> ImageOptions:
        chosen = self.project.config.image
        encoding, bytecode = self.request.encoding, self.request.bytecode
        return replace(chosen, encoding=encoding or chosen.encoding, bytecode=bytecode or chosen.bytecode)

    def _sources(self, evidence: Evidence) -> list[str]:
        """The text of the subject and of every local module that it imported."""
        modules = (self.project.root / file.path for file in evidence.files if file.path.endswith(".py"))
        return [*subject_sources(self.project), *(path.read_text("utf-8", errors="replace") for path in modules)]

    def _find_python(self) -> tuple[Kernel, Interpreter]:
        project = self.project
        kernel = resolve_kernel(
            project.subject,
            project.root,
            notebook=project.notebook,
            kernel=project.config.kernel,
            python=self.request.python,
            environ=self.environ,
        )
        interpreter = probe(kernel.python, cwd=project.subject.parent, env={**self.environ, **kernel.env})
        count = len(interpreter.distributions)
        self.progress.note(f"Python {interpreter.version} with {count} packages: {kernel.python} ({kernel.source})")
        return kernel, interpreter

    def _base(self, interpreter: Interpreter) -> Base:
        return resolve_base(
            interpreter,
            configured=self.project.config.base,
            engine=_engine(self.environ),
            progress=self.progress,
            registry=self._registry(),
            root=self.project.root,
            environ=self.environ,
        )

    def _registry(self) -> Registry:
        return Registry(functools.partial(session, ca_cert=self.request.ca_cert))

    def _interpreter(self, interpreter: Interpreter, base: Base, targets: tuple[str, ...]) -> Python:
        return choose_interpreter(
            interpreter,
            base,
            supply=self.project.config.supply,
            allow_patch_drift=self.project.config.allow_patch_drift,
            targets=targets,
            store=project_store(self.project.root),
            progress=self.progress,
        )

    def _index(self, interpreter: Interpreter) -> IndexClient:
        flags = IndexFlags(self.request.index_url, self.request.extra_index_urls, (), self.request.ca_cert)
        settings = load_settings(
            flags=flags,
            config=self.project.config.index,
            prefix=interpreter.prefix,
            environ=self.environ,
            directory=self.project.root,
        )
        return IndexClient(settings, progress=self.progress)

    def _packages(
        self, interpreter: Interpreter, base: Base, targets: tuple[str, ...], client: IndexClient
    ) -> tuple[tuple[Package, ...], Runner]:
        root = self.project.root
        with tempfile.TemporaryDirectory(prefix="repro-wheels-") as folder:
            scratch = Path(folder)
            packages = lock_packages(
                interpreter,
                targets=targets,
                glibc=base.glibc,
                client=client,
                local_wheels=lambda one: local_wheel(one, interpreter, root, scratch),
                built_wheels=lambda one: built_wheel(one, interpreter, scratch),
                store=project_store(root),
                progress=self.progress,
            )
        abi = abi_tag(interpreter.implementation, interpreter.soabi)
        own = lock_runner(interpreter.version, targets, base.glibc, client, abi=abi)
        return packages, Runner(__version__, runner_digest(runner_sources()), own)

    def _evidence(
        self,
        kernel: Kernel,
        interpreter: Interpreter,
        environment: Environment,
        published: Collection[str],
        python: Python,
    ) -> tuple[Evidence, Path | None]:
        if not self.request.rerun:
            return gather_stored(self.project, interpreter), None
        project, config = self.project, self.project.config
        evaluation = Evaluation(
            kind=project.kind,
            path=project.path,
            args=config.args,
            python=str(kernel.python),
            python_version=interpreter.version,
            environment={**kernel.env, **environment_variables(environment)},
            timeout=config.timeout,
            cell_timeout=config.cell_timeout,
            metrics_files=project.metrics_files,
        )
        directory = run_directory(project.root, "capture")
        evidence = gather(
            project,
            interpreter,
            evaluation,
            directory,
            published=published,
            packed=python.packed is not None,
            progress=self.progress,
        )
        return evidence, directory


def _engine(environ: Mapping[str, str]) -> DockerEngine | None:
    """An engine when there is one: capture only asks it for base images, and a laptop may have none."""
    try:
        return find_docker(environ)
    except InfrastructureError:
        return None


def _metrics_files(project: Project, evidence: Evidence) -> tuple[str, ...]:
    """Those that the author names, else those that metrics were found in."""
    if project.config.metrics_files is not None:
        return project.config.metrics_files
    sources = {metric.source for metric in evidence.metrics}
    return tuple(path for path in project.metrics_files if path in sources)


def _policy(config: Config, metrics_files: tuple[str, ...]) -> Policy:
    return Policy(
        timeout=config.timeout,
        cell_timeout=config.cell_timeout,
        memory=config.memory,
        allow_patch_drift=config.allow_patch_drift,
        metrics_files=metrics_files,
    )
