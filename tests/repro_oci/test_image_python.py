"""Interpreters taken out of images and started here: whole, safely, once, or not at all with the reason."""

import hashlib
import io
import os
import platform
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import pytest
from repro_oci import image_python
from repro_oci.image_python import (
    CannotCompileError,
    Command,
    base_python,
    check_machine,
    linked_python,
    packed_python,
)
from repro_oci.items import tar_entries

from repro.capture.interpreter import PackedInterpreter, pack_interpreter
from repro.capture.probe import probe
from repro.digest import Digest
from repro.engines import DockerEngine, ImageInfo
from repro.errors import IntegrityError
from repro.lock import Base
from repro.oci.entry import Entry
from repro.oci.image import Image
from repro.oci.shelf import Shelf
from repro.oci.streams import open_plain
from repro.plan import Content
from repro.progress import Silent
from repro.registry import Registry
from repro.store import artifact_cache
from repro.transfer.base import find_base
from tests.builders.projects import TARGET

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="images' interpreters run on Linux only")

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHON = PurePosixPath(f"/usr/bin/python{MINOR}")
WHO = "import sys, struct, json; print(sys.version.split()[0], sys.prefix, json.__file__)"
MAPS = "import struct, select; print(open('/proc/self/maps').read())"


@dataclass(frozen=True)
class Link:
    target: str
    hard: bool = False


Tree = Mapping[str, bytes | Link | None]


