"""The steps of a capture that concern conda's packages, for one environment. What each step does is beside this."""

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from repro.capture.conda.archives import ArchiveFinder
from repro.capture.conda.foreign import foreign_packages, is_foreign
from repro.capture.conda.lock import check_glibc, installed_packages
from repro.capture.conda.mixed import needed_by_pip
from repro.capture.conda.patches import CondaReview, review_conda
from repro.capture.conda.scripts import check_runnable, check_scripts, scripts_of
from repro.capture.config import CondaConfig
from repro.capture.elf import read_elf
from repro.capture.model import Interpreter
from repro.conda.caches import package_caches
from repro.conda.credentials import authenticated, known_credentials
from repro.conda.environment import CondaPrefix
from repro.conda.repodata import Repodata
from repro.errors import InfrastructureError
from repro.http import Session
from repro.lock import Base, CondaPackage
from repro.progress import Progress
from repro.store import ObjectStore, artifact_cache
from repro.words import count

_LIBRARY = ".so"


@dataclass(frozen=True, slots=True)
class CondaStage:
    """What its steps share.

    Attributes:
        interpreter: The captured one.
        config: What repro.toml says of conda.
        store: The project's object store.
        sessions: Gives each thread a session.
        environ: The laptop's variables.
        progress: Told what happens.
        previous: Packages of the lock that is there.
    """

    interpreter: Interpreter
    config: CondaConfig
    store: ObjectStore
    sessions: Callable[[], Session]
    environ: Mapping[str, str]
    progress: Progress
    previous: tuple[CondaPackage, ...] = ()

    def review(self, allow_patched: tuple[str, ...]) -> CondaReview:
        """What is left of each package, and whether that can go into an image. Raises CaptureError where it can't."""
        conda = self.interpreter.conda
        if conda is None:
            return CondaReview()
        told = check_scripts(conda.records, self.config.skip_scripts, self.config.run_scripts)
        review = review_conda(self.interpreter, allow_patched, self.store)
        return replace(review, warnings=(*review.warnings, *told))

    def packages(self, review: CondaReview, targets: tuple[str, ...], base: Base) -> tuple[CondaPackage, ...]:
        """Every target's packages.

        Raises:
            UsageError: The base's C library is too old.
            CaptureError: Packages can't be had again, or are not there for a target, or have scripts that can't be run
                for it.
            InfrastructureError: A channel can't be reached.
            IntegrityError: An archive is not what its channel announces.
        """
        conda = self.interpreter.conda
        if conda is None:
            return ()
        named = {record.name for record in conda.records if scripts_of(record)}
        check_runnable(named.intersection(self.config.run_scripts), targets)
        left = replace(conda, records=tuple(one.record for one in review.contents))
        with tempfile.TemporaryDirectory(prefix="repro-conda-") as folder:
            archives = self._archives(conda, Path(folder))
            return tuple(
                package
                for target in targets
                for package in (
                    self._solved(conda, review, target, base, archives)
                    if is_foreign(left, target)
                    else self._installed(left, review, target, base, archives)
                )
            )

    def authenticated(self) -> Callable[[], Session]:
        """Sessions that know what the user's files, and the addresses of installed packages, say of channels."""
        conda = self.interpreter.conda
        if conda is None:
            return self.sessions
        addresses = (record.url for record in conda.records)
        return authenticated(self.sessions, known_credentials(self.environ, prefix=conda.path, addresses=addresses))

    def _installed(
        self, conda: CondaPrefix, review: CondaReview, target: str, base: Base, archives: ArchiveFinder
    ) -> tuple[CondaPackage, ...]:
        check_glibc(conda.records, base.glibc, base.reference)
        task = self.progress.start("locking conda packages", len(conda.records))
        found = archives.all_of(conda.records)
        task.finish(count(len(found), "package"))
        return installed_packages(
            conda,
            review,
            found,
            target=target,
            skip_scripts=self.config.skip_scripts,
            run_scripts=self.config.run_scripts,
        )

    def _solved(
        self, conda: CondaPrefix, review: CondaReview, target: str, base: Base, archives: ArchiveFinder
    ) -> tuple[CondaPackage, ...]:
        return foreign_packages(
            conda,
            target=target,
            glibc=base.glibc,
            repodata=archives.repodata.file,
            archives=archives,
            progress=self.progress,
            review=review,
            skip_scripts=self.config.skip_scripts,
            run_scripts=self.config.run_scripts,
            may_differ=self.config.may_differ,
            needed=needed_by_pip(self.interpreter, target),
            preferred=self.previous,
        )

    def _archives(self, conda: CondaPrefix, folder: Path) -> ArchiveFinder:
        """What every target's packages are looked for with; indexes are kept in a folder."""
        sessions = self.authenticated()
        return ArchiveFinder(
            caches=package_caches(conda.path, self.environ),
            store=self.store,
            cache=artifact_cache(),
            sessions=sessions,
            repodata=Repodata(sessions, folder),
            progress=self.progress,
        )


def shared_libraries(interpreter: Interpreter) -> frozenset[str]:
    """File names of conda's libraries that wheels find, too.

    The loader looks for them where the program's DT_RPATH points, which conda's Python has, unlike DT_RUNPATH, for
    everything that it loads (ld.so(8)).
    """
    conda = interpreter.conda
    if conda is None or interpreter.system != "Linux" or not _shares(interpreter.executable):
        return frozenset()
    names = (one.path.removeprefix("lib/") for record in conda.records for one in record.paths)
    return frozenset(name for name in names if "/" not in name and _LIBRARY in name)


def _shares(program: Path) -> bool:
    try:
        elf = read_elf(program)
    except (OSError, InfrastructureError):
        return False
    return not elf.runpath and any(os.path.basename(entry.rstrip("/")) == "lib" for entry in elf.rpath)  # noqa: PTH119
