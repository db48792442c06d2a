"""Which side a word means, and that contents are found wherever they are."""

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from repro.differ import State, difference
from repro.differ.opening import Opener
from repro.differ.tree import TreeOptions
from repro.digest import Digest
from repro.engines.model import Engine, ImageInfo
from repro.errors import IntegrityError, UsageError
from repro.lock import Lock, PredictedImage, PredictedLayer, lock_body, render_lock
from repro.oci.documents import canonical, manifest_json
from repro.oci.image import CONFIG, LAYER, Descriptor
from repro.oci.sources import SourceImage
from repro.oci.write_archive import write_archive
from repro.oci.write_layout import write_layout
from repro.plan import layout
from repro.progress import Silent
from repro.store import ObjectStore
from repro.store.cache import cache_directory
from tests.differ import projects
from tests.verify.samples import NAME, MemoryEngine, image_of, sample_lock

CHANGED = b"def auc(path):\n    return 0.5\n"


NOBODY = {"PATH": "", "TZ": "UTC", "OMP_NUM_THREADS": "2"}
"""A user without any Python."""


def opener(nearest: Path = Path("repro.lock"), engine: Engine | None = None) -> Opener:
    def find() -> Engine:
        assert engine is not None
        return engine

    return Opener(find, lambda: nearest, TreeOptions(environ=NOBODY), Silent())


def changed_lock() -> tuple[Lock, dict[str, bytes]]:
    files = {**projects.FILES, "helpers.py": CHANGED}
    return projects.lock(files), files


def lines(before: State, after: State) -> tuple[str, ...]:
    """What is told of the code that differs."""
    code = next(section for section in difference(before, after).sections if section.group == "code")
    (change,) = code.changes
    return change.details


EXPECTED = "function auc: changed"


def test_a_lock_and_the_tree_around_it(tmp_path: Path) -> None:
    path = projects.write(tmp_path)
    tree = opener(path).open(None)
    assert (tree.side.kind, tree.side.name) == ("tree", "working tree")
    lock = opener().open(str(path))
    assert lock.side.kind == "lock"
    unchanged = difference(lock, tree)
    assert unchanged.same
    assert {text for section in unchanged.sections for text in section.unknown} >= {
        "values of metrics, because nothing was run"
    }
    (tmp_path / "helpers.py").write_bytes(CHANGED)
    assert not difference(lock, opener().open(str(tmp_path))).same


def test_contents_from_the_tree_of_the_other_side(tmp_path: Path) -> None:
    before = projects.write(tmp_path / "a")
    lock, files = changed_lock()
    after = projects.write(tmp_path / "b", lock, files)
    assert lines(opener().open(str(before)), opener().open(str(after)))[0] == EXPECTED


def git(root: Path, *args: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *args], cwd=root, check=True, capture_output=True)


def test_revisions_of_git_below_the_top_of_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "sub dir"
    path = projects.write(root)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "one")
    lock, files = changed_lock()
    projects.write(root, lock, files)
    git(tmp_path, "commit", "-qam", "two")
    monkeypatch.chdir(root)
    assert lines(opener().open("git:HEAD~1"), opener().open("git:HEAD"))[0] == EXPECTED
    assert lines(opener().open("git:HEAD~1:repro.lock"), opener().open(str(path)))[0] == EXPECTED
    (root / "deeper").mkdir()
    monkeypatch.chdir(root / "deeper")
    assert opener(path).open("git:HEAD").lock == lock  # the nearest lock's own path
    monkeypatch.chdir(tmp_path)
    assert opener().open("git:HEAD:sub dir/repro.lock").lock == lock
    for word in ("git:HEAD", "git:", "git:nowhere:sub dir/repro.lock", "git:--all"):
        with pytest.raises(UsageError, match="git has no"):
            opener().open(word)


def test_old_contents_are_found_in_history_by_their_digest(tmp_path: Path) -> None:
    path = projects.write(tmp_path)
    old = tmp_path / "old.lock"
    shutil.copy(path, old)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "one")
    lock, files = changed_lock()
    projects.write(tmp_path, lock, files)
    assert lines(opener().open(str(old)), opener(path).open(None))[0] == EXPECTED


