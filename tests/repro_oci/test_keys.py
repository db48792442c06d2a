"""What decides a layer's bytes decides its key, and nothing else does."""

from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import ModuleType

import pytest
from repro_oci import keys

from repro.digest import Digest
from repro.lock import CondaPatch
from repro.oci import encodings
from repro.plan import (
    BuildPlan,
    Compile,
    CondaLink,
    CondaScripts,
    Content,
    Deb,
    Directory,
    InlineFile,
    Item,
    Layer,
    Link,
    ProjectFile,
    Unpack,
    Wheel,
    layout,
)
from tests.builders import projects
from tests.lock.samples import conda_package, package, system_package

BASE, OTHER = Digest.of(b"base"), Digest.of(b"other")
CONTENT = Content(Digest.of(b"x"), 1, "x")
PLACE = PurePosixPath("/opt/x")
WHEEL = Wheel("numpy", "1.0", package("numpy").files[0], layout.ENVIRONMENT)
DEB = Deb(system_package("libgomp1"))
CONDA = CondaLink(conda_package("numpy"), "lib/python3.11/site-packages")
PATCH = CondaPatch("etc/numpy.conf", OTHER, 1)
LABELLED = replace(CONTENT, label="called otherwise")


@pytest.fixture
def plan(wheels: dict[str, Path]) -> BuildPlan:
    return projects.plan_of(projects.make_lock(projects.NO_IMAGE, projects.package(wheels["installer"])))


def conda(**changes: object) -> CondaLink:
    return replace(CONDA, package=replace(CONDA.package, **changes))  # type: ignore[arg-type]


def key(plan: BuildPlan, item: Item, base: Digest = BASE) -> str:
    return keys.items_key([item], plan, base, "splice")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (WHEEL, replace(WHEEL, prefix=layout.RUNNER_PACKAGES)),
        (WHEEL, replace(WHEEL, requested=True)),
        (WHEEL, replace(WHEEL, file=replace(WHEEL.file, sha256=OTHER))),
        (WHEEL, replace(WHEEL, file=replace(WHEEL.file, name="other-1.0-py3-none-any.whl"))),
        (ProjectFile(CONTENT, PLACE, 0o644), ProjectFile(CONTENT, PLACE, 0o755)),
        (ProjectFile(CONTENT, PLACE, 0o644), ProjectFile(CONTENT, PLACE / "y", 0o644)),
        (InlineFile(b"x", PLACE), InlineFile(b"y", PLACE)),
        (Directory(PLACE), Directory(PLACE, 0o1777)),
        (Link(PLACE, "a"), Link(PLACE, "b")),
        (Unpack(CONTENT), Unpack(replace(CONTENT, sha256=OTHER))),
        (DEB, Deb(replace(DEB.package, skip_scripts=True))),
        (DEB, Deb(replace(DEB.package, sha256=OTHER))),
        (CONDA, conda(sha256=OTHER)),
        (CONDA, conda(url="https://mirror.example.org/x")),  # the record in the image has it
        (CONDA, conda(channel="other")),
        (CONDA, conda(md5="0" * 32)),
        (CONDA, conda(depends=("python",))),
        (CONDA, conda(requested=True)),
        (CONDA, conda(without=("bin/f2py",))),
        (CONDA, conda(patched=(PATCH,))),
        (conda(patched=(PATCH,)), conda(patched=(replace(PATCH, executable=True),))),
        (CONDA, conda(scripts="skip")),
        (CONDA, replace(CONDA, site_packages=None)),
        (Compile(CONDA, None), Compile(conda(sha256=OTHER), None)),
        (Compile(WHEEL, None), Compile(WHEEL, ("numpy",))),
        (Compile(WHEEL, ("numpy",)), Compile(WHEEL, ("numpy", "numpy.linalg"))),
        (Compile(WHEEL, None), WHEEL),
    ],
)
def test_other_inputs_other_key(plan: BuildPlan, one: Item, other: Item) -> None:
    assert key(plan, one) != key(plan, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ProjectFile(CONTENT, PLACE, 0o644), ProjectFile(LABELLED, PLACE, 0o644)),
        (Unpack(CONTENT), Unpack(LABELLED)),
        (WHEEL, replace(WHEEL, file=replace(WHEEL.file, url="https://mirror.example.org/x"))),
        (CONDA, conda(captured="1.25.0 py311h0_0")),
    ],
)
def test_where_it_comes_from_and_what_it_is_called_for_people_does_not_count(
    plan: BuildPlan, one: Item, other: Item
) -> None:
    assert key(plan, one) == key(plan, other)


