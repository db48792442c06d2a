"""Which modules of a wheel have bytecode in its layer; how that is made is tested with the compiler."""

from pathlib import Path

from repro_oci.cache import LayerCache
from repro_oci.compiled import Bytecode
from repro_oci.site import Site

from repro.plan import Compile, Layer, Wheel, layout
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
