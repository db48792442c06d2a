"""Packing the interpreters of this machine, and running the packed ones in the base image."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from repro.capture.elf import is_elf, read_elf, set_runpath
from repro.capture.interpreter import PackedInterpreter, choose_interpreter, pack_interpreter, refuse_other_python
from repro.capture.model import Interpreter
from repro.capture.prefix import Installation, Relocation
from repro.capture.probe import probe
from repro.digest import Digest
from repro.engines import DockerEngine, ImageInfo
from repro.errors import InfrastructureError, UsageError
from repro.lock import Base, PackedPython, Python
from repro.progress import Silent
from repro.store import ObjectStore

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="packing is for Linux; elsewhere the base supplies it")

SYSTEM = Path("/usr/bin/python3")
OWN = f"{sys.version_info.major}.{sys.version_info.minor}"

CHECK = """
import importlib, json, sys, sysconfig
missing = {}
for name in json.loads(sys.argv[1]):
    try:
        importlib.import_module(name)
    except Exception as error:
        missing[name] = repr(error)
with open("/proc/self/maps") as maps:
    loaded = sorted({line.split()[-1] for line in maps if "/" in line})
print(json.dumps({
    "version": sys.version.split()[0], "missing": missing, "loaded": loaded, "path": sys.path, "prefix": sys.prefix,
    "base_prefix": sys.base_prefix, "executable": sys.executable, "config": sysconfig.get_config_var("prefix"),
}))
"""


def look_at(python: Path, tmp: Path) -> Interpreter:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return probe(python, cwd=tmp, env=env)


def modules_of(python: Path) -> list[str]:
    """Every extension module that the interpreter itself can import, and some that hang on libraries."""
    code = (
        "import importlib, json, pathlib, sysconfig\nfound = []\n"
        "folder = pathlib.Path(sysconfig.get_path('stdlib'), 'lib-dynload')\n"
        "names = [path.name.split('.')[0] for path in folder.glob('*.so')]\n"
        "names += 'ssl sqlite3 lzma bz2 ctypes zlib readline uuid hashlib decimal curses'.split()\n"
        "for name in sorted(names):\n"
        "    try:\n        importlib.import_module(name)\n    except ImportError:\n        continue\n"
        "    found.append(name)\nprint(json.dumps(found))\n"
    )
    done = subprocess.run([python, "-W", "ignore", "-I", "-S", "-c", code], check=True, capture_output=True)
    return list(json.loads(done.stdout))


@pytest.fixture(scope="session", params=["ours", "the system's"])
def interpreter(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Interpreter:
    """The one that runs the tests (a virtual environment's), and the system's where there is one."""
    python = Path(sys.executable) if request.param == "ours" else SYSTEM
    if not python.exists():
        pytest.skip(f"there is no {python}")
    return look_at(python, tmp_path_factory.mktemp("probe"))


@pytest.fixture(scope="session")
def packed(interpreter: Interpreter, tmp_path_factory: pytest.TempPathFactory) -> PackedInterpreter:
    return pack_interpreter(interpreter, tmp_path_factory.mktemp("packed"), Silent())


@pytest.fixture(scope="session")
def unpacked(packed: PackedInterpreter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(packed.path) as archive:
        archive.extractall(root, filter="tar")
    return root / "opt" / "python"


def minor(interpreter: Interpreter) -> str:
    return ".".join(interpreter.version.split(".")[:2])


def test_what_the_lock_says_of_it(interpreter: Interpreter, packed: PackedInterpreter) -> None:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[interpreter.machine]
    assert packed.packed == PackedPython(
        name=f"cpython-{interpreter.version}-linux-{machine}.tar",
        sha256=Digest.of_file(packed.path),
        size=packed.path.stat().st_size,
        glibc=packed.packed.glibc,
        target=f"linux/{machine}",
    )
    assert interpreter.glibc is not None
    needed, here = (tuple(map(int, text.split("."))) for text in (packed.packed.glibc, interpreter.glibc))
    assert (2, 3) <= needed <= here


def test_the_same_interpreter_gives_the_same_bytes(
    interpreter: Interpreter, packed: PackedInterpreter, tmp_path: Path
) -> None:
    """Also when it is reached through another virtual environment."""
    builder = [interpreter.base_executable, "-m", "venv", "--without-pip", tmp_path / "other"]
    subprocess.run(builder, check=True, capture_output=True)
    again = pack_interpreter(look_at(tmp_path / "other/bin/python", tmp_path), tmp_path, Silent())
    assert again.packed == packed.packed
    assert again.path.read_bytes() == packed.path.read_bytes()


def test_the_tar_has_one_form(packed: PackedInterpreter, interpreter: Interpreter) -> None:
    with tarfile.open(packed.path, "r:") as archive:
        members = archive.getmembers()
    names = [member.name for member in members]
    assert names == sorted(set(names), key=str.encode)
    assert {str(parent) for name in names for parent in PurePosixPath(name).parents} - {"."} <= set(names)
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members} == {(0, 0, "", "", 315532800)}
    assert {m.mode for m in members if m.isdir()} == {0o755}
    assert {m.mode for m in members if m.isreg()} == {0o644, 0o755}
    assert {m.name: m.linkname for m in members if not m.isdir() and not m.isreg()} == {
        f"opt/python/bin/{name}": f"python{minor(interpreter)}" for name in ("python", "python3")
    }
    assert names[:3] == ["opt", "opt/python", "opt/python/bin"]


def test_what_is_packed_and_what_is_not(packed: PackedInterpreter, interpreter: Interpreter) -> None:
    with tarfile.open(packed.path) as archive:
        names = set(archive.getnames())
    library = f"opt/python/lib/python{minor(interpreter)}"
    for wanted in ("os.py", "encodings/utf_8.py", "json/decoder.py", "venv/__init__.py", "unittest/mock.py"):
        assert f"{library}/{wanted}" in names
    unwanted = re.compile(r"/(__pycache__|site-packages|dist-packages|include)(/|$)|\.a$")
    assert [name for name in names if unwanted.search(name)] == []
    assert f"{library}/test" not in names


def test_no_path_of_the_laptop_stays_in_text(unpacked: Path, interpreter: Interpreter) -> None:
    if interpreter.base_prefix == Path("/usr"):
        pytest.skip("/usr names nobody's laptop")
    found = [
        path.relative_to(unpacked)
        for path in unpacked.rglob("*")
        if path.is_file() and not is_elf(path) and str(interpreter.base_prefix).encode() in path.read_bytes()
    ]
    assert found == []


def test_programs_look_for_libraries_inside_only(unpacked: Path) -> None:
    seen = 0
    for path in unpacked.rglob("*"):
        if path.is_file() and not path.is_symlink() and is_elf(path):
            elf = read_elf(path)
            for entry in (*elf.rpath, *elf.runpath):
                seen += 1
                folder = Path(entry.replace("$ORIGIN", str(path.parent))).resolve()
                assert entry.startswith("$ORIGIN/"), path
                assert folder in (unpacked / "lib", unpacked / "lib/deps")
    assert seen > 5


def test_the_laptops_own_files_are_not_touched(interpreter: Interpreter, tmp_path: Path) -> None:
    watched = [interpreter.base_executable.resolve(), *Path(interpreter.paths["stdlib"], "lib-dynload").iterdir()]
    before = [(path.stat().st_mtime_ns, path.stat().st_ctime_ns, path.stat().st_size) for path in watched]
    pack_interpreter(interpreter, tmp_path, Silent())
    assert [(path.stat().st_mtime_ns, path.stat().st_ctime_ns, path.stat().st_size) for path in watched] == before
    assert [path.suffix for path in tmp_path.iterdir()] == [".tar"]


@pytest.fixture(scope="session")
def image(packed: PackedInterpreter, engine: DockerEngine, base_image: ImageInfo) -> Iterator[str]:
    """The base with the packed interpreter in it, and a virtual environment made by hand."""
    api = engine.client.api
    container = api.create_container(base_image.id)
    try:
        with packed.path.open("rb") as stream:
            assert api.put_archive(container["Id"], "/", stream)
        assert api.put_archive(container["Id"], "/", hand_made_venv(minor_of(packed)))
        made = api.commit(container["Id"])
    finally:
        api.remove_container(container["Id"])
    yield made["Id"]
    api.remove_image(made["Id"])


def minor_of(packed: PackedInterpreter) -> str:
    return ".".join(packed.packed.name.split("-")[1].split(".")[:2])


def hand_made_venv(minor: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        settings = b"home = /opt/python/bin\ninclude-system-site-packages = false\n"
        marker = b"value = 42\n"
        for name, data in (("pyvenv.cfg", settings), (f"lib/python{minor}/site-packages/only_here.py", marker)):
            member = tarfile.TarInfo(f"opt/env/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("opt/env/bin/python")
        link.type, link.linkname = tarfile.SYMTYPE, f"/opt/python/bin/python{minor}"
        archive.addfile(link)
    return buffer.getvalue()


def run_in(engine: DockerEngine, image: str, *command: str) -> bytes:
    output: bytes = engine.client.containers.run(
        image, list(command), entrypoint="", remove=True, network_disabled=True, read_only=True, user="12345:0"
    )
    return output


@pytest.mark.engine
def test_it_runs_in_the_base(
    engine: DockerEngine, image: str, interpreter: Interpreter, packed: PackedInterpreter
) -> None:
    """Sealed, as an arbitrary user: every module that works on the laptop works, with nothing but packed libraries."""
    modules = modules_of(interpreter.base_executable)
    assert {"ssl", "sqlite3", "zlib", "hashlib", "decimal"} <= set(modules)
    program = f"/opt/python/bin/python{minor(interpreter)}"
    said = json.loads(
        run_in(engine, image, program, "-W", "ignore", "-I", "-B", "-c", CHECK, json.dumps(modules)).splitlines()[-1]
    )
    assert said["version"] == interpreter.version.rstrip("+")
    assert said["missing"] == {}
    assert [said[name] for name in ("prefix", "base_prefix", "executable", "config")] == [
        "/opt/python",
        "/opt/python",
        program,
        "/opt/python",
    ]
    assert [entry for entry in said["path"] if not entry.startswith("/opt/python/lib")] == []
    glibc = re.compile(
        r"/(?:usr/)?lib(?:64)?/(?:[^/]+/)?(?:ld-|lib(?:c|m|dl|rt|util|pthread|resolv|nsl|nss_)\b|gconv/|locale/)"
    )
    others = [path for path in said["loaded"] if not path.startswith("/opt/python/") and not glibc.match(path)]
    assert others == []


@pytest.mark.engine
def test_a_virtual_environment_on_it(engine: DockerEngine, image: str) -> None:
    code = "import sys, only_here, ssl; print(sys.prefix, sys.base_prefix, only_here.value)"
    assert run_in(engine, image, "/opt/env/bin/python", "-B", "-c", code).split() == [
        b"/opt/env",
        b"/opt/python",
        b"42",
    ]


# What choose_interpreter decides. The interpreter is ours; the base is only described.


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Interpreter:
    return look_at(Path(sys.executable), tmp_path_factory.mktemp("probe"))


def base(python: str | None, glibc: str = "2.99") -> Base:
    path = f"/usr/local/bin/python{OWN}" if python else None
    return Base("base:1", Digest.of(b""), "engine", python, path, glibc)


def choose(own: Interpreter, base: Base, store: Path, **options: object) -> Python:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(own.machine, own.machine)
    given = {"supply": "auto", "allow_patch_drift": False, "targets": (f"linux/{machine}",), **options}
    return choose_interpreter(own, base, store=ObjectStore(store), progress=Silent(), **given)  # type: ignore[arg-type]


def other_patch(own: Interpreter) -> str:
    return f"{OWN}.99"


def test_a_base_of_the_exact_version_supplies_it(own: Interpreter, tmp_path: Path) -> None:
    assert choose(own, base(own.version), tmp_path) == Python("cpython", own.version, "base")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("supply", ["auto", "pack"])
def test_else_the_laptops_is_packed_into_the_store(own: Interpreter, tmp_path: Path, supply: str) -> None:
    chosen = choose(own, base(other_patch(own)), tmp_path, supply=supply)
    assert chosen.supply == "packed"
    assert chosen.packed is not None
    assert ObjectStore(tmp_path).checked_path(chosen.packed.sha256).stat().st_size == chosen.packed.size


def test_pack_means_pack_also_when_the_base_has_it(own: Interpreter, tmp_path: Path) -> None:
    assert choose(own, base(own.version), tmp_path, supply="pack").supply == "packed"


def test_base_means_base_whatever_it_has(own: Interpreter, tmp_path: Path) -> None:
    assert choose(own, base(other_patch(own)), tmp_path, supply="base").supply == "base"
    assert choose(own, base(None), tmp_path, supply="base").supply == "base"


def test_a_base_with_an_older_glibc(own: Interpreter, tmp_path: Path) -> None:
    old = base(other_patch(own), glibc="2.3")
    with pytest.raises(UsageError, match=r"needs glibc 2\.\d+, and base:1 has 2\.3"):
        choose(own, old, tmp_path)
    assert choose(own, old, tmp_path, allow_patch_drift=True).supply == "base"
    with pytest.raises(UsageError, match="needs glibc"):
        choose(own, old, tmp_path, allow_patch_drift=True, supply="pack")
    with pytest.raises(UsageError, match="needs glibc"):
        choose(own, base("2.7.18", glibc="2.3"), tmp_path, allow_patch_drift=True)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"system": "Darwin"}, "packing takes Linux, and this is Darwin"),
        ({"implementation": "pypy"}, "packing takes CPython, and this is pypy"),
        ({"glibc": None}, "not linked with glibc"),
    ],
)
def test_where_packing_is_impossible(own: Interpreter, tmp_path: Path, change: dict[str, str], reason: str) -> None:
    """The base is left, and the plan decides whether its version may stand in."""
    changed = replace(own, **change)  # type: ignore[arg-type]
    assert choose(changed, base(other_patch(own)), tmp_path).supply == "base"
    with pytest.raises(UsageError, match=reason):
        choose(changed, base(other_patch(own)), tmp_path, supply="pack")


def test_an_image_for_another_machine(own: Interpreter, tmp_path: Path) -> None:
    both = ("linux/amd64", "linux/arm64")
    assert choose(own, base(other_patch(own)), tmp_path, targets=both).supply == "base"
    with pytest.raises(UsageError, match="also for linux/"):
        choose(own, base(other_patch(own)), tmp_path, targets=both, supply="pack")


def refuse(own: Interpreter, found: str | None, **options: object) -> None:
    given = {"supply": "auto", "allow_patch_drift": False, "targets": ("linux/amd64", "linux/arm64"), **options}
    python = Python("cpython", own.version, "base")
    refuse_other_python(python, base(found), own, **given)  # type: ignore[arg-type]


def test_a_base_with_another_python_is_refused_before_the_run(own: Interpreter) -> None:
    refuse(own, own.version)
    with pytest.raises(UsageError, match=r"has Python .*\.99, the laptop .* also for linux/") as caught:
        refuse(own, other_patch(own))
    assert caught.value.where == "base:1"
    assert caught.value.fix is not None
    assert "allow-patch-drift = true" in caught.value.fix
    assert "--platform" in caught.value.fix
    refuse(own, other_patch(own), allow_patch_drift=True)


def test_another_minor_version_never_stands_in(own: Interpreter) -> None:
    for found, said in (("2.7.18", "has Python 2.7.18"), (None, "has no Python")):
        with pytest.raises(UsageError, match=said) as caught:
            refuse(own, found, allow_patch_drift=True, supply="base", targets=("linux/amd64",))
        assert "supply" in caught.value.what
        assert caught.value.fix is not None
        assert "allow-patch-drift" not in caught.value.fix


# Installations that are odd or broken: a small one is made of our own interpreter's files.


@pytest.fixture
def small(own: Interpreter, tmp_path: Path) -> Interpreter:
    prefix = tmp_path / "small python"
    program = prefix / "bin" / f"python{OWN}"
    stdlib = prefix / "lib" / f"python{OWN}"
    (stdlib / "lib-dynload").mkdir(parents=True)
    program.parent.mkdir()
    shutil.copy(own.base_executable, program)
    for library in Path(own.base_prefix, "lib").glob("libpython*.so.*"):
        shutil.copy(library, prefix / "lib")
    set_runpath(program, ["$ORIGIN/../lib"])
    for name in ("os.py", "json"):
        source = Path(own.paths["stdlib"], name)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, stdlib / name)
    paths = {**own.paths, "stdlib": str(stdlib)}
    return replace(own, base_executable=program, executable=program, base_prefix=prefix, prefix=prefix, paths=paths)


def members(packed: PackedInterpreter) -> dict[str, bytes]:
    with tarfile.open(packed.path) as archive:
        files = [member for member in archive.getmembers() if member.isreg()]
        return {member.name: archive.extractfile(member).read() for member in files}  # type: ignore[union-attr]


def pack(interpreter: Interpreter, tmp_path: Path) -> dict[str, bytes]:
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    return members(pack_interpreter(interpreter, out, Silent()))


def test_links_are_followed_but_not_in_circles(small: Interpreter, tmp_path: Path) -> None:
    stdlib = Path(small.paths["stdlib"])
    outside = tmp_path / "etc" / "sitecustomize.py"
    outside.parent.mkdir()
    outside.write_text("# from elsewhere\n")
    (stdlib / "sitecustomize.py").symlink_to(outside)
    (stdlib / "alias").symlink_to("json")
    (stdlib / "json" / "circle").symlink_to("..")
    (stdlib / "dangling.py").symlink_to("nowhere")
    found = pack(small, tmp_path)
    library = f"opt/python/lib/python{OWN}"
    assert found[f"{library}/sitecustomize.py"] == b"# from elsewhere\n"
    assert found[f"{library}/alias/decoder.py"] == found[f"{library}/json/decoder.py"]
    assert not [name for name in found if "circle" in name or "dangling" in name]


def test_paths_are_rewritten_where_they_are_facts_about_the_build(small: Interpreter, tmp_path: Path) -> None:
    stdlib = Path(small.paths["stdlib"])
    prefix = small.base_prefix
    (stdlib / "_sysconfigdata__linux.py").write_text(
        f"# made by the build\nbuild_time_vars = {{'prefix': '{prefix}', 'N': 1,\n 'FLAGS': '-L{prefix}/lib '\n  "
        f"'-I{prefix}-other/include',\n 'CC': 'gcc'}}\n"
    )
    found = pack(small, tmp_path)
    scope: dict[str, dict[str, object]] = {}
    exec(found[f"opt/python/lib/python{OWN}/_sysconfigdata__linux.py"], scope)
    assert scope["build_time_vars"] == {
        "prefix": "/opt/python",
        "N": 1,
        "FLAGS": f"-L/opt/python/lib -I{prefix}-other/include",
        "CC": "gcc",
    }


def test_a_home_directory_is_nowhere(tmp_path: Path) -> None:
    home = Path("/home/somebody")
    installation = Installation(
        home / "py/3.11.7", home / "py/3.11.7/bin/python", home / "py/3.11.7/lib/python3.11", "3.11"
    )
    relocation = Relocation(installation, home)
    build = f"{{'A': '{home}/py/3.11.7/lib', 'B': '-I{home}/ssl', 'C': '{home}else'}}".encode()
    assert relocation.text("_sysconfigdata_x.py", b"build_time_vars = " + build) == (
        b"build_time_vars = {\n    'A': '/opt/python/lib',\n    'B': '-I/nonexistent/ssl',\n"
        b"    'C': '/home/somebodyelse',\n}\n"
    )
    assert relocation.text("cgi.py", b"#! /home/somebody/py/3.11.7/bin/python\n") == b"#! /opt/python/bin/python\n"
    program = b"\0/home/somebody/py/3.11.7\0/home/somebodyelse\0"
    assert relocation.program(program) == b"\0" + b"/" * 15 + b"py/3.11.7\0/home/somebodyelse\0"
    assert Relocation(installation, Path("/root")).program(b"/root/py") == b"/root/py"


def test_a_systems_prefix_stays_in_what_is_not_pythons(tmp_path: Path) -> None:
    installation = Installation(Path("/usr"), Path("/usr/bin/python3.11"), Path("/usr/lib/python3.11"), "3.11")
    relocation = Relocation(installation, Path("/home/somebody"))
    table = b"build_time_vars = {'prefix': '/usr', 'INSTALL': '/usr/bin/install', 'LIB': '/usr/lib/python3.11/config'}"
    assert relocation.text("_sysconfigdata_x.py", table) == (
        b"build_time_vars = {\n    'prefix': '/opt/python',\n    'INSTALL': '/usr/bin/install',\n"
        b"    'LIB': '/opt/python/lib/python3.11/config',\n}\n"
    )
    assert relocation.text("cgi.py", b"#! /usr/local/bin/python\n") == b"#! /usr/local/bin/python\n"


def extension(own: Interpreter, name: str) -> Path:
    found = sorted(Path(own.paths["stdlib"], "lib-dynload").glob(f"{name}.*.so"))
    if not found:
        pytest.skip(f"this interpreter has no {name} as a module of its own")
    return found[0]


def test_a_module_whose_library_is_missing_is_as_broken_as_before(
    own: Interpreter, small: Interpreter, tmp_path: Path
) -> None:
    module = Path(small.paths["stdlib"], "lib-dynload", extension(own, "_ssl").name)
    module.write_bytes(extension(own, "_ssl").read_bytes().replace(b"libssl.so.", b"libNOT.so."))
    found = pack(small, tmp_path)
    assert f"opt/python/lib/python{OWN}/lib-dynload/{module.name}" in found
    assert not [name for name in found if "libNOT" in name or "libssl" in name]
    assert [name for name in found if "deps/libcrypto" in name]


def test_a_library_beside_the_interpreter_wins_over_the_systems(
    own: Interpreter, small: Interpreter, tmp_path: Path
) -> None:
    """Found as the loader would: by the module's own RUNPATH, before the cache."""
    source = extension(own, "_ssl")
    module = Path(small.paths["stdlib"], "lib-dynload", source.name)
    shutil.copy(source, module)
    (needed,) = [name for name in read_elf(module).needed if name.startswith("libcrypto")]
    bundled = small.base_prefix / "bundled libraries"
    bundled.mkdir()
    shutil.copy(source, bundled / needed)  # any ELF file of the right kind: what is packed shows which was found
    set_runpath(module, [str(bundled)])
    found = pack(small, tmp_path)
    marker = b"PyInit__ssl"
    assert marker in found[f"opt/python/lib/deps/{needed}"]
    packed_module = tmp_path / "module.so"
    packed_module.write_bytes(found[f"opt/python/lib/python{OWN}/lib-dynload/{module.name}"])
    assert read_elf(packed_module).runpath == ("$ORIGIN/../../deps",)


def test_an_interpreter_that_lacks_a_library_is_an_error(small: Interpreter, tmp_path: Path) -> None:
    elf = read_elf(small.base_executable)
    libraries = [name for name in elf.needed if name.startswith(("libpython", "libz", "libexpat"))]
    if not libraries:
        pytest.skip("this interpreter needs nothing but the C library")
    data = small.base_executable.read_bytes()
    small.base_executable.write_bytes(data.replace(libraries[0].encode(), b"libNO" + libraries[0].encode()[5:]))
    with pytest.raises(InfrastructureError, match="can't be found") as caught:
        pack(small, tmp_path)
    assert "libNO" in caught.value.problems[0]
    assert list((tmp_path / "out").iterdir()) == []


def test_an_incomplete_installation(small: Interpreter, tmp_path: Path) -> None:
    Path(small.paths["stdlib"], "os.py").unlink()
    with pytest.raises(UsageError, match="not complete"):
        pack(small, tmp_path)


def test_a_file_that_is_not_elf(tmp_path: Path) -> None:
    path = tmp_path / "x.so"
    path.write_bytes(b"\x7fELF and nothing else")
    with pytest.raises(InfrastructureError, match="not a readable ELF file"):
        read_elf(path)