def test_the_base_counts_where_the_layer_depends_on_it(plan: BuildPlan) -> None:
    for item, depends in ((DEB, True), (Compile(WHEEL, None), True), (WHEEL, False), (Unpack(CONTENT), False)):
        assert (key(plan, item) != key(plan, item, OTHER)) == depends


def test_the_encoding_counts_and_the_python(plan: BuildPlan) -> None:
    assert len({keys.items_key([WHEEL], plan, BASE, encoding) for encoding in ("splice", "gzip", "zstd", "tar")}) == 4
    assert key(plan, WHEEL) != key(replace(plan, python_version="3.12.1"), WHEEL)


@pytest.mark.parametrize("module", [keys, encodings])
def test_another_format_shares_nothing(plan: BuildPlan, module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key(plan, WHEEL)
    monkeypatch.setattr(module, "FORMAT", 99)
    assert key(plan, WHEEL) != before


def test_another_way_to_link_conda_packages_counts_for_those_alone(
    plan: BuildPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = key(plan, CONDA), key(plan, WHEEL)
    monkeypatch.setattr(keys, "CONDA_FORMAT", 99)
    assert (key(plan, CONDA) != before[0], key(plan, WHEEL) == before[1]) == (True, True)


def test_a_conda_python_counts_for_what_it_compiles(plan: BuildPlan) -> None:
    compiled = Compile(WHEEL, None)

    def with_python(build: str) -> BuildPlan:
        link = CondaLink(conda_package("python", "3.11.2", build), "lib/python3.11/site-packages")
        layers = (Layer("interpreter", "", (link,)), *plan.layers)
        return replace(plan, python=layout.ENVIRONMENT / "bin" / "python3.11", layers=layers)

    found = {
        key(plan, compiled),
        key(with_python("h1_0_cpython"), compiled),
        key(with_python("h2_0_cpython"), compiled),
    }
    assert len(found) == 3
    assert key(with_python("h1_0_cpython"), compiled) == key(with_python("h1_0_cpython"), compiled, OTHER)


def test_the_number_in_the_lock_moves_with_the_codecs() -> None:
    """Raise `keys.FORMAT` whenever `encodings.FORMAT` is raised, and correct this pair."""
    assert (keys.FORMAT, encodings.FORMAT) == (1, 1)


def test_scripts_depend_on_the_base_and_everything_that_they_see_and_on_nothing_above_them(plan: BuildPlan) -> None:
    one = replace(CONDA, package=replace(CONDA.package, scripts="run"))
    outside, inside = Link(PLACE, "a"), Link(layout.ENVIRONMENT / "x", "a")

    def made(*above: Item, linked: CondaLink = CONDA, more: Item = outside, base: Digest = BASE) -> str:
        scripts = CondaScripts((one,))
        layers = (
            Layer("conda-numpy", "", (linked, one)),
            Layer("environment", "", (more,)),
            Layer("post-link", "", (scripts,)),
            Layer("wheels", "", (WHEEL, *above)),
        )
        return key(replace(plan, layers=layers), scripts, base)

    same = {
        made(),
        made(ProjectFile(CONTENT, PLACE, 0o644)),
        made(Compile(WHEEL, None)),
        made(more=Link(PLACE, "b")),
    }
    assert len(same) == 1
    others = {
        made(base=OTHER),
        made(linked=conda(sha256=OTHER)),
        made(more=DEB),
        made(more=inside),
        made(Compile(CONDA, None)),
    }
    assert len(others | same) == 6
