"""Conda's packages in a plan: where Python comes from, which layers they get, and what of them is compiled."""

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from repro.errors import UsageError
from repro.lock import CondaPackage, ImageOptions, Lock, Python, render_body
from repro.plan import (
    BuildPlan,
    Compile,
    CondaLink,
    CondaScripts,
    Directory,
    Link,
    Wheel,
    layout,
    make_plan,
    runner_digest,
    runner_sources,
)
from repro.plan.bytecode import compiled_sources, module_roots
from repro.plan.conda import below_scripts, python_path, scripted, scripts_of, site_packages
from repro.plan.layers import LARGE, MOST_LARGE
from repro.plan.supplies import wanted
from tests.lock.samples import conda_package, full_lock, package, plain_lock

_PYTHON = conda_package("python", "3.11.7", "hab00c5b_1_cpython", size=30_000_000)
_SITE = "lib/python3.11/site-packages"


def _lock(*conda: CondaPackage, **changes: object) -> Lock:
    lock = plain_lock()
    pinned = replace(lock.runner, sha256=runner_digest(runner_sources()))
    own = {"runner": pinned, "python": Python("cpython", "3.11.7", "conda"), "conda": (_PYTHON, *conda)}
    return replace(lock, **{**own, **changes})


def _plan(lock: Lock) -> BuildPlan:
    return make_plan(lock, render_body(lock), runner_sources())


def _links(plan: BuildPlan) -> dict[str, list[str]]:
    found = {
        layer.name: [one.package.name for one in layer.items if isinstance(one, CondaLink)] for layer in plan.layers
    }
    return {name: names for name, names in found.items() if names}


def test_the_interpreter_is_the_package_python_in_the_environment_itself() -> None:
    plan = _plan(_lock())
    assert (plan.python, plan.python_version) == (PurePosixPath("/opt/env/bin/python3.11"), "3.11.7")
    assert plan.layers[0].name == "interpreter"
    assert plan.layers[0].items == (CondaLink(_PYTHON, _SITE),)
    assert plan.config.entrypoint[0] == "/opt/env/bin/python3.11"
    assert plan.config.env["CONDA_PREFIX"] == "/opt/env"
    assert "VIRTUAL_ENV" not in plan.config.env


def test_a_conda_environment_is_no_virtual_environment() -> None:
    environment = next(layer for layer in _plan(_lock()).layers if layer.name == "environment")
    places = {str(item.destination) for item in environment.items if isinstance(item, Directory | Link)}
    assert {str(layout.WORK), str(layout.OUT)} <= places
    assert not any(place.startswith("/opt/env/bin") for place in places)


def test_large_packages_are_alone_and_small_ones_share_buckets_below_the_wheels() -> None:
    plan = _plan(_lock(conda_package("libopenblas", size=LARGE), conda_package("tzdata"), conda_package("six")))
    links = _links(plan)
    assert links.pop("interpreter") == ["python"]
    assert links.pop("conda-libopenblas") == ["libopenblas"]
    assert sorted(name for names in links.values() for name in names) == ["six", "tzdata"]
    assert all(name.startswith("condas-") for name in links)
    names = [layer.name for layer in plan.layers]
    assert max(names.index(name) for name in links) < names.index("wheel-numpy")


def test_a_package_stays_in_its_layer_whatever_else_is_installed() -> None:
    few = _plan(_lock(conda_package("tzdata")))
    many = _plan(_lock(conda_package("tzdata"), *(conda_package(f"lib{number}") for number in range(40))))
    home = next(name for name, names in _links(few).items() if "tzdata" in names)
    assert "tzdata" in _links(many)[home]


def test_conda_packages_and_wheels_share_the_number_of_large_layers() -> None:
    conda = [conda_package(f"c{number:02}", size=LARGE + number) for number in range(20)]
    wheels = tuple(package(f"w{number:02}", size=LARGE + 100 + number) for number in range(20))
    plan = _plan(_lock(*conda, packages=wheels))
    alone = [layer.name for layer in plan.layers if layer.name.startswith(("conda-", "wheel-"))]
    assert len(alone) == MOST_LARGE
    assert sum(name.startswith("wheel-") for name in alone) == 20
    assert len(plan.layers) < 60


def test_one_name_can_be_a_conda_package_and_a_wheel() -> None:
    plan = _plan(_lock(conda_package("numpy", size=LARGE), packages=(package("numpy", size=LARGE),)))
    items = {layer.name: layer.items for layer in plan.layers}
    assert isinstance(items["conda-numpy"][0], CondaLink)
    assert isinstance(items["wheel-numpy"][0], Wheel)


def test_another_patch_version_of_python_is_only_taken_where_that_is_allowed() -> None:
    lock = _lock(python=Python("cpython", "3.11.8", "conda"))
    with pytest.raises(UsageError, match=r"conda package python=3\.11\.7=hab00c5b_1_cpython has Python 3\.11\.7"):
        _plan(lock)
    assert _plan(replace(lock, policy=replace(lock.policy, allow_patch_drift=True))).python_version == "3.11.8"


