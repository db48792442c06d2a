"""What a probe sees of an interpreter and its packages, however they got there and whatever else is printed."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
import uv

from repro.capture.model import Distribution, Interpreter
from repro.capture.probe import probe
from repro.errors import InfrastructureError, UsageError

UV = uv.find_uv_bin()
BASE = Path(getattr(sys, "_base_executable", sys.executable))
PYENV = sorted(Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv").glob("versions/*/bin/python"))
OLD = [path for path in PYENV if re.match(r"2\.|3\.[0-7]\.", path.parents[1].name)]
SUPPORTED = [path for path in PYENV if re.fullmatch(r"3\.(8|9|1\d)\.\d+", path.parents[1].name)]


def run(*args: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(args, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


class Env:
    """A virtual environment without any package, and what is put into its site directory by hand."""

    def __init__(self, path: Path, *options: str) -> None:
        run(UV, "venv", "--quiet", "--python", sys.executable, *options, path)
        self.path = path
        self.python = path / "bin" / "python"
        self.site = next((path / "lib").glob("python3*/site-packages"))
        self.cwd = path.parent / "work"
        self.cwd.mkdir(exist_ok=True)

    def probe(self, **env: str) -> Interpreter:
        return probe(self.python, cwd=self.cwd, env=plain(env))

    def find(self, name: str, **env: str) -> Distribution:
        return next(one for one in self.probe(**env).distributions if one.name == name)


def plain(env: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PYTHONNOUSERSITE": "1", **env}


def installed(folder: Path, name: str, version: str = "1.0", **files: str) -> Path:
    """A dist-info directory as an installer writes it."""
    info = folder / f"{name}-{version}.dist-info"
    texts = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: ü\n\nName: not this\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
        **files,
    }
    return write(info, texts)


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def legacy_tree(folder: Path, egg_info: str = "old_thing.egg-info") -> Path:
    info = {f"{egg_info}/PKG-INFO": "Metadata-Version: 1.0\nName: old_thing\nVersion: 0.9\n"}
    return write(folder, {"setup.py": "", **info})


@pytest.fixture
def env(tmp_path: Path) -> Env:
    return Env(tmp_path / "mein umgebung ü")


def test_an_environment_and_the_interpreter_behind_it(env: Env) -> None:
    seen = env.probe()
    assert (seen.executable, seen.prefix) == (env.python, env.path)
    assert (seen.base_prefix, seen.base_executable.resolve()) == (Path(sys.base_prefix), BASE.resolve())
    assert not seen.base_executable.is_relative_to(env.path)
    assert seen.version == ".".join(map(str, sys.version_info[:3]))
    assert (seen.implementation, seen.system) == (sys.implementation.name, os.uname().sysname)
    assert seen.machine == os.uname().machine
    assert seen.platform.startswith(seen.system.lower())
    assert f"{sys.version_info[0]}{sys.version_info[1]}" in seen.soabi
    assert seen.paths["purelib"] == str(env.site)
    assert str(env.site) in seen.sys_path
    assert (seen.distributions, seen.shadowed) == ((), ())


def test_copied_interpreters_know_what_they_were_copied_from(tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", "--without-pip", "--copies", tmp_path / "copied")
    seen = probe(tmp_path / "copied" / "bin" / "python", cwd=tmp_path, env=plain({}))
    assert seen.base_executable.is_relative_to(sys.base_prefix)


@pytest.mark.parametrize("python", [BASE, *SUPPORTED], ids=str)
def test_every_supported_version_runs_the_script(python: Path, tmp_path: Path) -> None:
    """In a virtual environment, so that nothing that happens to be installed matters."""
    run(UV, "venv", "--quiet", "--python", python, tmp_path / "env")
    site = next((tmp_path / "env" / "lib").glob("python3*/site-packages"))
    info = installed(site, "Some.Thing")
    seen = probe(tmp_path / "env" / "bin" / "python", cwd=tmp_path, env=plain({}))
    assert run(python, "-V").split()[1] == seen.version
    assert seen.base_executable.resolve() == python.resolve()
    assert seen.distributions == (Distribution("some-thing", "1.0", site, info, ("py3-none-any",)),)


def test_the_same_is_seen_as_by_importlib_metadata() -> None:
    seen = probe(Path(sys.executable), cwd=Path.cwd(), env=plain({}))
    script = "import importlib.metadata as m; print(*{d.metadata['Name'] + '=' + d.version for d in m.distributions()})"
    told = {re.sub(r"[-_.]+", "-", word).lower() for word in run(sys.executable, "-c", script).split()}
    found = {re.sub(r"[-_.]+", "-", f"{one.name}={one.version}") for one in (*seen.distributions, *seen.shadowed)}
    assert found == told
    assert ("pytest", importlib.metadata.version("pytest")) in {(one.name, one.version) for one in seen.distributions}


def test_all_that_an_installer_noted(env: Env) -> None:
    direct = '{"url": "https://example.org/x.whl", "archive_info": {}}'
    wheel = "Root-Is-Purelib: false\nTag: cp311-cp311-manylinux_2_17_x86_64\nTag: cp311-cp311-manylinux2014_x86_64\n"
    info = installed(
        env.site, "Fast_Thing", "2.0+cpu", WHEEL=wheel, INSTALLER="uv\n", REQUESTED="", **{"direct_url.json": direct}
    )
    tags = ("cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux2014_x86_64")
    url = {"url": "https://example.org/x.whl", "archive_info": {}}
    assert env.probe().distributions == (
        Distribution(
            "fast-thing",
            "2.0+cpu",
            env.site,
            info,
            tags,
            purelib=False,
            installer="uv",
            direct_url=url,
            requested=True,
        ),
    )


def test_every_way_onto_sys_path(tmp_path: Path) -> None:
    lower = Env(tmp_path / "lower")
    env = Env(tmp_path / "upper", "--system-site-packages")
    folders = {name: tmp_path / name for name in ("on-path", "on-pth", "user-base")}
    user = folders["user-base"] / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    places = {"own": env.site, "by-path": folders["on-path"], "by-pth": folders["on-pth"], "by-user": user}
    infos = {name: installed(folder, name) for name, folder in places.items()}
    installed(lower.site, "not-seen")
    (env.site / "more.pth").write_text(f"# more\n{folders['on-pth']}\n")
    variables = {"PYTHONPATH": str(folders["on-path"]), "PYTHONUSERBASE": str(folders["user-base"])}
    seen = probe(env.python, cwd=tmp_path, env={**plain(variables), "PYTHONNOUSERSITE": ""})
    by_name = {one.name: one for one in seen.distributions}
    for name, folder in places.items():
        assert (by_name[name].location, by_name[name].metadata) == (folder, infos[name])
    assert "not-seen" not in by_name
    base = {one.name for one in probe(BASE, cwd=tmp_path, env=plain({})).distributions}
    assert base <= by_name.keys(), "those of the system are visible through --system-site-packages"


SETUPTOOLS = '[build-system]\nrequires = ["setuptools>=77"]\nbuild-backend = "setuptools.build_meta"\n'
HATCHLING = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
PDM = '[build-system]\nrequires = ["pdm-backend"]\nbuild-backend = "pdm.backend"\n'
POETRY = '[build-system]\nrequires = ["poetry-core>=2"]\nbuild-backend = "poetry.core.masonry.api"\n'
PROJECT = '[project]\nname = "Tree.Thing"\nversion = "3.1"\n'


LAYOUTS = {
    "a .pth by hatchling": (HATCHLING + PROJECT, "src/tree_thing/__init__.py"),
    "a .pth by pdm": (PDM + PROJECT, "src/tree_thing/__init__.py"),
    "a .pth by poetry": (POETRY + PROJECT, "src/tree_thing/__init__.py"),
    "a .pth by setuptools": (SETUPTOOLS + PROJECT, "src/tree_thing/__init__.py"),
    "a finder by setuptools": (
        f'{SETUPTOOLS}{PROJECT}[tool.setuptools]\npackages = ["tree_thing"]\n',
        "tree_thing/__init__.py",
    ),
}


def editable(env: Env, tree: Path, layout: str) -> Path:
    """Install a tree as editable for real; returns the dist-info."""
    pyproject, package = LAYOUTS[layout]
    write(tree, {"pyproject.toml": pyproject, package: "", "notes/__init__.py": ""})
    run(UV, "pip", "install", "--quiet", "--python", env.python, "-e", tree)
    assert bool(list(tree.rglob("*.egg-info"))) == ("setuptools" in layout)
    return next(env.site.glob("*.dist-info"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_editable_installs(env: Env, tmp_path: Path, layout: str) -> None:
    """The egg-info that setuptools leaves in the tree is not a second copy, even where it is seen first."""
    tree = tmp_path / "tree ü"
    info = editable(env, tree, layout)
    for path in ("", f"{tree}{os.pathsep}{tree / 'src'}"):
        seen = env.probe(PYTHONPATH=path)
        [one] = seen.distributions
        assert (one.name, one.version, one.editable, one.source_tree) == ("tree-thing", "3.1", True, tree)
        assert (one.metadata, one.record, seen.shadowed) == (info, True, ())


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if "setuptools" in name])
def test_editable_installs_of_older_tools_have_no_direct_url(env: Env, tmp_path: Path, layout: str) -> None:
    info = editable(env, tmp_path / "tree ü", layout)
    (info / "direct_url.json").unlink()
    one = env.find("tree-thing")
    assert (one.direct_url, one.editable, one.source_tree) == (None, True, tmp_path / "tree ü")


@pytest.mark.parametrize("base", [".", "src"])
def test_legacy_develop_installs(env: Env, tmp_path: Path, base: str) -> None:
    """What `setup.py develop` leaves: an .egg-link, a line in easy-install.pth, the egg-info in the tree."""
    tree = tmp_path / "tree"
    folder = (tree / base).resolve()
    legacy_tree(tree, f"{base}/old_thing.egg-info")
    (env.site / "old-thing.egg-link").write_text(f"{folder}\n{'.' if base == '.' else '../'}")
    (env.site / "easy-install.pth").write_text(f"{folder}\n")
    info = folder / "old_thing.egg-info"
    expected = Distribution("old-thing", "0.9", folder, info, editable=True, source_tree=tree, record=False)
    assert env.probe().distributions == (expected,)
    (env.site / "easy-install.pth").unlink()
    assert env.probe().distributions == (), "a link alone makes nothing importable"


def test_a_source_tree_on_pythonpath_is_editable(env: Env, tmp_path: Path) -> None:
    tree = legacy_tree(tmp_path / "tree", "src/old_thing.egg-info")
    found = env.find("old-thing", PYTHONPATH=str(tree / "src"))
    assert (found.editable, found.source_tree) == (True, tree)


def test_the_working_directory_is_not_an_installation(env: Env) -> None:
    legacy_tree(env.cwd)
    assert env.probe().distributions == ()


def test_eggs_unpacked_and_zipped(env: Env) -> None:
    unpacked, zipped = env.site / "One-1.5-py3.11.egg", env.site / "Two-2.5-py3.11.egg"
    write(unpacked, {"EGG-INFO/PKG-INFO": "Name: One\nVersion: 1.5\n"})
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("EGG-INFO/PKG-INFO", "Name: Two\nVersion: 2.5\n")
    (env.site / "easy-install.pth").write_text(f"./{unpacked.name}\n./{zipped.name}\n")
    assert env.probe().distributions == (
        Distribution("one", "1.5", unpacked, unpacked / "EGG-INFO", record=False),
        Distribution("two", "2.5", zipped, zipped, record=False),
    )


def test_packages_of_distutils_and_linux_distributions(env: Env) -> None:
    """A single file, or an egg-info directory that `setup.py install` put into the site directory."""
    write(env.site, {"flat-1.2.egg-info": "Metadata-Version: 1.0\nName: flat\nVersion: 1.2\n"})
    write(env.site / "wide.egg-info", {"PKG-INFO": "Name: wide\nVersion: 0.3\n", "SOURCES.txt": "setup.py\n"})
    write(env.path, {"setup.py": ""})
    assert env.probe().distributions == (
        Distribution("flat", "1.2", env.site, env.site / "flat-1.2.egg-info", record=False),
        Distribution("wide", "0.3", env.site, env.site / "wide.egg-info", record=False),
    )


def test_the_first_copy_wins_and_the_others_are_told(env: Env, tmp_path: Path) -> None:
    first = installed(tmp_path / "first", "thing", "1.0")
    second = installed(env.site, "thing", "2.0")
    installed(env.site, "other")
    seen = env.probe(PYTHONPATH=str(tmp_path / "first"))
    assert [(one.name, one.metadata) for one in seen.distributions] == [
        ("other", env.site / "other-1.0.dist-info"),
        ("thing", first),
    ]
    assert [(one.version, one.metadata) for one in seen.shadowed] == [("2.0", second)]


def test_one_directory_under_two_names_is_one(env: Env, tmp_path: Path) -> None:
    installed(env.site, "thing")
    (tmp_path / "link").symlink_to(env.site)
    seen = env.probe(PYTHONPATH=str(tmp_path / "link"))
    assert (len(seen.distributions), seen.shadowed) == (1, ())


def test_two_descriptions_in_one_place_are_one_unless_they_differ(env: Env) -> None:
    installed(env.site, "thing", "1.0")
    write(env.site / "thing.egg-info", {"PKG-INFO": "Name: thing\nVersion: 1.0\n"})
    assert env.probe().shadowed == ()
    installed(env.site, "thing", "1.1")
    assert [one.version for one in env.probe().shadowed] == ["1.1"]


def test_rests_of_broken_removals_are_not_installed(env: Env) -> None:
    installed(env.site, "~hing")
    write(env.site / "gone-1.0.dist-info", {"LICENSE": "text"})
    headless = installed(env.site, "headless", "1.0", METADATA="")
    assert [one.metadata for one in env.probe().distributions] == [headless]


def test_what_an_environment_prints_does_no_harm(env: Env) -> None:
    noise = "import atexit, os; print('{\"noise\": 1} <'); os.write(1, b'\\xff\\x00'); atexit.register(print, '<late>')"
    (env.site / "sitecustomize.py").write_text(noise + "\nimport sys; sys.stdout = open(os.devnull, 'w')\n")
    (env.site / "noise.pth").write_text("import sys; sys.stdout.write('from a pth')\n")
    installed(env.site, "thing")
    assert [one.name for one in env.probe(PYTHONIOENCODING="ascii", LC_ALL="C").distributions] == ["thing"]


def test_the_script_leaves_no_trace(env: Env) -> None:
    write(env.site, {"sitecustomize.py": "import helper\n", "helper.py": ""})
    before = sorted(env.path.rglob("*"))
    env.probe()
    assert sorted(env.path.rglob("*")) == before


@pytest.mark.parametrize("python", OLD, ids=lambda path: path.parents[1].name)
def test_old_interpreters_are_refused(python: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape(f"is Python {python.parents[1].name}; repro works with 3.8")):
        probe(python, cwd=tmp_path, env=plain({}))


def test_an_interpreter_that_says_it_is_old_is_refused(env: Env) -> None:
    (env.site / "sitecustomize.py").write_text("import sys; sys.version_info = (3, 7, 17)\n")
    with pytest.raises(UsageError, match=r"is Python 3\.7\.17; repro works with 3\.8") as caught:
        env.probe()
    assert "--python" in (caught.value.fix or "")


def test_an_interpreter_that_fails_shows_its_last_words(env: Env) -> None:
    (env.site / "sitecustomize.py").write_text("import os, sys; print('disk on fire', file=sys.stderr); os._exit(3)\n")
    with pytest.raises(InfrastructureError, match="exit code 3") as caught:
        env.probe()
    assert "disk on fire" in caught.value.details
    assert str(env.python) in str(caught.value)


def test_what_is_no_interpreter(tmp_path: Path) -> None:
    missing, text, other = tmp_path / "missing", tmp_path / "text", tmp_path / "other"
    text.write_bytes(b"\x7fELF nonsense")
    text.chmod(0o755)
    other.symlink_to(shutil.which("true") or "/bin/true")
    for path, message in ((missing, "not found"), (text, "can't be run"), (other, "failed to describe itself")):
        with pytest.raises(InfrastructureError, match=message):
            probe(path, cwd=tmp_path, env=plain({}))


def test_requirements_are_read_whatever_licence_stands_before_them(env: Env) -> None:
    """Hatchling folds a licence's text into the header, with lines of nothing but spaces."""
    head = "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\nLicense: BSD\n        \n        Copyright\n"
    text = f'{head}Requires-Dist: six>=1; extra == "x"\nRequires-Dist: numpy\n\nRequires-Dist: not-this\n'
    installed(env.site, "thing", METADATA=text)
    installed(env.site, "numbered", WHEEL="Wheel-Version: 1.0\nBuild: 2b\nTag: py3-none-any\n")
    assert env.find("thing").requires == ('six>=1; extra == "x"', "numpy")
    assert (env.find("numbered").build, env.find("thing").build) == ("2b", "")
