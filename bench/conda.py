"""How long conda's packages take on their way into layers, against py-rattler and tar. Ratios of one run.

Usage: python bench/conda.py

The packages are those of the tests' channel (scikit-learn, pandas, ipykernel and all that they need), their archives
on disk. Theirs: py-rattler, which pixi links with, installs them from an empty package cache, and tar and sha256sum
make one layer of that, as a Dockerfile's COPY would. Ours: every archive linked into layers, with their digests. Both
take turns, and the best of several rounds counts.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from repro_oci.cache import LayerCache
from repro_oci.jobs import Job
from repro_oci.workers import Crew

from repro.conda.environment import read_prefix
from repro.conda.records import Record, package_of
from repro.cpus import usable_cpus
from repro.digest import Digest
from repro.plan import CondaLink
from tests.conda_channel.environments import make_environment
from tests.conda_channel.shared import LAPTOP_SPECS, shared_channels

_ROUNDS = 3
_SITE = "lib/python3.11/site-packages"


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="repro-bench-") as folder:
        work = Path(folder)
        channels = shared_channels(work)
        make_environment(channels.url, LAPTOP_SPECS, work / "laptop", channels.cache)
        links = {
            _link(record): channels.main / record.subdir / record.archive
            for record in read_prefix(work / "laptop").records
        }
        rounds = [
            (_timed(lambda: _ours(links, work)), _timed(lambda: _theirs(channels.url, work))) for _ in range(_ROUNDS)
        ]
        ours, theirs = min(one for one, _ in rounds), min(one for _, one in rounds)
        size = sum(path.stat().st_size for path in links.values()) / 1e6
        print(
            f"{len(links)} conda packages, {size:.0f} MB: repro {ours:.2f} s, "
            f"py-rattler and tar {theirs:.2f} s: {theirs / ours:.1f}x"
        )


def _link(record: Record) -> CondaLink:
    sha256 = record.sha256
    assert sha256 is not None
    package = package_of(record, "linux/amd64", url=record.public_url, sha256=sha256, size=record.size or 0)
    return CondaLink(package, _SITE)


def _ours(links: dict[CondaLink, Path], work: Path) -> None:
    shutil.rmtree(work / "layers", ignore_errors=True)
    jobs = [_job(link, path) for link, path in links.items()]
    with Crew(usable_cpus() - 1) as crew:
        for _ in crew.run(jobs, LayerCache(work / "layers")):
            pass


def _job(link: CondaLink, path: Path) -> Job:
    files: dict[Digest, Path] = {link.package.sha256: path}
    name, size = f"conda-{link.package.name}", link.package.size
    return Job(name, link.package.sha256.hex, "splice", (link,), files, "3.11", weight=size, effort=size)


def _theirs(channel: str, work: Path) -> None:
    for name in ("cache", "prefix"):
        shutil.rmtree(work / name, ignore_errors=True)
    make_environment(channel, LAPTOP_SPECS, work / "prefix", work / "cache")
    subprocess.run(
        f"tar -C '{work}/prefix' --sort=name -cf - . | sha256sum", shell=True, check=True, stdout=subprocess.DEVNULL
    )


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