def layer_of(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def test_old_contents_are_found_in_the_layers_of_earlier_captures(tmp_path: Path) -> None:
    tar = layer_of({f"opt/project/{path}": data for path, data in projects.FILES.items()})
    blob = ObjectStore(cache_directory() / "layers" / "blobs").add_bytes(tar)
    predicted = PredictedLayer("code", blob, blob, len(tar))
    image = PredictedImage("linux/amd64", 1, Digest.of(b"c"), Digest.of(b"m"), (predicted,))
    path = projects.write(tmp_path, replace(projects.lock(), predicted=(image,)))
    (tmp_path / "helpers.py").write_bytes(CHANGED)
    assert lines(opener().open(str(path)), opener(path).open(None))[0] == EXPECTED


def image(files: dict[str, bytes]) -> SourceImage:
    layers = [layer_of({"etc/os-release": b"x"}), layer_of(files)]
    contents = {Digest.of(data): data for data in layers}
    descriptors = tuple(Descriptor(LAYER, digest, len(data)) for digest, data in contents.items())
    rootfs = {"type": "layers", "diff_ids": [str(digest) for digest in contents]}
    config = canonical({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs})
    manifest = manifest_json(Descriptor(CONFIG, Digest.of(config), len(config)), list(descriptors))
    return SourceImage(
        manifest, config, descriptors, tuple(contents), "linux/amd64", lambda one: io.BytesIO(contents[one.digest])
    )


@pytest.fixture
def located(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An image with the changed project, in a layout."""
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    lock, files = changed_lock()
    baked = {"opt/repro/repro.lock": lock_body(render_lock(lock))}
    baked |= {f"opt/project/{path}": data for path, data in files.items()}
    place = tmp_path / "out"
    write_layout([image(baked)], place, references=["churn:1"])
    return f"oci:{place}"


def test_images_in_layouts_need_no_engine(tmp_path: Path, located: str) -> None:
    path = projects.write(tmp_path / "project")
    found = opener().open(located)
    assert found.side.kind == "image"
    assert lines(opener().open(str(path)), found)[0] == EXPECTED
    assert opener().open(located.removeprefix("oci:")).lock == found.lock


def test_an_archive_by_its_path(tmp_path: Path, located: str) -> None:
    baked = {"opt/repro/repro.lock": lock_body(render_lock(changed_lock()[0]))}
    write_archive([image(baked)], tmp_path / "image.tar", references=["churn:1"])
    assert difference(opener().open(located), opener().open(str(tmp_path / "image.tar"))).same


def test_an_image_of_something_else_has_no_lock(tmp_path: Path) -> None:
    write_layout([image({"etc/passwd": b""})], tmp_path / "out", references=["x:1"])
    with pytest.raises(UsageError, match="not made by"):
        opener().open(f"oci:{tmp_path / 'out'}")


class _Project(MemoryEngine):
    def read_files(self, image: str, path: PurePosixPath) -> dict[str, bytes]:
        assert image == self.image_info.id
        baked = {
            str(layout.LOCK): lock_body(render_lock(self.lock)),
            str(layout.PROJECT / "src/features.py"): b"a = 1\n",
        }
        if str(path) not in baked:
            raise UsageError("the image has no such path", where=str(path))
        return {"": baked[str(path)]}


def test_images_of_an_engine(tmp_path: Path) -> None:
    lock = sample_lock()
    info: ImageInfo = image_of(lock)
    found = opener(engine=_Project(lock, info, {})).open(NAME)
    assert found.lock == replace(lock, predicted=())
    file = next(one for one in lock.files if one.path == "src/features.py")
    assert found.contents(file) is None  # what the image has is not what was locked
    with pytest.raises(UsageError, match="no such image"):
        opener(engine=_Project(lock, info, {})).open("other:1")


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no lock here"):
        opener().open(str(tmp_path))
    with pytest.raises(UsageError, match="no lock here"):
        opener().open("none.lock")
    (tmp_path / "bad.lock").write_text("x", encoding="utf-8")
    with pytest.raises(IntegrityError):
        opener().open(str(tmp_path / "bad.lock"))


def test_a_tree_tells_its_settings_threads_and_variables(tmp_path: Path) -> None:
    path = projects.write(tmp_path)
    text = '[run]\nenv = ["MODE"]\nthreads = 7\n[metrics.policy.auc]\ndirection = "higher"\n'
    (tmp_path / "repro.toml").write_text(text, encoding="utf-8")
    options = TreeOptions(environ={**NOBODY, "MODE": "fast", "TZ": "Asia/Tokyo"})
    tree = Opener(lambda: pytest.fail("no engine"), lambda: path, options, Silent()).open(None)
    found = {section.group: section.changes for section in difference(opener().open(str(path)), tree).sections}
    assert [(one.what, one.after) for one in found["environment"]] == [
        ("threads", "7"),
        ("time zone", "Asia/Tokyo"),
        ("MODE", "fast"),
    ]
    assert [one.what for one in found["metrics"]] == ["auc direction"]


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such places")
def test_contents_that_are_no_longer_the_locked_ones_do_not_count(tmp_path: Path) -> None:
    path = projects.write(tmp_path)
    state = opener().open(str(path))
    file = next(one for one in state.lock.files if one.path == "helpers.py")
    assert state.contents(file) == projects.FILES["helpers.py"]
    (tmp_path / "helpers.py").write_bytes(CHANGED)
    assert opener().open(str(path)).contents(file) is None


@pytest.mark.parametrize("word", ["", "./none.lock/", "/none/repro.lok", "../none"])
def test_names_that_mean_nothing_are_refused_without_an_engine(word: str) -> None:
    with pytest.raises(UsageError) as caught:
        opener().open(word)
    assert "git:REVISION" in (caught.value.fix or "")


def test_a_file_that_is_no_lock_is_not_called_a_damaged_one(tmp_path: Path) -> None:
    source = tmp_path / "evaluate.py"
    source.write_bytes(CHANGED)
    with pytest.raises(UsageError, match="no lock") as caught:
        opener().open(str(source))
    assert "delete" not in (caught.value.fix or "")
    damaged = tmp_path / "repro.lock"
    damaged.write_bytes(CHANGED)
    with pytest.raises(IntegrityError):
        opener().open(str(damaged))
