"""Changes that mean nothing: `repro verify` has to stay silent about every one of them."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from repro.oci.locations import open_location, parse_location
from repro.oci.write_archive import write_archive
from repro.verify.model import Verdict
from tests.faults.cases import INPUTS, SURROUNDINGS, Bench, one_cpu
from tests.faults.workshop import Captured, Run, variables


@dataclass(frozen=True)
class Harmless:
    """One change.

    Attributes:
        name: What is other, in words.
        make: Makes it, and verifies.
        known: Kinds of findings that say what is other, as they should.
    """

    name: str
    make: Callable[[Bench], Verdict]
    known: frozenset[str] = frozenset()


def captured(bench: Bench) -> Captured:
    return bench.captured(INPUTS, {}, subject="evaluate.py", science=False, rerun=True)


def verified(bench: Bench, *, run: Run | None = None, memory: int | None = None) -> Verdict:
    """The image of the project as it is, run otherwise."""
    found = captured(bench)
    return bench.shop.verify(found, bench.shop.image(found), run=run, memory=memory)


def rebuilt(bench: Bench) -> Verdict:
    found = captured(bench)
    return bench.shop.verify(found, bench.shop.build(found, no_cache=True))


def encoded_otherwise(bench: Bench) -> Verdict:
    found = captured(bench)
    return bench.shop.verify(found, bench.shop.build(found, encoding="gzip"))


def archived(bench: Bench) -> Verdict:
    """The image as one file, that somebody sent."""
    found = captured(bench)
    image = open_location(parse_location(f"oci:{bench.shop.image(found)}")).pinned(None, "linux/amd64").image
    place = bench.shop.new("archive").with_suffix(".tar")
    write_archive([image], place, references=["other-name:2.0"])
    return bench.shop.verify(found, f"oci-archive:{place}")


def other_files(bench: Bench) -> Verdict:
    """Comments, notes and tests beside what was captured."""
    found = bench.shop.cloned(captured(bench))
    (found.root / "README.md").write_text("More words.\n", encoding="utf-8")
    (found.root / "unused.py").write_text("# Another comment.\n", encoding="utf-8")
    return bench.shop.verify(found, bench.shop.image(captured(bench)))


def cloned(bench: Bench) -> Verdict:
    return bench.shop.verify(bench.shop.cloned(captured(bench)), bench.shop.image(captured(bench)))


def from_elsewhere(bench: Bench) -> Verdict:
    """Another working directory of whoever verifies."""
    usual = Path.cwd()
    os.chdir("/")
    try:
        return verified(bench)
    finally:
        os.chdir(usual)


def captured_again(bench: Bench) -> Verdict:
    """The lock of a second capture, which is the same, and the image of the first."""
    found = captured(bench)
    again = bench.shop.capture(found.root, "evaluate.py", laptop={})
    return bench.shop.verify(again, bench.shop.image(found))


def touched(bench: Bench) -> Verdict:
    """Files with other times and modes."""
    found = bench.shop.cloned(captured(bench))
    for path in found.root.rglob("*.*"):
        path.chmod(0o600)
        os.utime(path, (0, 0))
    return bench.shop.verify(found, bench.shop.image(captured(bench)))


def other_settings(bench: Bench) -> Verdict:
    """Variables of the person who verifies, which the sealed run doesn't get."""
    settings = {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "9", "OPENBLAS_CORETYPE": "Nehalem", "LANG": "C"}
    with variables(settings):
        return verified(bench)


def fewer_cpus(bench: Bench) -> Verdict:
    """Fewer CPUs for work that doesn't ask how many there are."""
    found = bench.captured({"evaluate.py": SURROUNDINGS}, {}, subject="evaluate.py", science=False, rerun=True)
    with one_cpu():
        return bench.shop.verify(found, bench.shop.image(found))


HARMLESS = (
    Harmless("nothing", verified),
    Harmless("the image is built again from nothing", rebuilt),
    Harmless("its layers are compressed otherwise", encoded_otherwise),
    Harmless("it came as an archive under another name", archived),
    Harmless("another user runs it", lambda bench: verified(bench, run=Run(user="54321:0"))),
    Harmless("its host has another name", lambda bench: verified(bench, run=Run({"HOSTNAME": "node-7"}))),
    Harmless("a cluster adds variables", lambda bench: verified(bench, run=Run({"KUBERNETES_SERVICE_PORT": "443"}))),
    Harmless("its home is elsewhere", lambda bench: verified(bench, run=Run({"HOME": "/nowhere"}))),
    Harmless("it gets less memory, but enough", lambda bench: verified(bench, memory=512 << 20)),
    Harmless("it is verified from another working directory", from_elsewhere),
    Harmless("it is verified by a colleague's clone", cloned),
    Harmless("files beside the captured ones are changed", other_files),
    Harmless("files have other times and modes", touched),
    Harmless("it is captured a second time", captured_again),
    Harmless("whoever verifies has other settings", other_settings),
    Harmless("a machine with fewer CPUs", fewer_cpus),
)
