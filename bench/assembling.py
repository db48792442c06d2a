"""How long making an image takes, against `docker build` on the same base and the same local wheels. Ratios of one run.

Usage: python bench/assembling.py [--quick] [--wheels DIRECTORY]

Needs an engine with the base (`make engine base`); the wheels are downloaded once to DIRECTORY. `--quick` leaves out
what takes minutes (everything compiled, and Docker's side of it).
"""

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from repro.engines import ImageInfo, find_docker
from repro.lock import ImageOptions, Lock, render_lock
from repro.oci.layouts import open_layout
from repro.oci.streams import open_plain
from repro.store import ObjectStore
from tests.builders import projects

BASE = "repro-base:bookworm"
STACK = ["scikit-learn==1.6.1", "pandas==2.2.3", "matplotlib==3.10.0", "pyarrow==19.0.0", "ipykernel==6.29.5"]
BUMPED = ("traitlets", "5.14.3")
"""A small package of the stack, in an older version than pip chooses."""
PLATFORMS = ["--platform", "manylinux_2_17_x86_64", "--platform", "manylinux_2_28_x86_64", "--platform", "linux_x86_64"]
CODE = "print('the evaluation')\n"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--wheels", type=Path, default=Path(tempfile.gettempdir()) / "repro-bench-wheels")
    options = parser.parse_args()
    base = find_docker().image(BASE)
    if base is None:
        raise SystemExit(f"there is no {BASE}: make base")
    wheels, bumped = download(options.wheels)
    with tempfile.TemporaryDirectory(prefix="repro-bench-") as folder:
        bench = Bench(Path(folder), base, wheels, bumped)
        bench.run(quick=options.quick)


def download(directory: Path) -> tuple[list[Path], Path]:
    """The stack's wheels for the base's Python, and an older one of a small package."""
    choice = ["--python-version", "3.11", "--implementation", "cp", *PLATFORMS, "--only-binary", ":all:"]
    pip = [sys.executable, "-m", "pip", "download", "-qq", *choice]
    if not directory.exists():
        subprocess.run([*pip, "-d", directory / "stack", *STACK, "pip==25.0.1", "installer==1.0.1"], check=True)
        subprocess.run([*pip, "-d", directory / "bumped", "--no-deps", f"{BUMPED[0]}=={BUMPED[1]}"], check=True)
    return sorted((directory / "stack").glob("*.whl")), next((directory / "bumped").glob("*.whl"))


