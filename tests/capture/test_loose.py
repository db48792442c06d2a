"""Modules put into site-packages by hand: a package of their own where that is allowed, and refused otherwise."""

from dataclasses import replace
from pathlib import Path

import pytest

from repro.capture.loose import loose_packages
from repro.capture.model import Interpreter
from repro.capture.ownership import check_imports
from repro.errors import UsageError
from repro.lock import Package
from repro.store import project_store
from tests.capture.packages.installed import Venv, run, write
from tests.capture.plain_wheels import plain_wheel

FILES = {
    "sitecustomize.py": "import sys; sys.by_hand = 41\n",
    "My_Own/__init__.py": "from My_Own.deep import N\n",
    "My_Own/deep.py": "N = 1\n",
    "My_Own/data.txt": "x",
    "My_Own/__pycache__/deep.cpython-311.pyc": "",
    "My_Own_too.py": "",
    "usercustomize.py": "",
}


@pytest.fixture
def venv(tmp_path: Path) -> Venv:
    venv = Venv(tmp_path / "venv")
    venv.uv("--no-index", plain_wheel(tmp_path, "owned", {"owned.py": ""}))
    write(site(venv), FILES)
    return venv


def site(venv: Venv) -> Path:
    return next((venv.path / "lib").glob("python3*/site-packages"))


def packed(
    interpreter: Interpreter, root: Path, *names: str, targets: tuple[str, ...] = ("linux/amd64",)
) -> list[Package]:
    scratch = root / "scratch"
    scratch.mkdir(exist_ok=True)
    return list(loose_packages(interpreter, names, targets=targets, store=project_store(root), scratch=scratch))


def test_each_becomes_a_package_that_installs_the_same_files(venv: Venv, tmp_path: Path) -> None:
    interpreter = venv.interpreter()
    packages = packed(interpreter, tmp_path, "sitecustomize", "My_Own")
    assert [(one.name, one.version, one.origin, one.source) for one in packages] == [
        ("loose-sitecustomize", "0", "local", "site-packages/sitecustomize"),
        ("loose-my-own", "0", "local", "site-packages/My_Own"),
    ]
    assert packed(interpreter, tmp_path, "sitecustomize", "My_Own") == packages
    fresh = Venv(tmp_path / "fresh")
    store = project_store(tmp_path)
    for one in packages:
        assert one.files[0].targets == ("linux/amd64",)
        fresh.uv("--no-index", "--no-deps", store.offer_wheel(one.files[0].sha256, one.files[0].name))
    told = run(fresh.python, "-c", "import sys, My_Own; print(My_Own.N + sys.by_hand)")
    assert told == "42\n"
    assert (site(fresh) / "My_Own" / "data.txt").exists()
    assert not (site(fresh) / "My_Own_too.py").exists()


def test_only_what_is_allowed_passes_the_check_of_imports(venv: Venv) -> None:
    modules = {name: str(site(venv) / f"{name}.py") for name in ("sitecustomize", "My_Own_too")}
    [problem] = check_imports(modules, venv.interpreter(), [], ["sitecustomize"])
    assert problem.endswith("install it as a package, or let it in with --allow-loose My_Own_too")


def test_what_is_not_loose_is_refused_all_at_once(venv: Venv, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be taken") as refused:
        packed(venv.interpreter(), tmp_path, "owned", "nowhere", "usercustomize", "sitecustomize")
    assert [problem.split(";")[0] for problem in refused.value.problems] == [
        "owned: it belongs to owned",
        "nowhere: there is no module of that name in site-packages",
        "usercustomize: Python runs it in no image",
    ]


def test_extension_modules_run_on_one_platform_only(venv: Venv, tmp_path: Path) -> None:
    write(site(venv), {"fast.cpython-311-x86_64-linux-gnu.so": ""})
    cpython = replace(venv.interpreter(), implementation="cpython", version="3.11.7", soabi="", platform="linux-x86_64")
    [package] = packed(cpython, tmp_path, "fast")
    assert package.files[0].name == "loose_fast-0-cp311-cp311-linux_x86_64.whl"
    with pytest.raises(UsageError, match="can't be taken"):
        packed(cpython, tmp_path, "fast", targets=("linux/amd64", "linux/arm64"))
