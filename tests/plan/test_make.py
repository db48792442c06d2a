"""The plan is a pure function of the lock: which layers, in which order, with what in them."""

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from repro.digest import Digest
from repro.errors import IntegrityError, UsageError
from repro.lock import ImageOptions, Lock, Python, parse_lock, render_body, render_lock
from repro.plan import (
    BuildPlan,
    Compile,
    Deb,
    Directory,
    InlineFile,
    Layer,
    Link,
    ProjectFile,
    Unpack,
    Wheel,
    layout,
    make_plan,
    runner_digest,
    runner_sources,
)
from repro.plan.evaluation import make_evaluation
from repro.plan.layers import BUCKETS, MOST_LARGE
from repro.runner.documents import Evaluation
from tests.lock.samples import full_lock, package, plain_lock

SOURCES = {"__main__.py": b"print()\n", "hook/x.py": b""}


def _lock(**changes: object) -> Lock:
    lock = plain_lock()
    pinned = replace(lock.runner, sha256=runner_digest(SOURCES))
    return replace(lock, **{"runner": pinned, **changes})


def _plan(lock: Lock, target: str | None = None) -> BuildPlan:
    return make_plan(lock, render_body(lock), SOURCES, target)


def _layer(plan: BuildPlan, name: str) -> Layer:
    return next(layer for layer in plan.layers if layer.name == name)


def test_layers_come_most_stable_first_and_hold_what_the_lock_names() -> None:
    plan = _plan(_lock())
    names = [layer.name for layer in plan.layers]
    assert names[:3] == ["interpreter", "environment", "wheel-numpy"]
    assert names[-6:] == ["runner", "runner-bytecode", "data", "model", "code", "metadata"]
    assert all(name.startswith("wheels-") for name in names[3:-6])
    wheels = [item.package for layer in plan.layers for item in layer.items if isinstance(item, Wheel)]
    assert sorted(wheels) == ["mine", "nbclient", "numpy", "six"]


def test_wheels_know_whether_somebody_asked_for_their_package() -> None:
    packages = (replace(package("asked"), requested=True), package("big", size=10_000_000), package("needed"))
    plan = _plan(_lock(packages=packages))
    wheels = [item for layer in plan.layers for item in layer.items if isinstance(item, Wheel)]
    assert {wheel.package for wheel in wheels if wheel.requested} == {"asked"}


def test_the_same_lock_gives_the_same_plan_whatever_its_order() -> None:
    lock = _lock()
    other = replace(lock, packages=lock.packages[::-1], files=lock.files[::-1])
    assert _plan(parse_lock(render_lock(lock))) == _plan(parse_lock(render_lock(other)))


def test_one_changed_package_changes_one_layer_and_the_metadata() -> None:
    packages = tuple(package(f"p{number}") for number in range(50))
    before = {layer.name: layer for layer in _plan(_lock(packages=packages)).layers}
    after = {layer.name: layer for layer in _plan(_lock(packages=(*packages[:-1], package("p49", "2.0")))).layers}
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    assert len(changed) == 2
    assert "metadata" in changed


def test_large_wheels_are_alone_the_rest_shares_few_layers() -> None:
    packages = tuple(package(f"big{number}", size=10_000_000 + number) for number in range(40))
    packages += tuple(package(f"small{number}") for number in range(100))
    layers = _plan(_lock(packages=packages)).layers
    alone = [layer.name for layer in layers if layer.name.startswith("wheel-")]
    shared = [layer for layer in layers if layer.name.startswith("wheels-")]
    assert len(alone) == MOST_LARGE
    assert "wheel-big39" in alone
    assert "wheel-big0" not in alone
    assert len(shared) == BUCKETS
    assert len(layers) <= 60


def test_roles_decide_the_layer_and_modes_are_kept() -> None:
    plan = _plan(_lock())
    found = {
        item.content.label: (layer.name, item.mode)
        for layer in plan.layers
        for item in layer.items
        if isinstance(item, ProjectFile)
    }
    assert found == {
        "data/test set ü.csv": ("data", 0o644),
        "models/m.ubj": ("model", 0o644),
        "notebooks/evaluate.ipynb": ("code", 0o644),
        "src/features.py": ("code", 0o755),
    }


