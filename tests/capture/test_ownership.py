"""Whether imported modules are what installed packages brought: real installs, and metadata as old tools left it."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import repro.runner.hook
from repro.capture.model import Distribution, Interpreter
from repro.capture.ownership import check_imports
from tests.capture.packages.installed import Venv, write


class Site:
    """A site-packages folder of an interpreter that is only described."""

    def __init__(self, home: Path, folder: str = ".venv/lib/python3.11/site-packages") -> None:
        self.home = home
        self.folder = home / folder
        self.folder.mkdir(parents=True)
        self.distributions: list[Distribution] = []

    def install(self, name: str, files: Mapping[str, str], record: str | None = None) -> Distribution:
        """Files with a RECORD, or with the one given."""
        write(self.folder, dict(files))
        metadata = self.folder / f"{name}-1.0.dist-info"
        lines = [f"{path},sha256={_hash(content)},{len(content)}" for path, content in files.items()]
        write(metadata, {"RECORD": "\n".join(lines) if record is None else record})
        return self.add(Distribution(name, "1.0", self.folder, metadata))

    def add(self, distribution: Distribution) -> Distribution:
        self.distributions.append(distribution)
        return distribution

    def check(self, *files: str | Path, published: tuple[str, ...] = (), sys_path: tuple[str, ...] = ()) -> list[str]:
        modules = {Path(file).with_suffix("").name: str(self.folder / file) for file in files}
        return list(check_imports(modules, self.interpreter(sys_path), published))

    def interpreter(self, sys_path: tuple[str, ...] = ()) -> Interpreter:
        return Interpreter(
            executable=self.home / ".venv/bin/python",
            base_executable=Path("/usr/bin/python3"),
            prefix=self.home / ".venv",
            base_prefix=Path("/usr"),
            implementation="cpython",
            version="3.11.2",
            system="Linux",
            machine="x86_64",
            platform="linux-x86_64",
            soabi="",
            glibc=None,
            paths={"purelib": str(self.folder), "platlib": str(self.folder)},
            sys_path=(str(self.folder), *sys_path),
            distributions=tuple(self.distributions),
        )


def _hash(content: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "project")


def test_what_the_run_itself_installed_is_told_as_such(site: Site) -> None:
    site.install("six", {"six.py": ""})
    known = site.distributions.copy()
    site.install("tabulate", {"tabulate/__init__.py": ""})
    site.distributions = known
    (told,) = site.check("six.py", "tabulate/__init__.py")
    assert told.startswith("tabulate 1.0 (module __init__) was installed while the run was under way; ")


def test_a_real_install_edited_and_added_to(tmp_path: Path) -> None:
    venv = Venv(tmp_path / "venv")
    venv.uv("six")
    interpreter = venv.interpreter()
    folder = Path(interpreter.paths["purelib"])
    modules = {"six": str(folder / "six.py"), "_virtualenv": str(folder / "_virtualenv.py"), "os": "/usr/lib/os.py"}
    assert check_imports(modules, interpreter, ["six"]) == ()

    six = folder / "six.py"
    content = six.read_text()
    six.unlink()  # it may be a hard link into a cache
    six.write_text(content + "# mine\n")
    write(folder, {"mine.py": ""})
    version = next(one.version for one in interpreter.distributions if one.name == "six")
    assert check_imports({**modules, "mine": str(folder / "mine.py")}, interpreter, ["six"]) == (
        (
            "mine.py (module mine) in site-packages belongs to no installed package, so nothing would bring it into "
            "the image; install it as a package, or let it in with --allow-loose mine"
        ),
        (
            f"six {version}: six.py was edited after it was installed; reinstall the package, or let it into the "
            "image as it is with --allow-patched six"
        ),
    )
    assert check_imports(modules, interpreter, []) == (), "what isn't published is packed as it is"


def test_many_files_make_one_line(site: Site) -> None:
    names = [f"pkg/m{number}.py" for number in range(4)]
    site.install("pkg", dict.fromkeys(names, "x"))
    write(site.folder, dict.fromkeys([*names, "own/a.py", "own/b.py", "other.py"], "y"))
    problems = site.check(*names, "own/a.py", "own/b.py", "other.py", published=("pkg",))
    assert [problem.split(";")[0] for problem in problems] == [
        (
            "other.py (module other) in site-packages belongs to no installed package, so nothing would bring it into "
            "the image"
        ),
        (
            "own/a.py (module a) and 1 more file in site-packages belong to no installed package, so nothing would "
            "bring them into the image"
        ),
        "pkg 1.0: pkg/m0.py and 3 more files were edited after they were installed",
    ]


def test_what_needs_no_owner(site: Site, tmp_path: Path) -> None:
    write(site.folder, dict.fromkeys(("_virtualenv.py", "p/__pycache__/q.cpython-311.pyc", "src/dev/dev.py"), ""))
    write(site.home, {"mine.py": ""})
    tree = site.folder / "src/dev"
    site.add(Distribution("dev", "1", tree, tree / "dev.egg-info", editable=True, source_tree=tree, record=False))
    hook = Path(repro.runner.hook.__file__).parent / "sitecustomize.py"
    files = ("_virtualenv.py", "p/__pycache__/q.cpython-311.pyc", tree / "dev.py", site.home / "mine.py", hook)
    assert site.check(*files) == []


def test_an_editable_project_around_the_environment_hides_nothing(site: Site) -> None:
    """The project is installed editable, and the environment lies inside of it."""
    site.add(Distribution("p", "1", site.folder, site.folder / "p", editable=True, source_tree=site.home))
    write(site.folder, {"loose.py": "", "sitecustomize.py": ""})
    assert len(site.check("loose.py", "sitecustomize.py")) == 2


def test_records_of_other_shapes(site: Site) -> None:
    write(site.folder, dict.fromkeys(("a.py", "b,c.py", "d.py", "e.py", "f.py"), "new"))
    record = f'a.py,,\n"b,c.py",sha256={_hash("old")},3\n{site.folder}/d.py,md5=x,\nf.py,sha999=x,\n../e.py,,\n\n'
    site.install("odd", {}, record)
    problems = site.check("a.py", "b,c.py", "d.py", "e.py", "f.py", published=("odd",))
    assert [problem.split(" ")[0] for problem in problems] == ["e.py", "odd"]
    assert "b,c.py was edited" in problems[1]


def test_a_file_of_two_packages_is_right_when_it_is_either_ones(site: Site) -> None:
    site.install("headless", {"cv.py": "headless"})
    site.install("full", {"cv.py": "full"})
    assert site.check("cv.py", published=("full", "headless")) == []


def test_links_lead_to_the_same_file(site: Site, tmp_path: Path) -> None:
    site.install("pkg", {"pkg/a.py": "x"})
    (tmp_path / "other name").symlink_to(site.home)
    linked = tmp_path / "other name" / site.folder.relative_to(site.home)
    (site.folder / "cached.py").symlink_to(write(tmp_path / "cache", {"ab": "y"}) / "ab")
    site.install("linked", {}, f"cached.py,sha256={_hash('y')},1")
    assert site.check(linked / "pkg/a.py", linked / "cached.py", published=("pkg", "linked")) == []
    (tmp_path / "cache" / "ab").write_text("z")
    write(linked, {"loose.py": ""})
    assert len(site.check(linked / "loose.py", "cached.py", published=("pkg", "linked"))) == 2


def test_metadata_without_a_record(site: Site) -> None:
    listed, topped = site.folder / "listed.egg-info", site.folder / "topped.egg-info"
    write(listed, {"installed-files.txt": "../listed.py\nPKG-INFO\n", "top_level.txt": "listed\nlisted_extra\n"})
    write(topped, {"top_level.txt": "topped\ntopped_too\n"})
    for name, metadata in (("listed", listed), ("topped", topped)):
        site.add(Distribution(name, "1.0", site.folder, metadata, record=False))
    files = ("listed.py", "listed_extra.py", "topped/deep/x.py", "topped_too.cpython-311.so", "loose.py")
    write(site.folder, dict.fromkeys(files, ""))
    problems = site.check(*files)
    assert [problem.split(" ")[0] for problem in problems] == ["listed_extra.py", "loose.py"]
    site.add(Distribution("silent", "1.0", site.folder, site.folder / "silent.egg-info", record=False))
    assert site.check(*files) == [], "nothing tells what silent holds"


def test_other_folders_of_the_interpreter_count(site: Site, tmp_path: Path) -> None:
    target, shared, user = tmp_path / "target", tmp_path / "shared", tmp_path / "user/site-packages"
    for folder in (target, shared, user):
        write(folder, {f"in_{folder.name}.py": ""})
    site.add(Distribution("pkg", "1.0", target, target / "pkg.dist-info"))
    files = [folder / f"in_{folder.name}.py" for folder in (target, shared, user)]
    problems = site.check(*files, sys_path=(str(target), str(shared), str(user)))
    assert [problem.split(" ")[0] for problem in problems] == ["in_site-packages.py", "in_target.py"]


def test_packages_that_debian_patched_are_not_edited(tmp_path: Path) -> None:
    problems = []
    for installer in ("", "pip"):
        site = Site(tmp_path / f"by{installer}", "lib/python3/dist-packages")
        pkg = site.install("pkg", {"a.py": "x"})
        site.distributions = [replace(pkg, installer=installer)]
        write(site.folder, {"a.py": "y"})
        problems += site.check("a.py", published=("pkg",))
    assert len(problems) == 1, "pip says who it is"


def test_content_that_conda_relocates_is_not_edited(site: Site) -> None:
    pkg = site.install("pkg", {"a.py": "/placeholder", "b.py": "x"})
    site.distributions = [Distribution("pkg", "1.0", pkg.location, pkg.metadata, installer="conda")]
    write(site.folder, {"a.py": str(site.home / ".venv"), "b.py": "y"})
    (problem,) = site.check("a.py", "b.py", published=("pkg",))
    assert problem.startswith("pkg 1.0: b.py was edited")
