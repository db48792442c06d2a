"""From a real environment to locked packages: everything at its installed version, and nothing left out."""

import io
import random
import re
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from repro.capture.model import Distribution, Interpreter
from repro.capture.packages.index import IndexClient, IndexFile
from repro.capture.packages.lock_packages import lock_packages
from repro.capture.packages.origins import LocalWheel, local_wheel
from repro.capture.packages.settings import IndexSettings, load_settings
from repro.capture.packages.stand_ins import StandIns
from repro.digest import Digest
from repro.errors import CaptureError, IntegrityError
from repro.lock import Package
from repro.progress import Silent
from repro.store import ObjectStore, project_store
from tests.capture.packages.installed import Venv, run, write
from tests.http.servers import Listing, download_wheels, html_page, publish, serve

BOTH = ("linux/amd64", "linux/arm64")
SIX = "six-1.17.0-py2.py3-none-any.whl"


class Warnings(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def warn(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Interpreter:
    """A real venv with six, iniconfig and MarkupSafe as published."""
    folder = tmp_path_factory.mktemp("installed")
    download_wheels(folder / "wheels")
    venv = Venv(folder / "venv")
    venv.pip("--no-index", "--find-links", folder / "wheels", "six", "iniconfig", "markupsafe")
    return venv.interpreter()


class Locking:
    """One project's way of locking, with what a test wants to know of it afterwards."""

    def __init__(self, root: Path, interpreter: Interpreter, settings: IndexSettings) -> None:
        self.root = root
        self.interpreter = interpreter
        self.store = project_store(root)
        self.progress = Warnings()
        self.previous: dict[str, Package] = {}
        self.preferred: dict[str, str] = {}
        (root / "scratch").mkdir(parents=True, exist_ok=True)
        self.client = IndexClient(settings, cache=ObjectStore(root / "cache"), pages=root / "pages")

    def lock(self, *targets: str) -> tuple[Package, ...]:
        return lock_packages(
            self.interpreter,
            targets=targets or BOTH[:1],
            glibc="2.36",
            client=self.client,
            local_wheels=lambda one: local_wheel(one, self.interpreter, self.root, self.root / "scratch"),
            built_wheels=self.built,
            store=self.store,
            progress=self.progress,
            preferred=self.preferred,
        )

    def built(self, distribution: Distribution, files: Sequence[IndexFile]) -> LocalWheel:
        stand_ins = StandIns(
            self.interpreter, self.root / "scratch", self.client, self.store, self.previous, self.root / "pip-cache"
        )
        return stand_ins.make(distribution, files)


def without(interpreter: Interpreter, *names: str) -> Interpreter:
    kept = tuple(one for one in interpreter.distributions if one.name not in names)
    return replace(interpreter, distributions=kept)


def only(interpreter: Interpreter, name: str, **changes: object) -> Interpreter:
    (one,) = (one for one in interpreter.distributions if one.name == name)
    return replace(interpreter, distributions=(replace(one, **changes),))  # type: ignore[arg-type]


def test_every_package_is_locked_for_every_target(
    tmp_path: Path, interpreter: Interpreter, wheels: dict[str, bytes]
) -> None:
    with serve() as server:
        url = publish(server, wheels)
        packages = Locking(tmp_path, interpreter, IndexSettings(url)).lock(*BOTH)
    assert [(one.name, one.version, one.origin, one.source) for one in packages] == [
        ("iniconfig", "2.0.0", "index", url),
        ("markupsafe", "3.0.2", "index", url),
        ("six", "1.17.0", "index", url),
    ]
    for package in packages:
        for file in package.files:
            assert (file.sha256, file.size) == (Digest.of(wheels[file.name]), len(wheels[file.name]))
            assert file.url == f"{server.url}/files/{file.name}"
    assert [file.targets for file in packages[1].files] == [("linux/arm64",), ("linux/amd64",)]
    assert [file.targets for file in packages[2].files] == [BOTH]
    assert not (tmp_path / ".repro").exists()


@pytest.mark.parametrize("how", ["published", "editable"])
def test_what_only_another_package_asked_for_was_not_requested(
    tmp_path: Path, wheels: dict[str, bytes], how: str
) -> None:
    """As pip notes it: a project that needs iniconfig is installed, and six."""
    settings = '[build-system]\nrequires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n'
    project = '[project]\nname = "asker"\nversion = "1.0"\ndescription = "-"\ndependencies = ["iniconfig==2.0.0"]\n'
    tree = write(tmp_path / "p" / "asker", {"pyproject.toml": settings + project, "asker.py": ""})
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path / "wheels", tree)
    (wheel,) = (tmp_path / "wheels").iterdir()
    venv = Venv(tmp_path / "venv")
    venv.pip(*(["--find-links", wheel.parent, "asker"] if how == "published" else ["-e", tree]), "six==1.17.0")
    with serve() as server:
        url = publish(server, {**wheels, wheel.name: wheel.read_bytes()})
        packages = Locking(tmp_path / "p", venv.interpreter(), IndexSettings(url)).lock()
        assert Locking(tmp_path / "p", venv.interpreter(), IndexSettings(url)).lock() == packages
    assert [(one.name, one.origin, one.requested) for one in packages] == [
        ("asker", "index" if how == "published" else "editable", True),
        ("iniconfig", "index", False),
        ("six", "index", True),
    ]


def test_the_form_of_the_index_and_any_order_give_the_same_lock(
    tmp_path: Path, interpreter: Interpreter, wheels: dict[str, bytes]
) -> None:
    shuffled = list(interpreter.distributions)
    random.Random(7).shuffle(shuffled)
    other = replace(interpreter, distributions=tuple(shuffled))
    with serve() as server:
        url = publish(server, wheels, style="html")
        first = Locking(tmp_path / "1", interpreter, IndexSettings(url)).lock(*BOTH)
        publish(server, dict(reversed(wheels.items())), style="json")
        assert Locking(tmp_path / "2", other, IndexSettings(url)).lock(*reversed(BOTH)) == first
        publish(server, wheels, style="json", hashes=False)
        assert Locking(tmp_path / "3", other, IndexSettings(url)).lock(*BOTH) == first


def test_credentials_never_reach_the_lock(tmp_path: Path, interpreter: Interpreter, wheels: dict[str, bytes]) -> None:
    with serve() as server:
        url = publish(server, wheels)
        server.require("ann", "s3cret")
        packages = Locking(tmp_path, interpreter, IndexSettings(url.replace("//", "//ann:s3cret@"))).lock()
    assert "s3cret" not in repr(packages)
    assert packages[0].source == url


def test_what_only_a_folder_of_this_machine_has_goes_into_the_store(
    tmp_path: Path, interpreter: Interpreter, wheels: dict[str, bytes]
) -> None:
    folder = tmp_path / "wheelhouse"
    folder.mkdir()
    (folder / SIX).write_bytes(wheels[SIX])
    with serve() as server:
        url = publish(server, {name: body for name, body in wheels.items() if name != SIX})
        locking = Locking(tmp_path / "p", interpreter, IndexSettings(url, (), (folder.as_uri(),)))
        six = locking.lock()[-1]
    assert (six.name, six.origin, six.source, six.files[0].url) == ("six", "local", SIX, None)
    assert locking.store.checked_path(six.files[0].sha256).read_bytes() == wheels[SIX]
    assert str(tmp_path) not in repr(six)


def test_a_local_page_that_lies_about_a_hash_is_refused(
    tmp_path: Path, interpreter: Interpreter, wheels: dict[str, bytes]
) -> None:
    page = tmp_path / "simple" / "six"
    page.mkdir(parents=True)
    (page / SIX).write_bytes(wheels[SIX] + b"tampered")
    (page / "index.html").write_bytes(html_page([Listing(SIX, SIX, Digest.of(wheels[SIX]).hex)]))
    locking = Locking(tmp_path / "p", only(interpreter, "six"), IndexSettings((tmp_path / "simple").as_uri()))
    with pytest.raises(IntegrityError, match="is not the file that its index announces"):
        locking.lock()


def test_an_install_that_no_index_has_becomes_a_wheel_of_its_own(tmp_path: Path, interpreter: Interpreter) -> None:
    with serve() as server:
        locking = Locking(tmp_path, only(interpreter, "six"), IndexSettings(f"{server.url}/simple"))
        (six,) = locking.lock(*BOTH)
    assert (six.origin, six.files[0].url, six.files[0].targets) == ("built", None, BOTH)
    assert locking.progress.lines == ["six 1.17.0 is on no index: locked as a wheel made from the installed files"]
    offered = locking.store.offer_wheel(six.files[0].sha256, six.files[0].name)
    subprocess.run([sys.executable, "-m", "zipfile", "-t", offered], check=True, capture_output=True)


def test_a_binary_that_was_built_here_serves_here_and_the_index_elsewhere(
    tmp_path: Path, interpreter: Interpreter, wheels: dict[str, bytes]
) -> None:
    built_here = only(interpreter, "markupsafe", tags=("cp311-cp311-linux_x86_64",))
    with serve() as server:
        locking = Locking(tmp_path, built_here, IndexSettings(publish(server, wheels)))
        made = tmp_path / "scratch" / "markupsafe-3.0.2-cp311-cp311-linux_x86_64.whl"
        made.write_bytes(b"as good as a wheel here")
        locking.built = lambda *_: LocalWheel(made, "built", "markupsafe==3.0.2", ())  # type: ignore[method-assign]
        (package,) = locking.lock(*BOTH)
    assert package.origin == "built"
    assert {file.targets: file.url is None for file in package.files} == {
        ("linux/amd64",): True,
        ("linux/arm64",): False,
    }


def test_a_wheel_made_here_that_does_not_run_on_a_target_is_an_error(tmp_path: Path, interpreter: Interpreter) -> None:
    made = tmp_path / "six-1.17.0-cp311-cp311-linux_x86_64.whl"
    made.write_bytes(b"wheel")
    with pytest.raises(CaptureError) as refused:
        lock_packages(
            only(interpreter, "six"),
            targets=BOTH,
            glibc="2.36",
            client=IndexClient(IndexSettings(None), cache=ObjectStore(tmp_path), pages=tmp_path),
            local_wheels=lambda _: LocalWheel(made, "editable", "src", ()),
            built_wheels=lambda *_: LocalWheel(made, "built", "src", ()),
            store=project_store(tmp_path),
            progress=Silent(),
        )
    (problem,) = refused.value.problems
    assert "does not run on linux/arm64" in problem


def test_a_source_tree_that_moved_on_is_locked_as_what_it_says_now(tmp_path: Path, interpreter: Interpreter) -> None:
    made = tmp_path / "six-1.18.0-py3-none-any.whl"
    made.write_bytes(b"wheel")
    progress = Warnings()
    (package,) = lock_packages(
        only(interpreter, "six"),
        targets=BOTH,
        glibc="2.36",
        client=IndexClient(IndexSettings(None), cache=ObjectStore(tmp_path), pages=tmp_path),
        local_wheels=lambda _: LocalWheel(made, "editable", "src", ("look out",)),
        built_wheels=lambda *_: LocalWheel(made, "built", "src", ()),
        store=project_store(tmp_path),
        progress=progress,
    )
    assert (package.version, package.origin, package.source) == ("1.18.0", "editable", "src")
    assert progress.lines == [
        "six 1.17.0: look out",
        "six 1.17.0: its source has version 1.18.0 by now, and that is what is locked",
    ]


def test_all_that_cannot_be_locked_is_named_at_once_with_its_cure(
    tmp_path: Path, interpreter: Interpreter, wheels: dict[str, bytes]
) -> None:
    mac = tuple(replace(one, tags=("cp311-cp311-macosx_11_0_arm64",)) for one in interpreter.distributions)
    torch = Distribution("torch", "2.1.0+cpu", tmp_path, tmp_path, ("cp311-cp311-macosx_11_0_arm64",))
    laptop = replace(interpreter, system="Darwin", distributions=(*mac, torch))
    sdist = {"iniconfig-2.0.0.tar.gz": b"source"}
    kept = {name: body for name, body in wheels.items() if name.startswith("six")}
    with serve() as server:
        locking = Locking(tmp_path, laptop, IndexSettings(publish(server, {**kept, **sdist})))
        with pytest.raises(CaptureError, match="3 installed packages can't be locked") as refused:
            locking.lock()
    assert [re.sub(r"; .*", "", problem) for problem in refused.value.problems] == [
        "iniconfig 2.0.0 has no wheel, only source",
        "markupsafe 3.0.2 is on no index",
        "torch 2.1.0+cpu is on no index",
    ]
    assert "find-links" in refused.value.problems[0]
    assert "--extra-index-url" in refused.value.problems[1]
    assert "https://download.pytorch.org/whl/cpu" in refused.value.problems[2]
    assert server.url in refused.value.details


def test_a_yanked_file_is_locked_with_its_reason(
    tmp_path: Path, interpreter: Interpreter, wheels: dict[str, bytes]
) -> None:
    with serve() as server:
        url = publish(server, wheels)
        listing = Listing(SIX, f"../../files/{SIX}", Digest.of(wheels[SIX]).hex, yanked="it breaks")
        server.add("/simple/six/", html_page([listing]), "text/html")
        locking = Locking(tmp_path, only(interpreter, "six"), IndexSettings(url))
        assert len(locking.lock()) == 1
    assert locking.progress.lines == [f"six 1.17.0 was yanked from {url}: it breaks"]


def other_six(wheels: dict[str, bytes], module: bytes) -> bytes:
    """A wheel of the same name, version and tags, with another module."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(wheels[SIX])) as before, zipfile.ZipFile(stream, "w") as after:
        for info in before.infolist():
            content = before.read(info)
            if info.filename.endswith("/RECORD"):
                content = re.sub(rb"(?m)^six.py,.*$", b"six.py,sha256=AAAA,1", content)
            after.writestr(info, module if info.filename == "six.py" else content)
    return stream.getvalue()


def test_of_different_files_of_one_name_the_installed_one_is_found_by_its_record(
    tmp_path: Path, interpreter: Interpreter, wheels: dict[str, bytes]
) -> None:
    with serve() as first, serve() as second:
        urls = publish(first, {SIX: other_six(wheels, b"evil = 1\n")}), publish(second, wheels)
        locking = Locking(tmp_path, only(interpreter, "six"), IndexSettings(urls[0], urls[1:]))
        (six,) = locking.lock()
    assert (six.source, six.files[0].sha256) == (urls[1], Digest.of(wheels[SIX]))
    assert locking.progress.lines == []


def test_when_none_of_them_is_the_installed_one_its_files_are_locked(
    tmp_path: Path, interpreter: Interpreter, wheels: dict[str, bytes]
) -> None:
    evil, vile = other_six(wheels, b"evil = 1\n"), other_six(wheels, b"vile = 1\n")
    with serve() as first, serve() as second:
        urls = publish(first, {SIX: evil}), publish(second, {SIX: vile})
        locking = Locking(tmp_path, only(interpreter, "six"), IndexSettings(urls[0], urls[1:]))
        (six,) = locking.lock()
    assert (six.origin, six.files[0].url) == ("built", None)
    (line,) = locking.progress.lines
    assert line.startswith("six 1.17.0 was not installed from a published wheel (none has its RECORD): locked as a ")


def test_without_a_record_one_of_several_is_taken_and_told(
    tmp_path: Path, interpreter: Interpreter, wheels: dict[str, bytes]
) -> None:
    first, second = (SIX.replace("-py2", f"-{number}-py2") for number in (1, 2))
    only_six = only(interpreter, "six")
    bare = replace(only_six, distributions=(replace(only_six.distributions[0], metadata=tmp_path),))
    with serve() as server:
        url = publish(server, {first: wheels[SIX], second: other_six(wheels, b"")})
        locking = Locking(tmp_path, bare, IndexSettings(url))
        (six,) = locking.lock()
    assert [file.name for file in six.files] == [second]
    assert locking.progress.lines == [
        f"six 1.17.0: no RECORD says which of {first}, {second} was installed; {second} is taken"
    ]


PINS = (
    "attrs==24.2.0",
    "certifi==2024.8.30",
    "charset-normalizer==3.4.0",
    "idna==3.10",
    "iniconfig==2.0.0",
    "markupsafe==3.0.2",
    "packaging==24.2",
    "pyyaml==6.0.2",
    "six==1.17.0",
    "urllib3==2.2.3",
)


def test_ten_packages_of_the_real_index_have_the_hashes_that_pip_compile_finds(tmp_path: Path) -> None:
    venv = Venv(tmp_path / "venv")
    venv.uv("--no-deps", *PINS)
    locking = Locking(tmp_path, venv.interpreter(), load_settings(prefix=venv.path))
    packages = locking.lock(*BOTH)
    assert [f"{one.name}=={one.version}" for one in packages] == list(PINS)
    assert locking.progress.lines == []
    wanted = tmp_path / "requirements.in"
    wanted.write_text("iniconfig==2.0.0\nmarkupsafe==3.0.2\nsix==1.17.0\n")
    options = ["--generate-hashes", "--quiet", "--no-header", "--output-file", "-", "--cache-dir", tmp_path / "tools"]
    command = [sys.executable, "-m", "piptools", "compile", *options, wanted]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    listed = {
        block.partition("==")[0].lower(): set(re.findall(r"sha256:([0-9a-f]{64})", block))
        for block in re.split(r"^(?=[a-z])", printed, flags=re.MULTILINE | re.IGNORECASE)
    }
    compared = [package for package in packages if package.name in listed]
    assert [package.name for package in compared] == ["iniconfig", "markupsafe", "six"]
    for package in compared:
        assert {file.sha256.hex for file in package.files} <= listed[package.name]
