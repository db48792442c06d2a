"""The capture stage: from a notebook or script on a laptop to a lock. Its steps live in the modules beside it."""

import functools
import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from repro_oci.builder import OciBuilder

from repro.capture.absolute import named_root
from repro.capture.baseline import baseline_warnings, make_baseline
from repro.capture.conda.activation import activation
from repro.capture.conda.stage import shared_libraries
from repro.capture.config import Config
from repro.capture.data_profiles import profile_data
from repro.capture.drift import drift, drift_warnings
from repro.capture.evidence import Evidence, gather, gather_stored, subject_sources
from repro.capture.learnt import Facts, Seen
from repro.capture.locating import locate_files, naming_pointers
from repro.capture.metric_places import choose_metrics, locked_places, unread_places
from repro.capture.model import Interpreter, Kernel
from repro.capture.modules import locked_modules
from repro.capture.outputs import Kept, Written, declared_outputs, keep_baseline, stored_outputs
from repro.capture.predict import Predictor, image_options
from repro.capture.project import Previous, Project, left_over, open_project, previous_lock
from repro.capture.request import CaptureRequest, CaptureResult
from repro.capture.review import Review, Tell, nobody, review
from repro.capture.revision import read_revision
from repro.capture.runs.repeat import reruns
from repro.capture.startup import with_import_path
from repro.capture.surroundings import read_environment
from repro.capture.survey import Installed, Survey, engine_or_none, registry_client
from repro.capture.tolerances import check_runs
from repro.capture.variables import secret_warnings, variable_warnings
from repro.files import atomic_write
from repro.lock import (
    Baseline,
    Environment,
    ImageOptions,
    Lock,
    Policy,
    Python,
    lock_body,
    render_lock,
)
from repro.lock import Evidence as LockedEvidence
from repro.plan.evaluation import environment_variables
from repro.progress import Progress
from repro.runner.documents import Evaluation
from repro.store import artifact_cache, run_directory


def capture(
    request: CaptureRequest, progress: Progress, environ: Mapping[str, str] = os.environ, *, tell: Tell = nobody
) -> CaptureResult:
    """Rerun the subject in its own environment and write a lock of everything that it really used.

    Nothing but the lock, the content of declared outputs beside it, and `.repro/` is written, and only when every step
    has succeeded. `tell` hears of findings as soon as there are any, and again after the run.

    Raises:
        UsageError: The subject, its kernel or repro.toml can't be used as it is.
        CaptureError: Something that the run used can't be pinned, it reported no metric, or findings stop it.
        EvaluationError: The subject failed.
        InfrastructureError: No base image, package index or disk space.
        IntegrityError: The lock that is there can't be read.
    """
    started = time.monotonic()
    project = open_project(request)
    previous = previous_lock(project)
    kept = Kept(project.output.with_suffix(".baseline"), previous.compared)
    work = _Capture(project, request, progress, environ, previous, kept, tell)
    seen = work.see()
    lock = work.predicted(seen)
    data = render_lock(lock)
    written = Written(project.root, lock.outputs, seen.directory)
    keep_baseline(kept, written, lock.compared)
    if data != previous.data:
        atomic_write(project.output, data)
    return CaptureResult(
        lock=lock,
        lock_bytes=lock_body(data),
        path=project.output,
        changed=data != previous.data,
        warnings=seen.warnings,
        run_directory=seen.directory,
        repeats=seen.repeats,
        seconds=time.monotonic() - started,
        findings=seen.findings,
    )