def test_the_lock_and_the_evaluation_are_baked_in() -> None:
    lock = _lock()
    files = {
        item.destination: item.data for item in _layer(_plan(lock), "metadata").items if isinstance(item, InlineFile)
    }
    assert files[PurePosixPath("/opt/repro/repro.lock")] == render_body(lock)
    evaluation = Evaluation.from_json(files[PurePosixPath("/opt/repro/evaluation.json")])
    assert evaluation.lock_digest == str(Digest.of(render_body(lock)))
    assert {metric.name for metric in evaluation.metrics} == {metric.name for metric in lock.metrics}
    assert evaluation.environment["OMP_NUM_THREADS"] == "4"
    assert evaluation.directories == ("figures",)


def test_folders_of_outputs_and_those_that_the_run_lists_or_enters_are_made() -> None:
    lock = _lock()
    lock = replace(lock, subject=replace(lock.subject, directories=("raw/old", "figures")))
    assert make_evaluation(lock, Digest.of(b"")).directories == ("figures", "raw/old")


def test_labels_carry_the_digests_of_lock_code_data_and_model() -> None:
    before = _plan(_lock()).config.labels
    lock = _lock()
    flipped = tuple(replace(f, sha256=Digest("0" * 64)) if f.role == "model" else f for f in lock.files)
    after = _plan(replace(lock, files=flipped)).config.labels
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"dev.repro.lock.digest", "dev.repro.model.digest"}
    assert before["org.opencontainers.image.base.digest"] == str(lock.base.digest)


def test_a_packed_interpreter_is_a_layer_and_runs() -> None:
    plan = _plan(_lock())
    assert isinstance(_layer(plan, "interpreter").items[0], Unpack)
    assert str(plan.python) == "/opt/python/bin/python3.11"
    assert plan.config.entrypoint[0] == str(plan.python)


def _on_base(python: str | None, *, allow: bool = False) -> Lock:
    lock = _lock(python=Python("cpython", "3.11.7", "base"))
    path = None if python is None else "/usr/local/bin/python3.11"
    return replace(
        lock,
        base=replace(lock.base, python=python, python_path=path),
        policy=replace(lock.policy, allow_patch_drift=allow),
    )


def test_the_bases_own_interpreter_is_used_when_it_is_the_captured_one() -> None:
    plan = _plan(_on_base("3.11.7"))
    assert str(plan.python) == "/usr/local/bin/python3.11"
    assert "interpreter" not in [layer.name for layer in plan.layers]


def test_another_patch_version_is_used_only_where_the_policy_allows_it() -> None:
    with pytest.raises(UsageError, match=r"has Python 3\.11\.2; the laptop had 3\.11\.7"):
        _plan(_on_base("3.11.2"))
    assert str(_plan(_on_base("3.11.2", allow=True)).python) == "/usr/local/bin/python3.11"


@pytest.mark.parametrize("python", ["3.12.7", "3.1.7", None])
def test_another_minor_version_or_none_is_never_used(python: str | None) -> None:
    with pytest.raises(UsageError):
        _plan(_on_base(python, allow=True))


def test_a_target_that_was_not_locked_is_refused() -> None:
    with pytest.raises(UsageError, match="linux/arm64") as caught:
        _plan(_lock(), "linux/arm64")
    assert "capture again with --platform linux/amd64 --platform linux/arm64." in str(caught.value.fix)


def test_another_runner_than_the_pinned_one_is_refused() -> None:
    lock = _lock()
    with pytest.raises(IntegrityError, match="runner"):
        make_plan(lock, render_body(lock), {**SOURCES, "x.py": b""})


def test_the_runner_is_its_python_files_and_nothing_else() -> None:
    sources = runner_sources()
    assert {"__init__.py", "documents.py", "compare.py"} <= set(sources)
    assert all(name.endswith(".py") for name in sources)


@pytest.mark.parametrize("role", ["data", "model"])
def test_a_role_without_files_has_no_digest(role: str) -> None:
    lock = _lock()
    labels = _plan(replace(lock, files=tuple(file for file in lock.files if file.role != role))).config.labels
    assert set(_plan(lock).config.labels) - set(labels) == {f"dev.repro.{role}.digest"}


