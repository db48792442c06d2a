"""What the laptop has installed, as the lock pins it: kernel, interpreter, base image, packages. Nothing is run yet."""

import functools
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from repro import __version__
from repro.capture.base import image_platform, resolve_base
from repro.capture.copies import review_copies
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
from repro.http import session
from repro.lock import Base, Package, Python, Runner
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
        packages: The environment.
        runner: What runs the evaluation there.
        client: How to reach the indexes.
        warnings: For the author.
    """

    targets: tuple[str, ...]
    base: Base
    python: Python
    packages: tuple[Package, ...]
    runner: Runner
    client: IndexClient
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
    """

    project: Project
    request: CaptureRequest
    progress: Progress
    environ: Mapping[str, str]
    previous: Mapping[str, Package]

    def installed(self, interpreter: Interpreter) -> Installed:
        """Pin what is installed. Raises as `repro.capture.capture.capture` does."""
        client = self._index(interpreter)  # first, because it costs nothing to find that its settings are wrong
        warnings = (*review_copies(interpreter), *startup_warnings(interpreter))
        targets = self.request.targets or (image_platform(interpreter),)
        base = self._base(interpreter, targets)
        python = self._interpreter(interpreter, base, targets)
        allowed = self.project.config.allow_patched
        patches = review_patches(interpreter, allowed, published_in(client, self.progress))
        packages, runner = self._packages(interpreter, base, targets, client, patches)
        return Installed(targets, base, python, packages, runner, client, (*warnings, *patches.warnings))

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
        interpreter = probe(kernel.python, cwd=project.subject.parent, env={**self.environ, **kernel.env})
        count = len(interpreter.distributions)
        self.progress.note(f"Python {interpreter.version} with {count} packages: {kernel.python} ({kernel.source})")
        return kernel, interpreter

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
        self, interpreter: Interpreter, base: Base, targets: tuple[str, ...], client: IndexClient, patches: Patches
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