@dataclass(frozen=True, slots=True)
class _Capture:
    """One capture under way: the steps share what they were asked for."""

    project: Project
    request: CaptureRequest
    progress: Progress
    environ: Mapping[str, str]
    previous: Previous
    kept: Kept
    tell: Tell = nobody

    def see(self) -> Seen:
        """Take every step, cheap ones and those that need no run first."""
        locked = (self.previous.packages, self.previous.conda)
        survey = Survey(self.project, self.request, self.progress, self.environ, *locked)
        config = self.project.config
        check_runs(config, self.request.runs if self.request.rerun else 0)
        kernel, interpreter = survey.find_python()
        environ = {**self.environ, **kernel.activation}
        environment, warnings = read_environment(environ, allowed=config.env, threads=config.threads)
        reviewed = self._review(kernel, interpreter)
        found = survey.installed(interpreter)
        published = {package.name for package in found.packages if package.origin == "index"}
        published |= {f"conda:{package.name}" for package in found.conda if not package.patched}
        evidence, directory = self._evidence(kernel, interpreter, environment, published, found.python)
        folders = {"root": self.project.root, "workdir": self.project.subject.parent}
        environment = with_import_path(environment, interpreter, evidence.files, evidence.modules, **folders)
        active = activation(kernel, interpreter, environment)
        environment = active.added_to(environment)
        sources = self._sources(evidence)
        facts = self._facts(evidence, kernel, found, sources, directory)
        drifts = drift(self.project.root, interpreter, evidence.modules, sources)
        pinned = {*environment_variables(environment), *active.left_out}
        unseen = variable_warnings(sources, self.environ, kernel.env, pinned)
        told = (*warnings, *found.warnings, *active.warnings, *drift_warnings(drifts), *unseen, *facts.warnings)
        lock = self._lock(found, environment, evidence, facts)
        return Seen(
            lock,
            directory,
            told,
            found.sessions,
            reviewed.settled(evidence),
            evidence.repeats,
            shared_libraries(interpreter),
        )

    def _facts(
        self,
        evidence: Evidence,
        kernel: Kernel,
        found: Installed,
        sources: Sequence[str],
        directory: Path | None,
    ) -> Facts:
        """What follows from the run's evidence."""
        config, root = self.project.config, self.project.root
        located = locate_files(self.project, evidence.files, found.client.file_sessions, self.previous.files)
        laptop, named = named_root(root, sources, evidence.files)
        chosen = choose_metrics(evidence.metrics, config)
        profiled = profile_data(evidence.files, root, kernel.python, config.profiles)
        reasons = (*evidence.warnings, *unread_places(config, evidence.outputs))
        metrics = make_baseline(chosen, config, self.project.path, reasons, evidence.repeats)
        revision = read_revision(root, [file.path for file in evidence.files])
        written = Written(root, evidence.outputs, directory)
        declared = (
            declared_outputs(config.outputs, written, self.kept, self.project.path)
            if self.request.rerun
            else stored_outputs(config.outputs)
        )
        return Facts(
            root=laptop,
            files=located.files,
            metrics=metrics,
            places=locked_places(config, self.project.metrics_files, chosen),
            evidence=LockedEvidence(evidence.machine, revision, profiled.profiles),
            compared=declared.outputs,
            warnings=(
                *named,
                *secret_warnings(root, evidence.files),
                *left_over(self.previous.outputs, evidence.files),
                *located.warnings,
                *evidence.warnings,
                *profiled.notes,
                *declared.warnings,
                *baseline_warnings(metrics, evidence.metrics, config),
            ),
        )

    def _lock(self, found: Installed, environment: Environment, evidence: Evidence, facts: Facts) -> Lock:
        return Lock(
            subject=replace(self.project.lock_subject(), root=facts.root, directories=evidence.directories),
            baseline=Baseline(rerun=self.request.rerun),
            targets=found.targets,
            python=found.python,
            base=found.base,
            environment=environment,
            policy=_policy(self.project.config, facts.places),
            metrics=facts.metrics,
            files=facts.files,
            outputs=evidence.outputs,
            packages=found.packages,
            conda=found.conda,
            runner=found.runner,
            image=image_options(self._image(), found.targets, self.progress),
            modules=locked_modules(evidence.modules, found.packages, found.conda),
            evidence=facts.evidence,
            compared=facts.compared,
        )

    def predicted(self, seen: Seen) -> Lock:
        """The lock with what its images need of the system, and what they will be; builds find them in the cache."""
        predictor = Predictor(
            assembler=OciBuilder(),
            base=None,
            cache=artifact_cache(),
            sessions=seen.sessions,
            engine=functools.cache(lambda: engine_or_none(self.environ)),
            registry=registry_client(self.request.ca_cert),
            progress=self.progress,
            provided=seen.libraries,
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

    def _review(self, kernel: Kernel, interpreter: Interpreter) -> Review:
        env = {**self.environ, **kernel.env}
        return review(self.project, self.request, interpreter, env=env, progress=self.progress, tell=self.tell)

    def _evidence(
        self,
        kernel: Kernel,
        interpreter: Interpreter,
        environment: Environment,
        published: Collection[str],
        python: Python,
    ) -> tuple[Evidence, Path | None]:
        if not self.request.rerun:
            return gather_stored(self.project, interpreter, self.progress), None
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
        again = reruns(project, evaluation, directory, runs=self.request.runs, progress=self.progress)
        with naming_pointers(project.root, directory), again as repeated:
            evidence = gather(
                project,
                interpreter,
                evaluation,
                directory,
                published=published,
                packed=python.supply != "base",
                progress=self.progress,
            )
            evidence = replace(evidence, repeats=repeated(evidence))
        return evidence, directory


def _policy(config: Config, metrics_files: tuple[str, ...]) -> Policy:
    return Policy(
        timeout=config.timeout,
        cell_timeout=config.cell_timeout,
        memory=config.memory,
        allow_patch_drift=config.allow_patch_drift,
        metrics_files=metrics_files,
        metrics_exclude=tuple(sorted(config.metric_excludes)),
    )
