"""What a run imported that nothing declares, and how differences are told."""

from pathlib import Path

from repro.capture.drift import Drift, drift, drift_warnings
from tests.capture.drift.projects import distribution, drifts, interpreter, pins, told
from tests.capture.packages.installed import UV, Venv, run, write
from tests.capture.plain_wheels import plain_wheel

ENVIRONMENT = interpreter(
    distribution("pandas", "2.2", "numpy>=1.26", "openpyxl; extra == 'excel'", "tzdata; sys_platform == 'win32'"),
    distribution("numpy", "2.0"),
    distribution("openpyxl", "3.1", "et-xmlfile"),
    distribution("et-xmlfile", "1.1"),
    distribution("requests", "2.32", "idna"),
    distribution("idna", "3.7"),
    distribution("ipykernel", "6.29", "ipython", "pyzmq"),
    distribution("ipython", "8.24", "traitlets"),
    distribution("pyzmq", "26"),
    distribution("traitlets", "5"),
)
DECLARED = {"requirements.txt": "Pandas\n"}


def test_what_the_run_imports_and_nothing_declares_is_told(tmp_path: Path) -> None:
    [requests, idna] = reversed(drifts(tmp_path, DECLARED, ENVIRONMENT, "pandas", "numpy", "requests", "idna"))
    assert requests.level == "warning"
    assert str(requests) == (
        "requirements.txt: requests is imported, but no file declares it: it works by accident; declare it"
    )
    assert idna.package == "idna"


def test_what_comes_with_declared_packages_and_the_kernel_is_no_accident(tmp_path: Path) -> None:
    imported = ("pandas", "numpy", "openpyxl", "et-xmlfile", "ipykernel", "ipython", "pyzmq", "traitlets")
    assert told(tmp_path, DECLARED, ENVIRONMENT, *imported) == []


def test_without_any_declaration_nothing_is_an_accident(tmp_path: Path) -> None:
    assert told(tmp_path, {}, ENVIRONMENT, "requests") == []
    assert told(tmp_path, {"README.md": ""}, ENVIRONMENT, "requests") == []


def test_the_project_itself_declares_what_it_requires(tmp_path: Path) -> None:
    own = distribution("laptop", "0", "requests", editable=True, source_tree=tmp_path)
    installed = interpreter(own, *ENVIRONMENT.distributions)
    assert told(tmp_path, DECLARED, installed, "laptop", "requests", "idna") == []


def test_what_the_projects_own_code_imports_should_be_declared_itself(tmp_path: Path) -> None:
    write(tmp_path, DECLARED)
    imported = {"pandas": ("pandas",), "numpy": ("numpy", "numpy.linalg"), "openpyxl": ("openpyxl",)}
    cells = ["%matplotlib inline\nimport pandas as pd", "!ls\nfrom numpy import linalg", "broken ("]
    [one] = drift(tmp_path, ENVIRONMENT, imported, cells)
    assert (one.kind, one.level, one.package) == ("indirect", "note", "numpy")
    assert drift(tmp_path, ENVIRONMENT, imported, cells[:1]) == ()


def test_only_what_the_run_used_is_worth_a_warning(tmp_path: Path) -> None:
    files = {"requirements.txt": "numpy==1\npandas==1\n"}
    installed = pins(numpy="2", pandas="2")
    assert [one.level for one in drifts(tmp_path, files, installed, "numpy")] == ["warning", "note"]
    assert [one.level for one in drifts(tmp_path, files, installed)] == ["warning", "warning"], "nothing was run"


def test_many_differences_of_a_file_are_one_sentence(tmp_path: Path) -> None:
    names = [f"p{number}" for number in range(8)]
    text = "".join(f"{name}==1\n" for name in names) + "gone\n"
    found = drifts(tmp_path, {"requirements.txt": text}, pins(**dict.fromkeys(names, "2")))
    listed = ", ".join(f"p{number} (declared ==1, installed 2)" for number in range(6))
    assert drift_warnings(found) == (
        (
            f"requirements.txt: another version is installed than it declares: {listed} and 2 more; "
            "run `pip install -r requirements.txt`, or correct it there"
        ),
        (
            "requirements.txt: gone is declared but not installed; "
            "run `pip install -r requirements.txt`, or correct it there"
        ),
    )
    assert drift_warnings([Drift("version", "note", "a", "b", "c", "d")]) == ()


def test_a_real_environment_made_by_uv_from_its_own_lock(tmp_path: Path) -> None:
    """uv locks, syncs, and then somebody installs another version by hand."""
    links = tmp_path / "links"
    links.mkdir()
    plain_wheel(links, "app-lib", {"app_lib.py": ""}, "1.0", "Requires-Dist: dep-lib\n")
    for version in ("1.0", "2.0"):
        plain_wheel(links, "dep-lib", {"dep_lib.py": ""}, version)
    root = tmp_path / "project"
    text = '[project]\nname = "laptop"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["app-lib"]\n'
    write(root, {"pyproject.toml": f'{text}[tool.uv]\nfind-links = ["{links}"]\nno-index = true\n'})
    venv = Venv(root / ".venv")
    run(UV, "sync", "--quiet", "--python", venv.python, cwd=root)
    assert drift(root, venv.interpreter(), {"app-lib": ("app_lib",), "dep-lib": ("dep_lib",)}) == ()
    venv.uv("--no-index", "--find-links", links, "dep-lib==1.0")
    [one] = drift(root, venv.interpreter(), {})
    assert str(one) == (
        "uv.lock: dep-lib 2.0 is declared, 1.0 is installed; run `uv sync`, or `uv lock` if the installed one is right"
    )
