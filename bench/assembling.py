"""How long making an image takes, against `docker build` on the same base and the same local wheels. Ratios of one run.

Usage: python bench/assembling.py [--quick] [--wheels DIRECTORY]

Needs an engine with the base (`make engine base`); the wheels are downloaded once to DIRECTORY. `--quick` leaves out
what takes minutes (everything compiled, and Docker's side of it). Each case of ours is measured twice: as a command,
with the start of Python and all imports, and as a call, in a process of its own that has imported everything.
"""

import argparse
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from repro_oci.builder import OciBuilder

from repro.capture.predict import Predictor
from repro.engines import ImageInfo, find_docker
from repro.http import per_thread, session
from repro.lock import ImageOptions, Lock, render_lock
from repro.oci.layouts import open_layout
from repro.oci.streams import open_plain
from repro.progress import Silent
from repro.registry import Registry
from repro.store import ObjectStore
from tests.builders import projects

BASE = "repro-base:bookworm"
STACK = ["scikit-learn==1.6.1", "pandas==2.2.3", "matplotlib==3.10.0", "pyarrow==19.0.0", "ipykernel==6.29.5"]
BUMPED = ("traitlets", "5.14.3")
"""A small package of the stack, in an older version than pip chooses."""
PLATFORMS = ["--platform", "manylinux_2_17_x86_64", "--platform", "manylinux_2_28_x86_64", "--platform", "linux_x86_64"]
CODE = "print('the evaluation')\n"
CALL = """
import sys, time
from pathlib import Path
from repro.build import BuildRequest, Sources, build, parse_output
import repro_oci.compiled, repro_oci.wheels

if __name__ == "__main__":
    outputs = tuple(parse_output(text) for text in sys.argv[1:])
    request = BuildRequest(Path("repro.lock"), tags=("bench:repro",), outputs=outputs)
    began = time.perf_counter()
    build(request, Sources())
    print(time.perf_counter() - began)
"""


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
        self.images: set[str] = set()
        for wheel in [*wheels, bumped]:
            ObjectStore(self.cache / "artifacts").add_file(wheel)

    def run(self, *, quick: bool) -> None:
        """Every case, its ratio and its target."""
        size = sum(wheel.stat().st_size for wheel in self.wheels)
        print(f"{len(self.wheels)} wheels, {size / 1e6:.0f} MB; {os.cpu_count()} CPUs")
        self.lock(self.wheels, CODE)
        self.command("-o", f"oci:{self.home / 'first'}")  # brings the base here, which Docker has already
        docker = min(self.docker("--no-compile", no_cache=True) for _ in range(2))
        self.cold(docker)
        self.loaded(docker)
        self.nothing()
        self.code()
        self.bump()
        if not quick:
            self.compiled()
        self.sizes()
        self.forget_images("bench:repro", "bench:docker")

    def cold(self, docker: float) -> None:
        """Nothing but wheels and base at hand; into a layout."""
        out = self.home / "cold"
        with self.memory() as peak:
            mine = min(self.both(f"oci:{out}", before=lambda: self.forget_layers(out)) for _ in range(3))
        row("cold assembly, against docker build with pip --no-compile", docker, mine, 25)
        floor = self.floor(out)
        print(f"{'the same, share of the time of tar | sha256sum':62} {mine.call / floor:6.2f}   wanted: at most 0.7")
        print(f"{'peak memory of all processes together':62} {peak.most / 1e6:6.0f} MB  wanted: at most 200")

    def loaded(self, docker: float) -> None:
        """The same, and every layer into the engine."""
        mine = min(self.both("engine", before=self.forget_all) for _ in range(2))
        row("cold assembly and full load into the engine", docker, mine, 2.5)

    def nothing(self) -> None:
        mine = min(self.both("engine") for _ in range(5))
        print(f"{'nothing changed':62} {mine}   wanted: at most 0.1 s")

    def code(self) -> None:
        """One changed line, to an image that can be run."""
        theirs, mine = [], []
        self.docker("--no-compile")
        for number in range(3):
            numbers = iter(range(10 * number, 10 * number + 10))
            mine.append(self.both("engine", before=lambda n=numbers: self.lock(self.wheels, f"{CODE}# {next(n)}\n")))
            theirs.append(self.docker("--no-compile"))
        row("one line of code changed, to a runnable image", min(theirs), min(mine), 3)
        print(f"{'the same, in seconds':62} {min(mine)}   wanted: at most 0.3 s")

    def bump(self) -> None:
        """One small wheel in another version."""
        old = next(wheel for wheel in self.wheels if wheel.name.startswith(f"{BUMPED[0]}-"))
        wheels = [wheel for wheel in self.wheels if wheel != old] + [self.bumped]

        def before() -> None:
            self.lock(self.wheels, CODE)
            self.forget_all()
            self.command("-o", "engine")
            self.lock(wheels, CODE)

        mine = self.both("engine", before=before)
        row("one small wheel bumped, to a runnable image", self.docker("--no-compile", wheels=wheels), mine, 10)

    def compiled(self) -> None:
        """Everything compiled, as pip does by default."""
        self.lock(self.wheels, CODE, ImageOptions(bytecode="all"))
        out = self.home / "compiled"
        mine = self.both(f"oci:{out}", before=lambda: self.forget_layers(out))
        what = "cold assembly with all .pyc, against docker build with pip's default"
        row(what, self.docker(no_cache=True), mine, 3.5)

    def sizes(self) -> None:
        """Unpacked, in the engine, above the same base."""
        self.lock(self.wheels, CODE)
        self.command("-o", "engine")
        self.docker("--no-compile")
        engine = find_docker()
        mine, theirs = (engine.image(name) for name in ("bench:repro", "bench:docker"))
        if mine and theirs:
            print(f"{'image, unpacked':62} {mine.size / 1e6:6.0f} MB against {theirs.size / 1e6:.0f} MB")

    def lock(self, wheels: list[Path], code: str, options: ImageOptions | None = None) -> None:
        projects.write_files(self.project, {"evaluate.py": code.encode()})
        lock: Lock = projects.make_lock(
            self.base,
            projects.package(self.installer),
            files=[projects.locked("evaluate.py", code.encode())],
            packages=[projects.package(wheel) for wheel in wheels],
        )
        lock = replace(lock, image=options or ImageOptions(bytecode="none"))
        (self.project / "repro.lock").write_bytes(render_lock(self.predictor().predict(lock, self.project)))

    def predictor(self) -> Predictor:
        """What capture writes predictions with; its layers are kept apart from those of builds."""
        return Predictor(
            OciBuilder(self.home / "captured"),
            base=None,
            cache=ObjectStore(self.cache / "artifacts"),
            sessions=per_thread(session),
            engine=find_docker,
            registry=Registry(),
            progress=Silent(),
        )

    def both(self, output: str, before: Callable[[], object] = lambda: None) -> "Times":
        """Seconds of `repro build -o OUTPUT` as a command and as a call, each after `before`."""
        before()
        os.sync()  # else what others wrote before is waited for here
        command = timed(lambda: self.command("-o", output))
        self.remember("bench:repro")
        before()
        os.sync()
        script = self.home / "call.py"
        script.write_text(CALL, encoding="utf-8")
        done = self.python(str(script), output)
        self.remember("bench:repro")
        return Times(float(done.stdout), command)

    def command(self, *args: str) -> None:
        self.python("-m", "repro", "-q", "build", "-t", "bench:repro", *args)

    def python(self, *args: str) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "REPRO_CACHE_DIR": str(self.cache)}
        command = [sys.executable, *args]
        return subprocess.run(command, cwd=self.project, env=environ, check=True, stdout=subprocess.PIPE, text=True)

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
        os.sync()
        seconds = timed(lambda: subprocess.run(command, check=True, capture_output=True, env=environ))
        self.remember("bench:docker")
        return seconds

    def floor(self, layout: Path) -> float:
        """Seconds of `tar -cf - TREE | sha256sum` over the same files, read from disk caches."""
        tree = self.home / "tree"
        tree.mkdir()
        image = open_layout(layout, None, "linux/amd64")
        for number in range(len(self.base.diff_ids), len(image.layers)):
            with open_plain(image, number) as stream:
                subprocess.run(["tar", "-x", "-C", str(tree)], input=stream.read(), check=True)
        command = f"tar -cf - -C {tree} . | sha256sum"
        seconds = min(timed(lambda: subprocess.run(command, shell=True, check=True, stdout=-3)) for _ in range(3))
        shutil.rmtree(tree)
        return seconds

    def forget_layers(self, out: Path) -> None:
        shutil.rmtree(self.cache / "layers", ignore_errors=True)
        shutil.rmtree(out, ignore_errors=True)

    def forget_all(self) -> None:
        self.forget_layers(self.home / "none")
        self.forget_images("bench:repro")

    def forget_images(self, *names: str) -> None:
        """Remove what was built under these names so far: an image that lost its name would keep its layers."""
        engine = find_docker()
        found = [engine.image(name) for name in (*names, *self.images)]
        for image in {info.id for info in found if info is not None}:
            subprocess.run(["docker", "image", "rm", "-f", image], check=True, capture_output=True)
        self.images.clear()

    def remember(self, name: str) -> None:
        image = find_docker().image(name)
        if image is not None:
            self.images.add(image.id)

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


@dataclass(frozen=True, order=True)
class Times:
    """Seconds of one case, within Python and with its start."""

    call: float
    command: float

    def __str__(self) -> str:
        return f"{self.call:.2f} s as a call, {self.command:.2f} s as a command"


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def row(case: str, theirs: float, mine: Times, wanted: float) -> None:
    ratios = f"{theirs / mine.call:6.1f}x  {theirs / mine.command:6.1f}x"
    print(f"{case:62} {ratios}   wanted: {wanted:g}x   ({mine}, against {theirs:.2f} s)", flush=True)


if __name__ == "__main__":
    main()
