"""Packages edited by hand: refused with the difference, or baked with the changed files named."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from repro.capture.originals import Original, published_in
from repro.capture.packages.index import IndexClient
from repro.capture.packages.lock_packages import lock_packages
from repro.capture.packages.origins import built_wheel, local_wheel
from repro.capture.packages.settings import IndexSettings
from repro.capture.patched import Patches, review_patches
from repro.errors import CaptureError
from repro.lock import Package
from repro.progress import Silent
from repro.store import ObjectStore, project_store
from tests.capture.packages.installed import Venv
from tests.http.servers import download_wheels, publish, serve

SIX = "six-1.17.0-py2.py3-none-any.whl"


class Laptop:
    """An environment with six and MarkupSafe as published, and the index that they came from."""

    def __init__(self, folder: Path, wheels: dict[str, bytes], url: str) -> None:
        self.folder = folder
        (folder / "wheels").mkdir(parents=True)
        for name, content in wheels.items():
            (folder / "wheels" / name).write_bytes(content)
        self.venv = Venv(folder / "venv")
        self.venv.uv("--no-index", "--find-links", folder / "wheels", "six", "markupsafe")
        self.site = next((self.venv.path / "lib").glob("python3*/site-packages"))
        self.client = IndexClient(IndexSettings(url), cache=ObjectStore(folder / "cache"), pages=folder / "pages")

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.site / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.unlink()
        path.write_text(text.replace(old, new), encoding="utf-8")

    def review(self, *allowed: str) -> Patches:
        original = published_in(self.client, Silent(), ObjectStore(self.folder / "cache"))
        return review_patches(self.venv.interpreter(), allowed, original)

    def lock(self, patches: Patches, scratch: Path) -> tuple[Package, ...]:
        interpreter = self.venv.interpreter()
        scratch.mkdir()
        locked = lock_packages(
            interpreter,
            targets=("linux/amd64",),
            glibc="2.36",
            client=self.client,
            local_wheels=patches.wheels(
                lambda one: local_wheel(one, interpreter, self.folder, scratch),
                lambda one: built_wheel(one, interpreter, scratch),
            ),
            built_wheels=lambda one: built_wheel(one, interpreter, scratch),
            store=project_store(self.folder),
            progress=Silent(),
        )
        return patches.marked(locked)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return download_wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture
def laptop(tmp_path: Path, published: dict[str, bytes]) -> Iterator[Laptop]:
    with serve() as server:
        yield Laptop(tmp_path / "laptop", published, publish(server, published))


def test_an_untouched_environment_has_nothing_to_say(laptop: Laptop) -> None:
    assert laptop.review() == Patches()
    assert not (laptop.folder / "cache").exists(), "nothing was downloaded"


def test_edits_are_refused_file_by_file_with_their_difference(laptop: Laptop) -> None:
    laptop.edit("six.py", '__version__ = "1.17.0"', '__version__ = "1.17.0-mine"')
    laptop.edit("markupsafe/_native.py", "def _escape", "# mine\ndef _escape")
    with pytest.raises(CaptureError, match="2 installed packages were changed by hand") as refused:
        laptop.review()
    assert refused.value.problems == (
        "markupsafe 3.0.2: markupsafe/_native.py was edited after it was installed",
        "six 1.17.0: six.py was edited after it was installed",
    )
    assert '-__version__ = "1.17.0"\n+__version__ = "1.17.0-mine"' in refused.value.details
    assert "+# mine" in refused.value.details
    fix = refused.value.fix or ""
    assert "pip install --force-reinstall --no-deps markupsafe==3.0.2 six==1.17.0" in fix
    assert "--allow-patched markupsafe --allow-patched six" in fix
    assert '[packages] allow-patched = ["markupsafe", "six"]' in fix


def test_an_allowed_package_is_baked_as_it_is_and_the_lock_says_so(laptop: Laptop, tmp_path: Path) -> None:
    laptop.edit("six.py", '__version__ = "1.17.0"', '__version__ = "1.17.0-mine"')
    patches = laptop.review("Six")
    assert patches.warnings == ("six 1.17.0 goes into the image as it is installed, with the changes in six.py",)

    markupsafe, six = laptop.lock(patches, tmp_path / "first")
    assert (markupsafe.origin, markupsafe.patched) == ("index", ())
    assert (six.origin, six.source, six.patched) == ("built", "six==1.17.0", ("six.py",))
    (file,) = six.files
    assert (file.url, file.name) == (None, "six-1.17.0-py2.py3-none-any.whl")
    wheel = Original(project_store(laptop.folder).checked_path(file.sha256))
    assert b'__version__ = "1.17.0-mine"' in (wheel.content("six.py") or b"")

    assert laptop.lock(laptop.review("six"), tmp_path / "second") == (markupsafe, six), "and again the same bytes"


def test_one_allowed_package_does_not_let_another_in(laptop: Laptop) -> None:
    laptop.edit("six.py", "import sys", "import sys  # mine")
    laptop.edit("markupsafe/_native.py", "def _escape", "# mine\ndef _escape")
    with pytest.raises(CaptureError, match="1 installed package was changed") as refused:
        laptop.review("six")
    assert [problem.partition(":")[0] for problem in refused.value.problems] == ["markupsafe 3.0.2"]


def test_a_file_that_is_as_published_is_no_edit_whatever_its_record_says(laptop: Laptop) -> None:
    record = laptop.site / "six-1.17.0.dist-info" / "RECORD"
    record.write_text(
        "\n".join("six.py,sha256=wrong,1" if line.startswith("six.py") else line for line in record.read_text().split())
    )
    assert laptop.review() == Patches()


def test_without_the_published_wheel_files_are_named_all_the_same(laptop: Laptop) -> None:
    laptop.edit("six.py", "import sys", "import sys  # mine")
    with pytest.raises(CaptureError) as refused:
        review_patches(laptop.venv.interpreter(), (), lambda _: None)
    assert refused.value.problems == ("six 1.17.0: six.py was edited after it was installed",)
    assert refused.value.details == ""


def test_an_index_that_does_not_have_it_gives_no_original(laptop: Laptop, tmp_path: Path) -> None:
    six = laptop.venv.distribution("six")[0]
    nowhere = IndexClient(IndexSettings(None), cache=ObjectStore(tmp_path / "c"), pages=tmp_path)
    assert published_in(nowhere, Silent(), ObjectStore(tmp_path / "c"))(six) is None


def test_missing_files_are_told(laptop: Laptop) -> None:
    (laptop.site / "markupsafe" / "_native.py").unlink()
    assert laptop.review().warnings == (
        (
            "markupsafe 3.0.2: markupsafe/_native.py is missing from the installation, and the image has what was "
            "published; reinstall the package"
        ),
    )


def test_names_that_allow_nothing_are_told(laptop: Laptop) -> None:
    assert laptop.review("six", "No.Such").warnings == (
        "allow-patched names no-such, which is not installed",
        "allow-patched names six, which is as it was published",
    )


def test_certificates_of_ones_own_stop_nobody(tmp_path: Path) -> None:
    venv = Venv(tmp_path / "venv")
    venv.uv("certifi")
    bundle = next((venv.path / "lib").glob("python3*/site-packages/certifi/cacert.pem"))
    content = bundle.read_text(encoding="utf-8")
    bundle.unlink()
    bundle.write_text(f"{content}\nours\n", encoding="utf-8")
    patches = review_patches(venv.interpreter(), (), lambda _: None)
    assert patches.files == {}
    version = venv.distribution("certifi")[0].version
    assert patches.warnings == (
        f"cacert.pem of certifi {version} was changed on this machine; the image has what was published",
    )
    assert review_patches(venv.interpreter(), ["certifi"], lambda _: None).files == {"certifi": ("certifi/cacert.pem",)}
