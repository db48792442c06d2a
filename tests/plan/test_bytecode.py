"""Which modules of a wheel, or of the packed interpreter, get bytecode."""

import sys
from pathlib import PurePosixPath

import pytest

from repro.digest import Digest
from repro.lock import PackageFile
from repro.plan import Compile, Content, Unpack, Wheel, layout
from repro.plan.bytecode import cache_tag, compiled_sources, module_roots

FILE = PackageFile("one-1-py3-none-any.whl", Digest.of(b""), 1, None, ("linux/amd64",))
SITE = "/opt/env/lib/python3.11/site-packages"
UNPACK = Unpack(Content(Digest.of(b""), 1, "python.tar"))


def wheel(prefix: PurePosixPath) -> Wheel:
    return Wheel("one", "1", FILE, prefix)


@pytest.mark.parametrize(
    ("source", "roots"),
    [
        (wheel(layout.ENVIRONMENT), (SITE,)),
        (wheel(layout.RUNNER_PACKAGES), (str(layout.RUNNER_PACKAGES),)),
        (UNPACK, ("/opt/python/lib/python3.11", "/opt/python/lib64/python3.11")),
    ],
    ids=["environment", "runner", "interpreter"],
)
def test_what_a_source_fills_of_sys_path(source: Wheel | Unpack, roots: tuple[str, ...]) -> None:
    assert module_roots(Compile(source, None), "3.11") == roots


def test_scripts_and_data_of_a_wheel_are_not_compiled() -> None:
    paths = [f"{SITE}/one/__init__.py", f"{SITE}/one/two.py", "/opt/env/bin/one.py", "/opt/env/share/one/x.py"]
    assert compiled_sources(paths, Compile(wheel(layout.ENVIRONMENT), None), "3.11") == paths[:2]
    assert compiled_sources(paths, Compile(wheel(layout.ENVIRONMENT), ("one.two",)), "3.11") == paths[1:2]


def test_the_cache_tag_is_the_interpreters_own() -> None:
    assert cache_tag("3.8.1") == "cpython-38"
    assert cache_tag("3.13.0+") == "cpython-313"
    assert cache_tag(".".join(map(str, sys.version_info[:3]))) == sys.implementation.cache_tag
