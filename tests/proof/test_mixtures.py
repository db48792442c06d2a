"""Images of mixed locks, assembled without an engine: what they share, and which can't be made."""

from dataclasses import replace
from pathlib import Path

import pytest

from repro.build import Sources
from repro.digest import Digest
from repro.engines import DockerEngine
from repro.errors import IntegrityError
from repro.lock import Package, PackageFile, render_body
from repro.oci.write_layout import write_layout
from repro.progress import Silent
from repro.proof.mixtures import CannotMixError, Mixtures, Side
from repro.store import project_store
from tests.builders import projects
from tests.proof.wheelhouse import make_wheel
from tests.repro_oci import forged

SCRIPT = b"print(1)\n"


class Desk:
    """Two projects, each with its own store of wheels, on a base in a layout."""

    def __init__(self, home: Path) -> None:
        self.home = home
        base = forged.base()
        self.base = home / "base"
        write_layout([base], self.base, references=["base:1"])
        self.digest = Digest.of(base.manifest)
        (home / "wheels").mkdir()
        self.installer = projects.package(make_wheel(home / "wheels", "installer", "1.0.1"))

    def side(self, name: str, *packages: Package) -> Side:
        root = self.home / name
        projects.write_files(root, {"evaluate.py": SCRIPT})
        lock = projects.make_lock(
            projects.NO_IMAGE, self.installer, files=[projects.locked("evaluate.py", SCRIPT)], packages=packages
        )
        lock = replace(lock, base=replace(lock.base, digest=self.digest, source="layout"))
        return Side(root, lock, render_body(lock))

    def wheel(self, version: str, name: str, value: float = 0.0, *, stored: str = "", module: str = "") -> Package:
        """A package whose wheel has a URL, or is only in a project's store."""
        folder = self.home / "wheels" / version
        folder.mkdir(exist_ok=True)
        path = make_wheel(folder, name, version, value, module=module)
        if not stored:
            return projects.package(path)
        with project_store(self.home / stored).incoming() as incoming:
            incoming.write(path.read_bytes())
        file = PackageFile(path.name, Digest.of_file(path), path.stat().st_size, None, (projects.TARGET,))
        return Package(name, version, "local", "wheels", (file,))

    def mixtures(self, one: Side, other: Side) -> Mixtures:
        sources = Sources(base=f"oci:{self.base}", find=no_engine)
        return Mixtures(one, other, projects.TARGET, sources, Silent())


def no_engine() -> DockerEngine:
    raise AssertionError


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def names(*chosen: str) -> frozenset[str]:
    return frozenset(chosen)


def test_mixtures_share_all_layers_but_those_that_differ(desk: Desk) -> None:
    """Small wheels are in groups: another version of one leaves the groups of all others as they are."""
    packages = [desk.wheel("1.0", f"tiny{number}") for number in range(12)]
    newer = [desk.wheel("2.0", f"tiny{number}", 1.0) for number in range(12)]
    mixtures = desk.mixtures(desk.side("one", *packages), desk.side("other", *newer))
    plain, _ = mixtures.image(names())
    mixed, _ = mixtures.image(names("tiny3"))
    different = set(mixed.diff_ids) - set(plain.diff_ids)
    assert len(different) == 2, "one group of wheels, and the lock"
    assert len(set(mixed.diff_ids) & set(plain.diff_ids)) >= 3


def test_wheels_come_from_the_store_that_has_them(desk: Desk) -> None:
    """Each project keeps what was built from its own environment, and nobody else has it."""
    one = desk.side("one", desk.wheel("1.0", "mine", stored="one"), desk.wheel("1.0", "ours"))
    other = desk.side("other", desk.wheel("2.0", "mine", stored="other"), desk.wheel("2.0", "ours"))
    mixtures = desk.mixtures(one, other)
    digests = {mixtures.image(chosen)[1] for chosen in (names(), names("mine"), names("ours"), names("mine", "ours"))}
    assert len(digests) == 4


def test_packages_that_bring_the_same_file_can_not_be_mixed(desk: Desk) -> None:
    """One was renamed to the other: A has the old name, B the new one."""
    one = desk.side("one", desk.wheel("1.0", "oldname", module="shared"))
    other = desk.side("other", desk.wheel("2.0", "newname", 1.0, module="shared"))
    mixtures = desk.mixtures(one, other)
    with pytest.raises(CannotMixError, match="shared"):
        mixtures.image(names("newname"))
    mixtures.image(names("newname", "oldname"))


def test_what_is_installed_is_read_from_the_wheels(desk: Desk) -> None:
    one = desk.side("one", desk.wheel("1.0", "tiny"))
    other = desk.side("other", desk.wheel("2.0", "tiny"), desk.wheel("2.0", "more"))
    mixtures = desk.mixtures(one, other)
    assert {name: found.version for name, found in mixtures.installed(names()).items()} == {"tiny": "1.0"}
    every = mixtures.installed(names("tiny", "more"))
    assert {name: found.version for name, found in every.items()} == {"tiny": "2.0", "more": "2.0"}


def test_a_project_that_is_not_as_lock_a_says_is_refused(desk: Desk) -> None:
    one, other = desk.side("one"), desk.side("other")
    (one.root / "evaluate.py").write_bytes(b"print(2)\n")
    with pytest.raises(IntegrityError, match="not what the lock says"):
        desk.mixtures(one, other)