def layer(files: Tree) -> bytes:
    """A tar of executable files, of links, and of directories (None)."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.mode = 0o755
            if isinstance(content, bytes):
                info.size = len(content)
            elif isinstance(content, Link):
                info.type, info.linkname = (tarfile.LNKTYPE if content.hard else tarfile.SYMTYPE), content.target
            else:
                info.type = tarfile.DIRTYPE
            archive.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return data.getvalue()


def output(command: Command, code: str) -> str:
    argv = [*command.argv, "-s", "-S", "-B", "-c", code]
    return subprocess.run(argv, env=command.env, capture_output=True, text=True, check=True).stdout.strip()


def take(cache: Path, *layers: bytes, python: PurePosixPath = PYTHON) -> Command:
    key = hashlib.sha256(b"".join(layers)).hexdigest()
    return base_python(lambda: map(io.BytesIO, layers), key, python, cache)


def left(cache: Path) -> list[str]:
    """What an attempt left on the shelf."""
    return [str(item.path) for item in Shelf(cache / "pythons").items()]


@pytest.fixture(scope="session")
def own() -> dict[str, bytes | Link | None]:
    """A base made of the interpreter that runs the tests: its program, loader, libraries and standard library."""
    program = os.path.realpath(sys.executable)
    mapped = subprocess.run([program, "-S", "-c", MAPS], capture_output=True, text=True, check=True).stdout.split()
    libraries = {path for path in mapped if re.search(r"/(?:lib[^/]*|ld[^/]*)\.so[^/]*$", path)}
    loader = image_python._check_program(Path(program), "ours")
    library = Path(sysconfig.get_path("stdlib"))
    kept = [path for path in library.rglob("*") if path.suffix == ".py" or path.parent.name == "lib-dynload"]
    home = f"usr/lib/python{MINOR}"
    return {
        "lib": Link("/usr/lib"),
        "lib64": Link("usr/lib"),
        f"usr/lib/{Path(loader).name}": Path(loader).read_bytes(),
        **{f"usr/lib/{Path(path).name}": Path(path).read_bytes() for path in sorted(libraries)},
        **{
            f"{home}/{path.relative_to(library)}": path.read_bytes()
            for path in sorted(kept)
            if not {"site-packages", "test", "tests"} & set(path.relative_to(library).parts)
        },
        str(PYTHON).lstrip("/"): Path(program).read_bytes(),
        "usr/bin/python3": Link(PYTHON.name),
        "etc/passwd": b"root",
        "usr/lib/python3/dist-packages/x.py": b"",
    }


@pytest.fixture(scope="session")
def whole(own: Tree) -> bytes:
    return layer(own)


def test_a_bases_interpreter_runs_on_nothing_but_the_base(whole: bytes, tmp_path: Path) -> None:
    command = take(tmp_path, whole)
    version, prefix, module = output(command, WHO).split()
    (item,) = Shelf(tmp_path / "pythons").items()
    assert version == sys.version.split()[0]
    assert prefix == str(item.path / "tree/usr")
    assert module.startswith(prefix)
    executed = {line.split()[5] for line in output(command, MAPS).splitlines() if " r-xp " in line and "/" in line}
    assert executed
    assert all(path.startswith(prefix) for path in executed)


def test_only_what_compiling_needs_is_taken(whole: bytes, tmp_path: Path) -> None:
    take(tmp_path, whole)
    (item,) = Shelf(tmp_path / "pythons").items()
    found = {path.relative_to(item.path / "tree").as_posix() for path in (item.path / "tree").rglob("*")}
    assert f"usr/lib/python{MINOR}/encodings/utf_8.py" in found
    assert not {"etc/passwd", "usr/lib/python3/dist-packages/x.py"} & found
    assert (item.path / "tree/lib").readlink() == Path("usr/lib")
    assert sorted(path.name for path in item.path.iterdir()) == ["lock", "tree"]


@pytest.mark.parametrize("python", ["/usr/bin/python3", "/usr/local/bin/python", "/bin/python3"])
def test_links_lead_to_it(own: Tree, tmp_path: Path, python: str) -> None:
    links = {
        "usr/local/bin/python": Link("/etc/alternatives/python"),
        "etc/alternatives/python": Link("../../usr/bin/python3"),
        "bin": Link("usr/bin"),
    }
    command = take(tmp_path, layer({**own, **links}), python=PurePosixPath(python))
    assert output(command, "print(1)") == "1"


def test_upper_layers_replace_and_remove(own: Tree, whole: bytes, tmp_path: Path) -> None:
    other = layer(
        {f"usr/lib/python{MINOR}/this.py": b"print('new')\n", f"usr/lib/python{MINOR}/.wh.antigravity.py": b""}
    )
    command = take(tmp_path, whole, other)
    assert output(command, "import this") == "new"
    code = "try:\n import antigravity\nexcept ImportError:\n print('gone')"
    assert output(command, code) == "gone"
    with pytest.raises(CannotCompileError, match="is not a program"):
        take(tmp_path, whole, layer({f"usr/bin/.wh.{PYTHON.name}": b""}))


def test_it_is_taken_out_once_and_layers_are_read_to_their_ends(whole: bytes, tmp_path: Path) -> None:
    opened: list[io.BytesIO] = []

    def layers() -> Iterator[io.BytesIO]:
        opened.append(io.BytesIO(whole))
        yield opened[-1]
        assert opened[-1].closed

    first = base_python(layers, "key", PYTHON, tmp_path)
    assert base_python(layers, "key", PYTHON, tmp_path) == first
    assert len(opened) == 1
    base_python(layers, "another key", PYTHON, tmp_path)
    assert len(opened) == 2


def test_it_stays_while_it_is_held_and_comes_back_when_it_was_removed(whole: bytes, tmp_path: Path) -> None:
    command = take(tmp_path, whole)
    (item,) = Shelf(tmp_path / "pythons").items()
    with command.hold():
        assert not item.remove()
    assert item.remove()
    with command.hold():
        assert output(command, "print(1)") == "1"


def test_two_processes_at_once_get_the_same(whole: bytes, tmp_path: Path) -> None:
    tar = tmp_path / "base.tar"
    tar.write_bytes(whole)
    code = (
        "import sys; from pathlib import Path, PurePosixPath; from repro_oci.image_python import base_python\n"
        f"made = base_python(lambda: [open({str(tar)!r}, 'rb')], 'key', PurePosixPath({str(PYTHON)!r}), "
        f"Path({str(tmp_path)!r}))\nprint(made.argv)"
    )
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0] == said[1] != ""
    assert len(left(tmp_path)) == 1


MALICIOUS: dict[str, tuple[Tree, ...]] = {
    "upwards": ({"../usr/bin/python3": b"x"},),
    "absolute": ({"/usr/bin/python3": b"x"},),
    "through a link": ({"usr/lib": Link("/tmp"), "usr/lib/libx.so": b"x"},),
    "through a link of a lower layer": ({"usr/lib": Link("../../../tmp")}, {"usr/lib/libx.so": b"x"}),
    "a hard link upwards": ({"usr/bin/python3": b"x", "usr/bin/python4": Link("../../etc/passwd", hard=True)},),
    "a whiteout of the parent": ({"usr/lib/.wh...": b""},),
}


@pytest.mark.parametrize("layers", MALICIOUS.values(), ids=list(MALICIOUS))
def test_a_path_that_leads_out_is_refused_by_name(layers: Iterable[Tree], tmp_path: Path) -> None:
    with pytest.raises(IntegrityError) as caught:
        take(tmp_path / "cache", *map(layer, layers))
    assert caught.value.where
    assert left(tmp_path / "cache") == []
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


def test_what_is_no_tar_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="not a readable tar"):
        take(tmp_path, b"nonsense" * 1000)
    assert left(tmp_path) == []


def elf(machine: int) -> bytes:
    data = bytearray(Path(os.path.realpath(sys.executable)).read_bytes())
    data[18:20] = machine.to_bytes(2, "little")
    return bytes(data)


UNUSABLE: dict[str, tuple[Tree, str]] = {
    "absent": ({"usr/bin": None}, "is not a program"),
    "a script": ({str(PYTHON)[1:]: b"#!/bin/sh\n"}, "is not a program"),
    "a directory": ({str(PYTHON)[1:]: None}, "is not a program"),
    "a link to itself": ({str(PYTHON)[1:]: Link(str(PYTHON))}, "too many symbolic links"),
    "outside of what is taken": ({str(PYTHON)[1:]: Link("/srv/python"), "srv/python": b""}, "is not a program"),
    "another machine's": ({str(PYTHON)[1:]: elf(243)}, "made for EM_RISCV"),
    "without a loader": ({str(PYTHON)[1:]: elf(62 if platform.machine() == "x86_64" else 183)}, "can't be taken out"),
}


@pytest.mark.parametrize(("files", "reason"), UNUSABLE.values(), ids=list(UNUSABLE))
def test_what_can_not_run_is_told_with_a_way_out(files: Tree, reason: str, tmp_path: Path) -> None:
    with pytest.raises(CannotCompileError, match=reason) as caught:
        take(tmp_path, layer(files))
    assert "--pyc none" in str(caught.value.fix)
    assert left(tmp_path) == []


def test_libraries_of_this_machine_do_not_stand_in_for_missing_ones(own: Tree, tmp_path: Path) -> None:
    without = {path: content for path, content in own.items() if not re.search(r"/libc\.so|/libm\.so", path)}
    with pytest.raises(CannotCompileError, match="libraries that the base doesn't have") as caught:
        take(tmp_path, layer(without))
    assert any("libc" in problem for problem in caught.value.problems)


def test_a_standard_library_that_is_damaged_is_told_with_what_python_says(own: Tree, tmp_path: Path) -> None:
    broken = {**own, f"usr/lib/python{MINOR}/encodings/__init__.py": b"1/0\n"}
    with pytest.raises(CannotCompileError, match="doesn't run on this machine") as caught:
        take(tmp_path, layer(broken))
    assert "ZeroDivisionError" in caught.value.details


def test_a_damaged_loader_is_told(own: Tree, tmp_path: Path) -> None:
    loader = next(path for path in own if re.search(r"/ld[^/]*\.so", path))
    with pytest.raises(CannotCompileError, match="doesn't run on this machine"):
        take(tmp_path, layer({**own, loader: b"nonsense"}))


@pytest.mark.parametrize("target", ["linux/amd64", "linux/arm64"])
def test_images_for_another_architecture_can_not_be_compiled(target: str) -> None:
    ours = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}[platform.machine()]
    if target == ours:
        check_machine(target)
        return
    with pytest.raises(CannotCompileError, match=f"bytecode for {target} can't be compiled on linux") as caught:
        check_machine(target)
    assert "--pyc none" in str(caught.value.fix)


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_nothing_is_compiled_on_other_systems(system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("repro_oci.image_python.sys.platform", system)
    for attempt in (
        lambda: check_machine("linux/amd64"),
        lambda: take(tmp_path),
        lambda: packed_python(tmp_path / "x.tar", Digest.of(b""), "3.11", tmp_path),
    ):
        with pytest.raises(CannotCompileError, match=system):
            attempt()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> PackedInterpreter:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    directory = tmp_path_factory.mktemp("packed")
    return pack_interpreter(probe(Path(sys.executable), cwd=directory, env=env), directory, Silent())


def test_a_packed_interpreter_runs_from_the_cache(packed: PackedInterpreter, tmp_path: Path) -> None:
    command = packed_python(packed.path, packed.packed.sha256, MINOR, tmp_path)
    version, prefix, module = output(command, WHO).split()
    assert version == sys.version.split()[0]
    assert prefix.startswith(str(tmp_path))
    assert module.startswith(prefix)
    assert packed_python(tmp_path / "no longer needed", packed.packed.sha256, MINOR, tmp_path) == command


def test_a_linked_interpreter_runs_from_the_cache(packed: PackedInterpreter, tmp_path: Path) -> None:
    """Conda's Python is its package's files below the environment, hard links among them."""
    content = Content(packed.packed.sha256, packed.packed.size, "python")
    entries = [
        replace(entry, path=entry.path.replace("opt/python", "opt/env", 1))
        for entry in tar_entries(packed.path, content)
        if entry.path.startswith("opt/python/")
    ]
    program = f"opt/env/bin/python{MINOR}"
    entries.append(Entry("opt/env/bin/a-python", "hardlink", 0o755, target=program))
    command = linked_python(lambda: entries, "key", MINOR, tmp_path)
    version, prefix, _ = output(command, WHO).split()
    assert version == sys.version.split()[0]
    assert prefix == str(Path(command.argv[0]).parents[1])
    assert Path(command.argv[0]).samefile(Path(command.argv[0]).with_name("a-python"))
    assert linked_python(list, "key", MINOR, tmp_path) == command
    with pytest.raises(CannotCompileError, match="conda's Python"):
        linked_python(list, "other", MINOR, tmp_path)


def test_a_packed_interpreter_for_something_else_is_refused(packed: PackedInterpreter, tmp_path: Path) -> None:
    with pytest.raises(CannotCompileError, match="is not a program"):
        packed_python(packed.path, packed.packed.sha256, "3.99", tmp_path)
    path = tmp_path / "python.tar"
    path.write_bytes(layer({f"opt/python/bin/python{MINOR}": elf(243)}))
    with pytest.raises(CannotCompileError, match="made for EM_RISCV"):
        packed_python(path, Digest.of_file(path), MINOR, tmp_path)
    path.write_bytes(layer({"../x": b""}))
    with pytest.raises(IntegrityError, match="leads out"):
        packed_python(path, Digest.of_file(path), MINOR, tmp_path)
    assert left(tmp_path) == []


@pytest.fixture(scope="session")
def real_base(engine: DockerEngine, base_image: ImageInfo) -> Image:
    labels = base_image.labels
    base = Base(
        reference=base_image.tags[0],
        digest=Digest.parse(base_image.id),
        source="engine",
        python=labels["dev.repro.base.python"],
        python_path=labels["dev.repro.base.python-path"],
        glibc=labels["dev.repro.base.glibc"],
    )
    return find_base(
        base,
        TARGET,
        given=None,
        cache=artifact_cache(),
        engine=lambda: engine,
        registry=Registry(),
        progress=Silent(),
    )


@pytest.mark.engine
def test_the_real_bases_interpreter(real_base: Image, base_image: ImageInfo, tmp_path: Path) -> None:
    python = PurePosixPath(base_image.labels["dev.repro.base.python-path"])
    command = base_python(
        lambda: (open_plain(real_base, number) for number in range(len(real_base.layers))), "real", python, tmp_path
    )
    version, prefix, _ = output(command, WHO).split()
    assert version == base_image.labels["dev.repro.base.python"]
    assert prefix.startswith(str(tmp_path))
    size = sum(path.lstat().st_size for path in tmp_path.rglob("*"))
    assert size < 64 << 20
