"""Installs without a RECORD, made by the tools that made them, packed into wheels that install the same modules."""

import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from repro.capture.model import Distribution, Interpreter
from repro.capture.ownership import check_imports
from repro.capture.packages.origins import built_wheel, local_wheel
from repro.capture.packages.unlisted import contents_of
from repro.capture.packages.unrecorded import is_recorded, unrecorded_wheel, with_requirements
from repro.errors import CaptureError
from tests.capture.packages.installed import Venv, run, write

SETUP = """
from setuptools import setup
setup(
    name="Old_Thing", version="0.9", packages=["old_thing", "old_thing.deep"], package_data={"old_thing": ["*.txt"]},
    scripts=["old-script"], entry_points={"console_scripts": ["old-main = old_thing:main"]}, zip_safe=ZIP,
    extras_require={"more": ["six>=1"]},
)
"""
TREE = {
    "old_thing/__init__.py": "def main():\n    print('old')\n",
    "old_thing/deep/__init__.py": "DEEP = 1\n",
    "old_thing/data.txt": "data\n",
    "old-script": "#!/usr/bin/python3\nimport old_thing; print('script', old_thing.__name__)\n",
}
MODULES = {"old_thing/__init__.py", "old_thing/deep/__init__.py", "old_thing/data.txt"}
WAYS = {
    "zipped egg": ("install", True),
    "unpacked egg": ("install", False),
    "egg-info": ("install --single-version-externally-managed --record files.txt", False),
}