class Bench:
    """One machine, one base, one set of wheels."""

    def __init__(self, home: Path, base: ImageInfo, wheels: list[Path], bumped: Path) -> None:
        self.home = home
        self.wheels = [wheel for wheel in wheels if not wheel.name.startswith(("installer-", "pip-"))]
        self.installer = next(wheel for wheel in wheels if wheel.name.startswith("installer-"))
        self.bumped = bumped
        self.project = home / "project"
        self.project.mkdir()
        self.cache = home / "cache"
        self.base = base
        for wheel in [*wheels, bumped]:
            ObjectStore(self.cache / "artifacts").add_file(wheel)

    def run(self, *, quick: bool) -> None:
        """Every case, its ratio and its target."""
        size = sum(wheel.stat().st_size for wheel in self.wheels)
        print(f"{len(self.wheels)} wheels, {size / 1e6:.0f} MB; {os.cpu_count()} CPUs")
        self.lock(self.wheels, CODE)
        self.repro("-o", f"oci:{self.home / 'first'}")  # brings the base here, which Docker has already
        docker = self.docker("--no-compile", no_cache=True)
        with self.memory() as peak:
            cold = min(self.cold() for _ in range(3))
        row("cold assembly, against docker build with pip --no-compile", docker, cold, 25)
        floor = self.floor()
        print(
            f"{'cold assembly, share of tar | sha256sum of the same tree':68} {cold / floor:6.2f}   wanted: at most 0.7"
        )
        self.forget_image()
        self.forget_layers()
        load = timed(lambda: self.repro("-t", "bench:repro"))
        row("cold assembly and full load into the engine", docker, load, 2.5)
        nothing = min(timed(lambda: self.repro("-t", "bench:repro")) for _ in range(5))
        print(f"{'nothing changed':68} {nothing:6.2f} s   wanted: at most 0.1")
        self.code()
        self.bump()
        if not quick:
            self.compiled()
        print(f"{'peak memory of all processes together':68} {peak.most / 1e6:6.0f} MB  wanted: at most 200")

    def cold(self) -> float:
        self.forget_layers()
        shutil.rmtree(self.home / "cold", ignore_errors=True)
        return timed(lambda: self.repro("-o", f"oci:{self.home / 'cold'}"))

    def code(self) -> None:
        """One changed line, to an image that can be run."""
        mine, theirs = [], []
        self.docker("--no-compile")
        for number in range(3):
            self.lock(self.wheels, f"{CODE}# {number}\n")
            mine.append(timed(lambda: self.repro("-t", "bench:repro")))
            theirs.append(self.docker("--no-compile"))
        row("one line of code changed, to a runnable image", min(theirs), min(mine), 3)
        print(f"{'the same, in seconds':68} {min(mine):6.2f} s   wanted: at most 0.3")

    def bump(self) -> None:
        """One small wheel in another version."""
        old = next(wheel for wheel in self.wheels if wheel.name.startswith(f"{BUMPED[0]}-"))
        wheels = [wheel for wheel in self.wheels if wheel != old] + [self.bumped]
        self.lock(wheels, CODE)
        mine = timed(lambda: self.repro("-t", "bench:repro"))
        theirs = self.docker("--no-compile", wheels=wheels)
        row("one small wheel bumped, to a runnable image", theirs, mine, 10)

    def compiled(self) -> None:
        """Everything compiled, as pip does by default."""
        self.lock(self.wheels, CODE, ImageOptions(bytecode="all"))
        theirs = self.docker(no_cache=True)
        self.forget_layers()
        mine = timed(lambda: self.repro("-o", f"oci:{self.home / 'compiled'}"))
        row("cold assembly with all .pyc, against docker build with pip's default", theirs, mine, 3.5)

    def lock(self, wheels: list[Path], code: str, options: ImageOptions | None = None) -> None:
        projects.write_files(self.project, {"evaluate.py": code.encode()})
        lock: Lock = projects.make_lock(
            self.base,
            projects.package(self.installer),
            files=[projects.locked("evaluate.py", code.encode())],
            packages=[projects.package(wheel) for wheel in wheels],
        )
        lock = replace(lock, image=options or ImageOptions(bytecode="none"))
        (self.project / "repro.lock").write_bytes(render_lock(lock))

    def repro(self, *args: str) -> None:
        environ = {**os.environ, "REPRO_CACHE_DIR": str(self.cache)}
        command = [sys.executable, "-m", "repro", "-q", "build", *args]
        subprocess.run(command, cwd=self.project, env=environ, check=True, stdout=subprocess.DEVNULL)

    def docker(self, *flags: str, wheels: list[Path] | None = None, no_cache: bool = False) -> float:
        """Seconds of the usual Dockerfile, on the same base with the same wheels."""
        context = self.home / "context"
        shutil.rmtree(context, ignore_errors=True)
        (context / "wheels").mkdir(parents=True)
        lines = []
        for wheel in wheels or self.wheels:
            os.link(shutil.copy(wheel, self.home / "copy"), context / "wheels" / wheel.name)
            (self.home / "copy").unlink()
            name, version, *_ = wheel.name.split("-")
            lines.append(f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
        (context / "requirements.txt").write_text("".join(lines), encoding="utf-8")
        shutil.copy(self.project / "evaluate.py", context)
        install = " ".join(["/opt/env/bin/pip install -q --require-hashes --no-index --no-deps", *flags])
        (context / "Dockerfile").write_text(
            f"FROM {BASE}\nUSER 0\nCOPY wheels /wheels\nCOPY requirements.txt /\n"
            f"RUN python3 -m venv /opt/env && {install} --find-links /wheels -r /requirements.txt\n"
            "COPY evaluate.py /opt/project/\n",
            encoding="utf-8",
        )
        for path in [context, *sorted(context.rglob("*"))]:
            os.utime(path, (315532800, 315532800))
        cache = ["--no-cache"] if no_cache else []
        command = ["docker", "build", "-q", *cache, "-t", "bench:docker", str(context)]
        environ = {**os.environ, "DOCKER_BUILDKIT": "0"}
        return timed(lambda: subprocess.run(command, check=True, capture_output=True, env=environ))

    def floor(self) -> float:
        """Seconds of `tar -cf - TREE | sha256sum` over the same files, read from disk caches."""
        tree = self.home / "tree"
        image = open_layout(self.home / "cold", None, "linux/amd64")
        below = json.loads(image.config)["rootfs"]["diff_ids"]
        tree.mkdir()
        for number in range(len(below)):
            if number >= len(self.base.diff_ids):
                with open_plain(image, number) as stream:
                    subprocess.run(["tar", "-x", "-C", str(tree)], input=stream.read(), check=True)
        seconds = min(
            timed(
                lambda: subprocess.run(
                    f"tar -cf - -C {tree} . | sha256sum", shell=True, check=True, stdout=subprocess.DEVNULL
                )
            )
            for _ in range(3)
        )
        shutil.rmtree(tree)
        return seconds

    def forget_layers(self) -> None:
        shutil.rmtree(self.cache / "layers", ignore_errors=True)

    def forget_image(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            subprocess.run(["docker", "image", "rm", "-f", "bench:repro"], check=True, capture_output=True)

    @contextlib.contextmanager
    def memory(self) -> Iterator["Peak"]:
        """The most memory that all processes below this one held together meanwhile."""
        peak = Peak()
        thread = threading.Thread(target=peak.watch, daemon=True)
        thread.start()
        yield peak
        peak.done.set()
        thread.join()


class Peak:
    """Proportional set size of this process's descendants, twenty times a second."""

    def __init__(self) -> None:
        self.most = 0
        self.done = threading.Event()

    def watch(self) -> None:
        while not self.done.wait(0.05):
            self.most = max(self.most, sum(_pss(pid) for pid in _descendants(os.getpid())))


def _descendants(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield int(child)
                yield from _descendants(int(child))


def _pss(pid: int) -> int:
    with contextlib.suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) * 1024
    return 0


def timed(work: object) -> float:
    began = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - began


def row(case: str, theirs: float, mine: float, wanted: float) -> None:
    print(f"{case:68} {theirs / mine:6.1f}x  wanted: {wanted:g}x   ({mine:.2f} s against {theirs:.2f} s)", flush=True)


if __name__ == "__main__":
    main()
