"""Which modules of a wheel have bytecode in its layer; how that is made is tested with the compiler."""

import io
import tarfile
from pathlib import Path

from repro_oci.cache import LayerCache
from repro_oci.compiled import Bytecode, comparable
from repro_oci.items import tar_entries
from repro_oci.site import Site

from repro.digest import Digest
from repro.oci.tree import complete
from repro.plan import Compile, Content, Layer, Wheel, layout
from repro.plan.compile_worker import MOST_SOURCE
from repro.progress import Silent
from tests.builders import projects
from tests.repro_oci import forged
from tests.repro_oci.forge import Forge


def test_a_very_large_source_is_left_to_the_image(tmp_path: Path, wheels: dict[str, Path]) -> None:
    """The base has no Python at all: compiling anything would fail."""
    plan = projects.plan_of(projects.make_lock(projects.NO_IMAGE, projects.package(wheels["installer"])))
    wheel = Forge({"demo/large.py": b"#" * MOST_SOURCE + b"\n"}).write(tmp_path)
    (file,) = projects.package(wheel, local=True).files
    layer = Layer("bytecode", "", (Compile(Wheel("demo", "1.0", file, layout.ENVIRONMENT), None),))
    site = Site(LayerCache(tmp_path / "layers"), tmp_path, 1, Silent())
    with Bytecode(plan, forged.base(), forged.Stock({file.sha256: wheel}), site) as bytecode:
        assert bytecode.entries(layer) == []


def test_bytecode_that_two_packages_bring_is_one_file(tmp_path: Path) -> None:
    """As the `__init__.py` of a namespace that is spread over them; a tar doesn't tell digests."""
    path = "opt/env/lib/python3.11/site-packages/spread/__pycache__/__init__.cpython-311.pyc"
    tars = [tmp_path / f"{name}.tar" for name in ("one", "two")]
    for tar in tars:
        with tarfile.open(tar, "w") as archive:
            info = tarfile.TarInfo(path)
            info.size, info.mode = 3, 0o644
            archive.addfile(info, io.BytesIO(b"pyc"))
    contents = [Content(Digest.of_file(tar), tar.stat().st_size, f"bytecode of {tar.stem}") for tar in tars]
    entries = [entry for tar, content in zip(tars, contents, strict=True) for entry in tar_entries(tar, content)]
    found = [entry for entry in complete(comparable(entries)) if entry.kind == "file"]
    assert [(entry.path, entry.origin) for entry in found] == [(path, "bytecode of one")]
