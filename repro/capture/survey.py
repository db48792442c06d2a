"""What the laptop has installed, as the lock pins it: kernel, interpreter, base image, packages. Nothing is run yet."""

import functools
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from repro import __version__
from repro.capture.base import image_platform, resolve_base
from repro.capture.conda.activation import activated
from repro.capture.conda.installed import counted_packages, names_conda_package, with_conda, without_conda
from repro.capture.conda.mixed import provided_distributions
from repro.capture.conda.stage import CondaStage
from repro.capture.copies import review_copies
from repro.capture.environments import entered
from repro.capture.interpreter import choose_interpreter, refuse_other_python
from repro.capture.kernels import resolve_kernel
from repro.capture.loose import loose_packages
from repro.capture.model import Interpreter, Kernel
from repro.capture.originals import published_in
from repro.capture.packages.choose import abi_tag
from repro.capture.packages.index import IndexClient
from repro.capture.packages.lock_packages import lock_packages
from repro.capture.packages.origins import built_wheel, local_wheel
from repro.capture.packages.runner_packages import lock_runner
from repro.capture.packages.settings import IndexFlags, load_settings
from repro.capture.packages.stand_ins import StandIns
from repro.capture.packages.variants import with_variants
from repro.capture.patched import Patches, review_patches
from repro.capture.probe import probe
from repro.capture.project import Project
from repro.capture.request import CaptureRequest
from repro.capture.startup import startup_warnings
from repro.engines import DockerEngine, find_docker
from repro.errors import InfrastructureError
from repro.http import Session, session
from repro.lock import Base, CondaPackage, Package, Python, Runner
from repro.plan import runner_digest, runner_sources
from repro.progress import Progress
from repro.registry import Registry
from repro.store import project_store