def _compiled(lock: Lock) -> dict[str, tuple[str, ...] | None]:
    """Modules by package, of the environment's bytecode layer."""
    items = [item for layer in _plan(lock).layers if layer.name == "bytecode" for item in layer.items]
    compiled = [item for item in items if isinstance(item, Compile)]
    assert len(compiled) == len(items)
    return {item.source.package if isinstance(item.source, Wheel) else "python": item.modules for item in compiled}


def test_the_imported_modules_are_compiled_and_those_of_the_packed_interpreter() -> None:
    modules = {"six": ("six",), "python": ("json", "typing")}
    assert _compiled(_lock(modules=modules)) == modules
    assert _compiled(_lock()) == {}


def test_all_modules_are_compiled_on_demand_or_none() -> None:
    assert _compiled(_lock(image=ImageOptions(bytecode="all"))) == dict.fromkeys(["mine", "numpy", "python", "six"])
    none = _plan(_lock(image=ImageOptions(bytecode="none"), modules={"six": ("six",)}))
    assert not [layer.name for layer in none.layers if "bytecode" in layer.name]


def test_only_targets_that_could_be_compiled_get_bytecode() -> None:
    modules = {"six": ("six",)}
    elsewhere = ImageOptions(compiled=("linux/arm64",))
    assert _compiled(_lock(modules=modules, image=elsewhere)) == {}
    assert "runner-bytecode" not in [layer.name for layer in _plan(_lock(image=elsewhere)).layers]
    assert list(_compiled(_lock(modules=modules, image=ImageOptions(compiled=("linux/amd64",))))) == ["six"]


def test_a_base_keeps_the_bytecode_of_its_own_library() -> None:
    lock = replace(_on_base("3.11.7"), modules={"python": ("json",), "six": ("six",)})
    assert list(_compiled(lock)) == ["six"]


def test_system_packages_of_the_target_share_a_layer_below_the_environment() -> None:
    system = full_lock().system
    other = replace(system[0], name="libgomp9", target="linux/arm64")
    plan = _plan(_lock(system=(*system, other)))
    assert [layer.name for layer in plan.layers][:3] == ["interpreter", "system", "environment"]
    items = _layer(plan, "system").items
    assert [item.package.name for item in items if isinstance(item, Deb)] == ["libgomp1", "libstdc++6"]
    assert "system" not in [layer.name for layer in _plan(_lock()).layers]


def test_the_encoding_is_the_locks() -> None:
    assert _plan(_lock(image=ImageOptions("zstd"))).encoding == "zstd"


def test_a_project_whose_code_names_its_own_path_has_the_runs_files_there() -> None:
    plain = _lock()
    named = _lock(subject=replace(plain.subject, root="/home/ada/churn"))
    more = set(_layer(_plan(named), "environment").items) - set(_layer(_plan(plain), "environment").items)
    assert more == {Link(PurePosixPath("/home/ada/churn"), "/work")}


def test_mounted_files_stay_out_of_the_image_which_says_that_it_needs_them() -> None:
    lock = _lock()
    files = tuple(replace(file, mount=file.role in {"data", "model"}) for file in lock.files)
    whole, without = _plan(lock), _plan(replace(lock, files=files))
    names = [layer.name for layer in without.layers]
    assert "data" not in names
    assert "model" not in names
    assert _layer(without, "code") == _layer(whole, "code")
    assert Directory(layout.MOUNTED) in _layer(without, "metadata").items
    assert Directory(layout.MOUNTED) not in _layer(whole, "metadata").items
    assert layout.LABEL_MOUNTED in without.config.labels
    assert layout.LABEL_MOUNTED not in whole.config.labels
    assert without.config.labels[layout.LABEL_DATA] == whole.config.labels[layout.LABEL_DATA]
    (item,) = (one for one in _layer(without, "metadata").items if getattr(one, "destination", "") == layout.EVALUATION)
    assert isinstance(item, InlineFile)
    staged = Evaluation.from_json(item.data).files
    assert {file.path for file in staged if file.mount} == {file.path for file in files if file.mount}