@pytest.mark.parametrize(
    ("version", "build", "folder"),
    [
        ("3.11.7", "hab00c5b_1_cpython", "lib/python3.11/site-packages"),
        ("3.13.1", "ha99a958_105_cp313", "lib/python3.13/site-packages"),
        ("3.13.1", "h9a34b6e_5_cp313t", "lib/python3.13t/site-packages"),
    ],
)
def test_where_packages_are_follows_from_the_build(version: str, build: str, folder: str) -> None:
    assert site_packages(conda_package("python", version, build)) == folder


def test_the_program_is_named_by_the_minor_version() -> None:
    assert python_path(_PYTHON) == PurePosixPath("/opt/env/bin/python3.11")


def test_bytecode_is_made_of_the_modules_that_the_run_imported() -> None:
    modules = {"python": ("json",), "conda:numpy": ("numpy",), "six": ("six",)}
    lock = _lock(conda_package("numpy"), conda_package("tzdata"), modules=modules, image=ImageOptions())
    layer = next(layer for layer in _plan(lock).layers if layer.name == "bytecode")
    found = {
        item.source.package.name if isinstance(item.source, CondaLink) else "wheel": item.modules
        for item in layer.items
        if isinstance(item, Compile)
    }
    assert found == {"python": ("json",), "numpy": ("numpy",), "wheel": ("six",)}


def test_the_standard_library_is_beside_the_packages() -> None:
    python = Compile(CondaLink(_PYTHON, _SITE), None)
    numpy = Compile(CondaLink(conda_package("numpy"), _SITE), ("numpy",))
    assert module_roots(python, "3.11") == ("/opt/env/lib/python3.11",)
    assert module_roots(numpy, "3.11") == (f"/opt/env/{_SITE}",)
    paths = ["/opt/env/lib/python3.11/json/__init__.py", f"/opt/env/{_SITE}/numpy/__init__.py", "/opt/env/bin/x.py"]
    assert compiled_sources(paths, python, "3.11") == paths[:1]
    assert compiled_sources(paths, numpy, "3.11") == paths[1:2]


def test_archives_and_edited_files_are_asked_for_by_digest() -> None:
    numpy = next(one for one in full_lock().conda if one.name == "numpy")
    plan = _plan(_lock(numpy))
    found = {one.name: (one.sha256, one.url) for one in wanted(plan)}
    assert found[numpy.file] == (numpy.sha256, numpy.url)
    assert found[f"{numpy.label}: {numpy.patched[0].path}"] == (numpy.patched[0].sha256, None)


def _scripted(*conda: CondaPackage) -> Lock:
    return _lock(*(replace(one, scripts="run") for one in conda), packages=(package("numpy"),))


def test_scripts_that_run_have_a_layer_between_condas_packages_and_wheels() -> None:
    fonts = conda_package("fonts", size=LARGE)
    plan = _plan(_scripted(fonts))
    names = [layer.name for layer in plan.layers]
    at = names.index("post-link")
    assert names[at - 1] == "conda-fonts"
    assert names[at + 1].startswith("wheels-")
    assert plan.layers[at].items == (CondaScripts((CondaLink(replace(fonts, scripts="run"), _SITE),)),)
    assert plan.layers[at].comment == "what post-link scripts leave of fonts=1.0=py311h1_0"
    assert "post-link" not in [layer.name for layer in _plan(_lock(replace(fonts, scripts="skip"))).layers]


@pytest.mark.parametrize(
    ("depends", "order"),
    [
        ({"a": (), "b": (), "c": ()}, "abc"),
        ({"a": ("conda-forge::b >=1.0",), "b": ("C[version='>=1']",), "c": ()}, "cba"),
        ({"a": ("c", "b=1.0=h*"), "b": ("c",), "c": ("__glibc >=2.17", "a")}, "cba"),
        ({"a": ("plain",), "b": (), "c": ()}, "bac"),
    ],
)
def test_scripts_run_after_those_of_what_their_packages_need(depends: dict[str, tuple[str, ...]], order: str) -> None:
    packages = [conda_package(name, depends=needed, scripts="run") for name, needed in depends.items()]
    between = conda_package("plain", depends=("b",))
    for given in (packages, packages[::-1]):
        links = scripted(_lock(*given, between), "linux/amd64")
        assert "".join(link.package.name for link in links) == order


def test_scripts_see_the_environment_and_what_is_installed_beside_it() -> None:
    seen = [type(item).__name__ for _, item in below_scripts(_plan(_scripted(conda_package("fonts"))))]
    assert seen == ["CondaLink", "InlineFile", "CondaLink"]
    assert scripts_of(_plan(_lock())) is None
