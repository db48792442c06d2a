"""Which modules a run imported: by package, by file, and the same in every run of the same state."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from repro.capture.model import Distribution, Interpreter
from repro.capture.modules import beside_packages, editable_sources, imported_modules, locked_modules
from repro.lock.table import Table
from repro.plan.layers import LIBRARY
from repro.runner.documents import Evaluation
from repro.runner.execute import TRACE, execute
from repro.runner.trace import Trace, read_trace
from tests.capture.packages.installed import Venv
from tests.capture.test_ownership import Site
from tests.lock.samples import package

FILES = {
    "one/__init__.py": "",
    "one/deep/__init__.py": "",
    "one/deep/er.py": "",
    "one/fast.cpython-311-x86_64-linux-gnu.so": "",
    "one/stable.abi3.so": "",
    "one/plain.so": "",
    "one/table.csv": "",
    "one/b c.py": "",
    "one/.hidden.py": "",
    "single.py": "",
}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path / "home")
    made.install("one", FILES)
    made.install("other", {"other/__init__.py": "", "other/part.py": ""})
    return made


def trace(site: Site, *reads: str, modules: Mapping[str, str] | None = None) -> Trace:
    def place(path: str) -> str:
        return path if path.startswith("/") else str(site.folder / path)

    return Trace(
        reads={place(path): number for number, path in enumerate(reads)},
        modules={name: place(path) for name, path in (modules or {}).items()},
    )


def test_modules_are_named_by_package_after_their_files(site: Site) -> None:
    seen = trace(
        site,
        "one/deep/er.py",
        "other/part.py",
        modules={"one": "one/__init__.py", "alias": "one/deep/__init__.py", "__main__": "single.py"},
    )
    assert imported_modules(seen, site.interpreter(), library=False) == {
        "one": ("one", "one.deep", "one.deep.er", "single"),
        "other": ("other.part",),
    }


def test_extension_modules_have_no_tag_in_their_name(site: Site) -> None:
    files = [path for path in FILES if path.endswith(".so")]
    seen = trace(site, modules={f"m{number}": path for number, path in enumerate(files)})
    found = imported_modules(seen, site.interpreter(), library=False)
    assert found == {"one": ("one.fast", "one.plain", "one.stable")}


def test_sources_of_editable_packages_in_the_project_are_known_by_file(site: Site, tmp_path: Path) -> None:
    """The environment lies inside of the tree, as it often does."""
    project = site.home
    tree = Distribution("mine", "1", site.folder, site.folder / "mine.dist-info", editable=True, source_tree=project)
    site.add(tree)
    modules = {
        "mine": str(project / "src" / "mine" / "__init__.py"),
        "one": "one/__init__.py",
        "fast": str(project / "src" / "mine" / "fast.so"),
        "beside": str(tmp_path / "beside.py"),
    }
    found = editable_sources(trace(site, modules=modules), site.interpreter(), project)
    assert found == ("src/mine/__init__.py",)
    assert editable_sources(trace(site, modules=modules), site.interpreter(), tmp_path / "elsewhere") == ()


def test_what_is_only_read_or_belongs_to_nobody_is_no_module(site: Site) -> None:
    seen = trace(site, "one/table.csv", "one/fast.cpython-311-x86_64-linux-gnu.so", "loose.py", "/work/mine.py")
    assert imported_modules(seen, site.interpreter(), library=False) == {}


def test_names_that_no_lock_could_hold_are_left_out(site: Site) -> None:
    """Programs open such files, or run them, but nothing imports them."""
    seen = trace(site, "one/b c.py", "one/.hidden.py", "one/deep/er.py")
    found = imported_modules(seen, site.interpreter(), library=False)
    assert found == {"one": ("one.deep.er",)}


def test_every_name_may_stand_in_a_lock(site: Site) -> None:
    seen = trace(site, *FILES, modules={path: path for path in FILES})
    found = imported_modules(seen, site.interpreter(), library=False)
    table = Table({"one": list(found["one"])})
    assert table.module_names("one") == found["one"]
    assert table.problems == []


def test_the_standard_library_counts_where_python_is_packed(site: Site, tmp_path: Path) -> None:
    (tmp_path / "usr/lib/python3.11/json").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "usr")
    interpreter = replace(site.interpreter(), paths={"stdlib": str(tmp_path / "usr/lib/python3.11")})
    library = tmp_path / "link/lib/python3.11"
    seen = trace(
        site,
        *(str(library / name) for name in ("json/__init__.py", "os.py", "site-packages/x.py", "dist-packages/y.py")),
        modules={"json.decoder": str(library / "json/decoder.py"), "_ssl": str(library / "lib-dynload/_ssl.so")},
    )
    assert imported_modules(seen, interpreter, library=True) == {LIBRARY: ("json", "json.decoder", "os")}
    assert imported_modules(seen, interpreter, library=False) == {}


def test_source_trees_are_known_by_the_names_of_their_modules(site: Site, tmp_path: Path) -> None:
    tree = tmp_path / "work/mine"
    (tree / "src").mkdir(parents=True)
    site.add(Distribution("mine", "1", site.folder, site.folder / "mine.dist-info", editable=True, source_tree=tree))
    seen = trace(
        site,
        modules={
            "mine": f"{tree}/src/mine/__init__.py",
            "mine.part": f"{tree}/src/mine/part.py",
            "__main__": f"{tree}/run.py",
            "minelike": f"{tree}like/x.py",
        },
    )
    assert imported_modules(seen, site.interpreter(), library=False) == {"mine": ("mine", "mine.part")}


def test_an_environment_in_a_source_tree_is_none_of_its_modules(site: Site) -> None:
    """As uv, PDM and Poetry make it in the project; their trees then lead to one directory, which images have, too."""
    tree = site.home
    site.add(Distribution("mine", "1", site.folder, site.folder / "mine.dist-info", editable=True, source_tree=tree))
    seen = trace(site, modules={"mine": f"{tree}/src/mine/__init__.py", "one": "one/__init__.py", "loose": "loose.so"})
    assert imported_modules(seen, site.interpreter(), library=False) == {"mine": ("mine",), "one": ("one",)}


def test_a_source_tree_in_an_environment_has_its_modules(site: Site) -> None:
    """As those of `pip install -e git+https://…`."""
    interpreter = site.interpreter()
    tree = Path(interpreter.prefix) / "src" / "mine"
    tree.mkdir(parents=True)
    site.add(Distribution("mine", "1", site.folder, site.folder / "mine.dist-info", editable=True, source_tree=tree))
    seen = trace(site, modules={"mine": f"{tree}/mine.py"})
    assert imported_modules(seen, site.interpreter(), library=False) == {"mine": ("mine",)}


@pytest.mark.parametrize(
    ("read", "told"), [("assets/z.csv", True), ("src/mine/t.csv", False), ("src/mine.egg-info/PKG-INFO", False)]
)
def test_data_of_a_source_tree_outside_of_the_project_is_told(
    read: str, told: bool, site: Site, tmp_path: Path
) -> None:
    tree = tmp_path / "sibling"
    site.add(Distribution("mine", "1", site.folder, site.folder / "mine-1.dist-info", editable=True, source_tree=tree))
    seen = trace(site, f"{tree}/{read}", modules={"mine": f"{tree}/src/mine/__init__.py"})
    warnings = beside_packages(seen, site.interpreter(), tmp_path / "project")
    assert [f"{tree}/{read}" in warning for warning in warnings] == [True] * told
    assert beside_packages(seen, site.interpreter(), tree) == ()


CELLS = (
    "import numpy as np, pandas as pd",
    "frame = pd.DataFrame({'a': np.arange(4.0), 'b': list('xyxy')}); frame",
    "frame.groupby('b').mean().to_csv('out.csv'); len(pd.read_csv('out.csv'))",
    "from concurrent.futures import ThreadPoolExecutor\nlist(ThreadPoolExecutor(2).map(lambda x: x ** 2, range(9)))",
    "import multiprocessing as m\nwith m.get_context('spawn').Pool(2) as pool: print(pool.map(np.sqrt, range(8)))",
    "try:\n    1 / 0\nexcept ZeroDivisionError:\n    import traceback; traceback.print_exc()",
    "%timeit -n1 -r1 1 + 1\n!echo hello",
)


@pytest.fixture(scope="module")
def science(tmp_path_factory: pytest.TempPathFactory) -> Interpreter:
    venv = Venv(tmp_path_factory.mktemp("science") / "venv")
    venv.uv("ipykernel", "numpy", "pandas")
    return venv.interpreter()


def test_every_run_of_the_same_state_imports_the_same(
    science: Interpreter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any bytecode, for somebody who never ran IPython before; then with what the first run left."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    (tmp_path / "project").mkdir()
    nbformat.write(notebook, tmp_path / "project" / "work.ipynb")
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "bytecode"))
    found = []
    for _ in range(2):
        evaluation = Evaluation("notebook", "work.ipynb", str(science.executable), science.version)
        record = execute(evaluation, tmp_path / "project", tmp_path / "out")
        assert record.failure is None
        found.append(imported_modules(read_trace(tmp_path / "out" / TRACE), science, library=True))
    assert found[0] == found[1]
    assert len(found[0]["pandas"]) > 100
    assert {"numpy", "numpy.linalg", "numpy._core._multiarray_umath"} < set(found[0]["numpy"])
    assert {"ipykernel.ipkernel", "ipykernel_launcher"} < set(found[0]["ipykernel"])
    assert {"json", "multiprocessing.pool", "multiprocessing.popen_spawn_posix"} < set(found[0][LIBRARY])


def test_a_lock_names_no_modules_of_packages_that_it_leaves_out() -> None:
    modules = {"appnope": ("appnope",), "python": ("json",), "numpy": ("numpy",)}
    assert locked_modules(modules, [package("numpy")]) == {"python": ("json",), "numpy": ("numpy",)}