@dataclass(frozen=True, slots=True)
class Installed:
    """Everything that is pinned before the run.

    Attributes:
        targets: Platforms of the images.
        base: What they are made on.
        python: What supplies their interpreter.
        packages: The environment, but for what conda brought.
        conda: What conda brought.
        runner: What runs the evaluation there.
        client: How to reach the indexes.
        sessions: Gives each thread a session that knows who we are, for indexes and channels.
        warnings: For the author.
    """

    targets: tuple[str, ...]
    base: Base
    python: Python
    packages: tuple[Package, ...]
    conda: tuple[CondaPackage, ...]
    runner: Runner
    client: IndexClient
    sessions: Callable[[], Session]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Survey:
    """Looks at one laptop.

    Attributes:
        project: What is captured.
        request: What was asked for.
        progress: Told what happens.
        environ: The laptop's variables.
        previous: Packages of the lock that is there, by name.
        previous_conda: Conda packages of that.
    """

    project: Project
    request: CaptureRequest
    progress: Progress
    environ: Mapping[str, str]
    previous: Mapping[str, Package]
    previous_conda: tuple[CondaPackage, ...] = ()

    def installed(self, interpreter: Interpreter) -> Installed:
        """Pin what is installed. Raises as `repro.capture.capture.capture` does."""
        client = self._index(interpreter)  # first, because it costs nothing to find that its settings are wrong
        warnings = (*review_copies(interpreter), *startup_warnings(interpreter))
        targets = self.request.targets or (image_platform(interpreter),)
        stage, allowed = self._conda(interpreter, client), self.project.config.allow_patched
        reviewed = stage.review(allowed)
        base = self._base(interpreter, targets)
        python = self._interpreter(interpreter, base, targets)
        others = tuple(name for name in allowed if not names_conda_package(interpreter, name))
        rest = without_conda(interpreter)
        patches = review_patches(rest, others, published_in(client, self.progress))
        conda = stage.packages(reviewed, targets, base)
        provided = {
            target: provided_distributions(interpreter, (one for one in conda if one.target == target))
            for target in targets
        }
        packages, runner = self._packages(rest, base, targets, client, patches, provided=provided)
        return Installed(
            targets=targets,
            base=base,
            python=python,
            packages=packages,
            conda=conda,
            runner=runner,
            client=client,
            sessions=stage.authenticated(),
            warnings=(*warnings, *reviewed.warnings, *patches.warnings),
        )

    def find_python(self) -> tuple[Kernel, Interpreter]:
        """The kernel that the subject asks for, and what its interpreter says of itself."""
        project = self.project
        kernel = resolve_kernel(
            project.subject,
            project.root,
            notebook=project.notebook,
            kernel=project.config.kernel,
            python=self.request.python,
            environ=self.environ,
        )
        kernel = entered(activated(kernel, self.environ, self.progress), self.environ)
        seen = probe(kernel.python, cwd=project.subject.parent, env={**self.environ, **kernel.env})
        interpreter = with_conda(seen, self.progress)
        self.progress.note(
            f"Python {interpreter.version} with {counted_packages(interpreter)}: {kernel.python} ({kernel.source})"
        )
        return kernel, interpreter

    def _conda(self, interpreter: Interpreter, client: IndexClient) -> CondaStage:
        return CondaStage(
            interpreter=interpreter,
            config=self.project.config.conda,
            store=project_store(self.project.root),
            sessions=client.file_sessions,
            environ=self.environ,
            progress=self.progress,
            previous=self.previous_conda,
        )

    def _base(self, interpreter: Interpreter, targets: tuple[str, ...]) -> Base:
        return resolve_base(
            interpreter,
            configured=self.project.config.base,
            engine=engine_or_none(self.environ),
            progress=self.progress,
            registry=registry_client(self.request.ca_cert),
            root=self.project.root,
            environ=self.environ,
            targets=targets,
        )

    def _interpreter(self, interpreter: Interpreter, base: Base, targets: tuple[str, ...]) -> Python:
        supply, drift = self.project.config.supply, self.project.config.allow_patch_drift
        python = choose_interpreter(
            interpreter,
            base,
            supply=supply,
            allow_patch_drift=drift,
            targets=targets,
            store=project_store(self.project.root),
            progress=self.progress,
        )
        refuse_other_python(python, base, interpreter, supply=supply, allow_patch_drift=drift, targets=targets)
        return python

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
        self,
        interpreter: Interpreter,
        base: Base,
        targets: tuple[str, ...],
        client: IndexClient,
        patches: Patches,
        *,
        provided: Mapping[str, Mapping[str, str]],
    ) -> tuple[tuple[Package, ...], Runner]:
        root = self.project.root
        with tempfile.TemporaryDirectory(prefix="repro-wheels-") as folder:
            scratch = Path(folder)
            packages = lock_packages(
                with_variants(interpreter, self.project.config.variants, self.progress),
                targets=targets,
                glibc=base.glibc,
                client=client,
                local_wheels=patches.wheels(
                    lambda one: local_wheel(one, interpreter, root, scratch, dirty=self.project.config.dirty_source),
                    lambda one: built_wheel(one, interpreter, scratch),
                ),
                built_wheels=StandIns(interpreter, scratch, client, project_store(root), self.previous).make,
                preferred={package.name: package.version for package in self.previous.values()},
                provided=provided,
                store=project_store(root),
                progress=self.progress,
            )
            allowed = self.project.config.allow_loose
            loose = loose_packages(interpreter, allowed, targets=targets, store=project_store(root), scratch=scratch)
        abi = abi_tag(interpreter.implementation, interpreter.soabi)
        own = lock_runner(interpreter.version, targets, base.glibc, client, abi=abi)
        together = tuple(sorted((*patches.marked(packages), *loose), key=lambda package: package.name))
        return together, Runner(__version__, runner_digest(runner_sources()), own)


def registry_client(ca_cert: Path | None) -> Registry:
    """A client for registries that trusts what was asked for."""
    return Registry(functools.partial(session, ca_cert=ca_cert))


def engine_or_none(environ: Mapping[str, str]) -> DockerEngine | None:
    """An engine when there is one: capture only asks it for base images, and a laptop may have none."""
    try:
        return find_docker(environ)
    except InfrastructureError:
        return None