@pytest.fixture(scope="module")
def setuptools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the last setuptools whose `setup.py install` and `develop` are those of old."""
    folder = tmp_path_factory.mktemp("setuptools")
    run(sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, "setuptools==79.0.1")
    return folder


def setup(venv: Venv, setuptools: Path, tree: Path, command: str, *, zip_safe: bool = False) -> None:
    write(tree, {**TREE, "setup.py": SETUP.replace("ZIP", str(zip_safe))})
    script = f"import sys; sys.path.insert(0, {str(setuptools)!r}); sys.argv = ['setup.py', *sys.argv[1:]]"
    program = f"{script}; __file__ = 'setup.py'; exec(open('setup.py').read())"
    run(venv.python, "-W", "ignore", "-c", program, "--quiet", *command.split(), cwd=tree)


@pytest.fixture(scope="module", params=WAYS)
def legacy(request: pytest.FixtureRequest, setuptools: Path, tmp_path_factory: pytest.TempPathFactory) -> Venv:
    folder = tmp_path_factory.mktemp("legacy")
    venv = Venv(folder / "laptop")
    command, zip_safe = WAYS[request.param]
    setup(venv, setuptools, folder / "tree", command, zip_safe=zip_safe)
    eggs = [path for path in venv.path.rglob("Old?Thing*") if path.parent.name == "site-packages"]
    assert [(path.suffix, path.is_file()) for path in eggs] == [
        (".egg-info" if request.param == "egg-info" else ".egg", zip_safe)
    ]
    return venv


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_what_old_tools_installed_becomes_a_wheel_that_installs_the_same(legacy: Venv, tmp_path: Path) -> None:
    distribution, interpreter = legacy.distribution("old-thing")
    assert not is_recorded(distribution)
    made = built_wheel(distribution, interpreter, tmp_path / "first")
    assert made.path.name == "old_thing-0.9-py3-none-any.whl"
    assert names(made.path) >= MODULES
    assert not [name for name in names(made.path) if name.endswith(".pyc") or "EGG-INFO" in name or "egg-info" in name]
    again = built_wheel(distribution, interpreter, tmp_path / "second")
    assert again.path.read_bytes() == made.path.read_bytes()

    fresh = Venv(tmp_path / "fresh")
    fresh.uv("--no-index", made.path)
    assert run(fresh.path / "bin" / "old-main") == "old\n"
    told = run(fresh.python, "-c", "import old_thing.deep, importlib.metadata as m; print(m.requires('old-thing'))")
    assert "six>=1" in told
    if distribution.metadata.suffix != ".egg-info":
        assert run(fresh.path / "bin" / "old-script") == "script old_thing\n"


def test_modules_of_such_installs_belong_to_a_package(legacy: Venv) -> None:
    code = "import old_thing.deep, sys; print(*(f'{m}={sys.modules[m].__file__}' for m in sys.modules if 'old_' in m))"
    modules = dict(word.split("=") for word in run(legacy.python, "-c", code).split())
    assert modules.keys() == {"old_thing", "old_thing.deep"}
    assert check_imports(modules, legacy.interpreter(), ["old-thing"]) == ()


def test_a_develop_install_is_built_from_its_tree(setuptools: Path, tmp_path: Path) -> None:
    venv = Venv(tmp_path / "laptop")
    setup(venv, setuptools, tmp_path / "tree", "develop")
    assert list(venv.path.rglob("*.egg-link"))
    distribution, interpreter = venv.distribution("old-thing")
    assert (distribution.editable, distribution.source_tree) == (True, tmp_path / "tree")
    made = local_wheel(distribution, interpreter, tmp_path, tmp_path / "scratch")
    assert made is not None
    assert (made.origin, made.source) == ("editable", "tree")
    assert {"old_thing/__init__.py", "old_thing/deep/__init__.py"} <= names(made.path)


class Site:
    """A site-packages directory that is only described."""

    def __init__(self, folder: Path, interpreter: Interpreter) -> None:
        self.folder = folder
        self.bare = replace(interpreter, distributions=())
        self.distributions: list[Distribution] = []

    def add(self, name: str, metadata: str, files: dict[str, str]) -> Distribution:
        write(self.folder, files)
        one = Distribution(name, "1.0", self.folder, self.folder / metadata, record=False)
        self.distributions.append(one)
        return one

    @property
    def interpreter(self) -> Interpreter:
        return replace(self.bare, distributions=tuple(self.distributions))

    def files(self, one: Distribution, dpkg: Path = Path("/nowhere")) -> set[str]:
        return set(contents_of(one, self.interpreter, dpkg).files)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site", Venv(tmp_path / "bare").interpreter())


def test_a_metadata_file_of_distutils_tells_nothing_but_a_name(site: Site, tmp_path: Path) -> None:
    head = {"Flat_Thing-1.0.egg-info": "Metadata-Version: 1.0\nName: Flat_Thing\nVersion: 1.0\n\nText\n"}
    one = site.add("flat-thing", "Flat_Thing-1.0.egg-info", {**head, "flat_thing.py": "", "other.py": ""})
    warnings: list[str] = []
    wheel = unrecorded_wheel(one, site.interpreter, tmp_path / "out", warnings.append)
    info = "flat_thing-1.0.dist-info"
    assert names(wheel) == {"flat_thing.py", f"{info}/METADATA", f"{info}/WHEEL", f"{info}/RECORD"}
    assert warnings == [
        "its installer left no list of its files, so what has the names of its top-level packages was taken"
    ]


def test_an_installed_list_counts_more_than_names(site: Site) -> None:
    listed = {"thing.egg-info/installed-files.txt": "../thing/__init__.py\n../../bin/thing\n../thing/a.pyc\nPKG-INFO\n"}
    tops = {"thing.egg-info/top_level.txt": "thing\n", "thing.egg-info/PKG-INFO": "Name: thing\n"}
    one = site.add("thing", "thing.egg-info", {**listed, **tops, "thing/__init__.py": "", "thing/strange.py": ""})
    assert site.files(one) == {"thing/__init__.py"}


def test_packages_that_share_a_namespace_keep_apart(site: Site) -> None:
    for part in ("a", "b"):
        write(
            site.folder,
            {
                f"spread.{part}.egg-info/top_level.txt": "spread\n",
                f"spread.{part}.egg-info/namespace_packages.txt": "spread\n",
                f"spread.{part}.egg-info/SOURCES.txt": f"setup.py\nsrc/spread/__init__.py\nsrc/spread/{part}/m.py\n",
                f"spread.{part}.egg-info/PKG-INFO": f"Name: spread.{part}\n",
                "spread/__init__.py": "__import__('pkg_resources').declare_namespace(__name__)\n",
                f"spread/{part}/m.py": "",
            },
        )
    first, second = (site.add(f"spread-{part}", f"spread.{part}.egg-info", {}) for part in ("a", "b"))
    assert site.files(first) == {"spread/__init__.py", "spread/a/m.py"}
    assert site.files(second) == {"spread/__init__.py", "spread/b/m.py"}


def test_what_others_list_is_theirs(site: Site) -> None:
    recorded = site.add("recorded", "recorded-1.0.dist-info", {"thing/of_another.py": ""})
    write(recorded.metadata, {"RECORD": "thing/of_another.py,,\n"})
    site.distributions = [replace(recorded, record=True)]
    one = site.add("thing", "thing.egg-info", {"thing/m.py": "", "thing.egg-info/top_level.txt": "thing\n"})
    assert site.files(one) == {"thing/m.py"}


def test_debian_knows_what_it_installed(site: Site, tmp_path: Path) -> None:
    site.folder = tmp_path / "lib" / "python3" / "dist-packages"
    one = site.add("apt", "python_apt-2.6.0.egg-info", {"apt/a.py": "", "apt_pkg.cpython-311-x86_64-linux-gnu.so": ""})
    write(one.metadata, {"top_level.txt": "apt\n", "PKG-INFO": "Name: apt\n"})
    write(one.location, {"apt/by-hand.py": ""})
    paths = ["apt", "apt/a.py", "apt_pkg.cpython-311-x86_64-linux-gnu.so", "python_apt-2.6.0.egg-info"]
    dpkg = write(
        tmp_path / "dpkg", {"python3-apt.list": "/.\n/usr\n" + "".join(f"{one.location}/{p}\n" for p in paths)}
    )
    assert site.files(one, dpkg) == {"apt/a.py", "apt_pkg.cpython-311-x86_64-linux-gnu.so"}
    patched = replace(one, metadata=one.location / "apt-2.6.0.dist-info", record=True, tags=("py3-none-any",))
    assert not is_recorded(patched), "its RECORD is that of a build"
    assert is_recorded(replace(patched, installer="pip"))


def test_extension_modules_make_it_a_wheel_for_this_machine(site: Site, tmp_path: Path) -> None:
    files = {"fast.cpython-311-x86_64-linux-gnu.so": "", "fast.egg-info/top_level.txt": "fast\n"}
    one = site.add("fast", "fast.egg-info", files)
    interpreter = replace(
        site.interpreter, version="3.11.7", implementation="cpython", soabi="", platform="linux-x86_64"
    )
    assert unrecorded_wheel(one, interpreter, tmp_path).name == "fast-1.0-cp311-cp311-linux_x86_64.whl"


def test_where_nothing_tells_it_is_refused(site: Site, tmp_path: Path) -> None:
    one = site.add("mystery", "mystery.egg-info", {"mystery.egg-info/PKG-INFO": "Name: mystery\n"})
    with pytest.raises(CaptureError, match=r"mystery 1\.0 is on no package index, and nothing tells which files"):
        unrecorded_wheel(one, site.interpreter, tmp_path)


def test_requirements_of_egg_info() -> None:
    requires = 'six>=1\n\n[:python_version < "3"]\nfutures\n\n[more]\nrich\n\n[more:os_name == "nt" or True]\nwin\n'
    told = with_requirements("Metadata-Version: 1.2\nName: x\nVersion: 1\n\nBody\n\nmore\n", requires)
    assert told == (
        "Metadata-Version: 2.1\nName: x\nVersion: 1\n"
        'Requires-Dist: six>=1\nRequires-Dist: futures; python_version < "3"\n'
        'Provides-Extra: more\nRequires-Dist: rich; extra == "more"\n'
        'Provides-Extra: more\nRequires-Dist: win; extra == "more" and (os_name == "nt" or True)\n'
        "\nBody\n\nmore\n"
    )
    kept = "Metadata-Version: 2.1\nName: x\nRequires-Dist: own\n"
    assert with_requirements(kept, requires) == kept
