"""How a fault gets into a real project: into its lock, its image, its run, its laptop, or what is around it."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

from repro.lock import Lock
from repro.verify.model import Verdict
from tests.conda_channel.environments import make_environment as make_conda
from tests.conda_channel.shared import Channels
from tests.faults.workshop import (
    SETTINGS,
    Captured,
    Config,
    Edit,
    Retouch,
    Run,
    Workshop,
    install,
    make_environment,
    wheel,
)

IN_IMAGE = "import json, os\nin_image = os.path.isdir('/opt/project')\n"
SAVE = "json.dump({'score': score}, open('metrics.json', 'w'))\n"

SURROUNDINGS = """\
import json, locale, os, time
locale.setlocale(locale.LC_ALL, "")
threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
values = [1 / (n + 1) for n in range(1000)]
metrics = {
    "hour": time.localtime(1720000000).tm_hour,
    "words": "".join({"alpha", "beta", "gamma", "delta", "epsilon"}),
    "locale": locale.setlocale(locale.LC_ALL),
    "total": sum(sum(values[start::threads]) for start in range(threads)),
    "checked": __debug__,
}
json.dump(metrics, open("metrics.json", "w"))
"""

INPUTS = {
    "evaluate.py": """\
import csv, json
from helper import scale
rows = [float(row["x"]) for row in csv.DictReader(open("data/rows.csv"))]
weight = json.load(open("models/weights.json"))["w"]
score = scale(sum(rows) * weight)
"""
    + SAVE,
    "helper.py": "def scale(value):\n    return value / 7\n",
    "data/rows.csv": "x,y\n1.5,1\n2.5,0\n3.5,1\n",
    "models/weights.json": '{"w": 2.0}\n',
}


@dataclass(frozen=True)
class Bench:
    """What a fault has at hand: the workshop, and environments that are shared."""

    shop: Workshop
    bare: Path
    science: Callable[[], Path]
    channels: Callable[[], Channels]

    def captured(
        self, files: Mapping[str, str | bytes], laptop: Mapping[str, str], *, subject: str, science: bool, rerun: bool
    ) -> Captured:
        """A project of these files, captured once for all faults that start from it."""
        key = (tuple(files.items()), tuple(laptop.items()), subject, science, rerun)
        if key not in self.shop.captures:
            root = self.shop.project(self.science() if science else self.bare, files)
            self.shop.captures[key] = self.shop.capture(root, subject, laptop=laptop, rerun=rerun)
        return self.shop.captures[key]


Inject = Callable[[Bench], Verdict]


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        name: What is wrong, in words.
        rule: Which rule has to come first.
        inject: Makes the project, spoils it, and verifies.
        where: What the first cause has to name.
    """

    name: str
    rule: str
    inject: Inject
    where: str = ""


@dataclass(frozen=True)
class Case:
    """A project and how its image, its lock or its run is spoiled.

    Attributes:
        files: The project; a text is the script `evaluate.py`.
        laptop: Variables that only the laptop has.
        subject: What is captured.
        exact: A metric that has to come out bit for bit.
        science: Whether its environment has NumPy and a kernel.
        rerun: Whether capture runs it.
        edit: Changes the lock, from which the image is built then.
        retouch: Changes the image.
        run: Changes what the run gets.
        memory: Bytes for the run.
        clone: Whether a colleague's clone is verified, where only the lock tells of the laptop.
        around: What holds while it is verified.
    """

    files: str | Mapping[str, str | bytes]
    laptop: Mapping[str, str] = field(default_factory=dict)
    subject: str = "evaluate.py"
    exact: str = ""
    science: bool = False
    rerun: bool = True
    edit: Edit | None = None
    retouch: Retouch | None = None
    run: Run | None = None
    memory: int | None = None
    clone: bool = False
    around: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext

    def __call__(self, bench: Bench) -> Verdict:
        files = {self.subject: self.files} if isinstance(self.files, str) else self.files
        if self.exact:
            files = {**files, "repro.toml": f"{SETTINGS}[metrics.policy.{self.exact}]\nexact = true\n"}
        captured = bench.captured(files, self.laptop, subject=self.subject, science=self.science, rerun=self.rerun)
        if self.edit is not None:
            captured = bench.shop.edited(captured, self.edit)
        image = bench.shop.image(captured) if self.retouch is None else bench.shop.retouched(captured, self.retouch)
        captured = bench.shop.cloned(captured) if self.clone else captured
        with self.around():
            return bench.shop.verify(captured, image, run=self.run, memory=self.memory)


def script(*lines: str) -> str:
    """A script whose metric is `score`."""
    return IN_IMAGE + "\n".join(lines) + "\n" + SAVE


def environment(**changes: object) -> Edit:
    """An edit of what the lock says of the surroundings."""
    return lambda lock: replace(lock, environment=replace(lock.environment, **changes))  # type: ignore[arg-type]


def seed(value: str) -> Edit:
    return lambda lock: environment(variables={**lock.environment.variables, "PYTHONHASHSEED": value})(lock)


def rounded(lock: Lock) -> Lock:
    """A lock whose numbers somebody copied from a slide."""
    metrics = [replace(one, value=round(one.value, 4)) for one in lock.metrics if isinstance(one.value, float)]
    return replace(lock, metrics=tuple(metrics))


def without_file(path: str) -> Edit:
    """A lock that has neither the file nor its profile."""

    def edit(lock: Lock) -> Lock:
        profiles = tuple(one for one in lock.evidence.profiles if one.path != path)
        files = tuple(one for one in lock.files if one.path != path)
        return replace(lock, files=files, evidence=replace(lock.evidence, profiles=profiles))

    return edit


def sets(name: str, value: str) -> Retouch:
    """An image with another variable, or another value of one."""

    def change(config: Config) -> None:
        config["Env"] = [one for one in config["Env"] if not one.startswith(f"{name}=")] + [f"{name}={value}"]

    return Retouch(config=change)


def starts(*words: str) -> Retouch:
    return Retouch(config=lambda config: config.update({"Entrypoint": list(words)}))


@contextlib.contextmanager
def one_cpu() -> Iterator[None]:
    """A machine with fewer CPUs."""
    usual = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(usual)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, usual)


def other_order(bench: Bench) -> Verdict:
    """A project in a file system whose folders come in another order: that of a memory disk is that of creation."""
    names = [f"data/part-{number * 7 % 24:02}.txt" for number in range(24)]
    lines = (
        "parts = [int(open(f'data/{name}').read()) for name in os.listdir('data')]",
        "score = sum(number * part for number, part in enumerate(parts))",
    )
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        files = {"evaluate.py": script(*lines), **{name: str(number) for number, name in enumerate(names)}}
        root = bench.shop.project(bench.bare, files, place=Path(place, "project"))
        captured = bench.shop.capture(root, "evaluate.py", laptop={})
        return bench.shop.verify(captured, bench.shop.build(captured))


def packages(
    bench: Bench,
    *lines: str,
    change: Callable[[Path, Path], None] | None = None,
    edit: Edit = lambda lock: lock,
    retouch: Retouch | None = None,
) -> Verdict:
    """An environment that is changed and captured again; the baseline stays the old one, as after a bad merge."""
    folder = bench.shop.new("wheels")
    wheel(folder, "coeffs", "1.0", "import basis\nVALUE = basis.VALUE * 2\n", "basis")
    wheel(folder, "basis", "1.0", "VALUE = 1.5\n")
    python = make_environment(bench.shop.new("environment"), *sorted(folder.glob("*.whl")))
    root = bench.shop.project(python, {"evaluate.py": script(*(lines or ("import coeffs", "score = coeffs.VALUE")))})
    captured = bench.shop.capture(root, "evaluate.py", laptop={})
    if retouch is not None:
        return bench.shop.verify(captured, bench.shop.retouched(captured, retouch))
    baseline = captured.lock.metrics
    if change is not None:
        change(python, folder)
        captured = bench.shop.capture(root, "evaluate.py", laptop={})
    spoiled = bench.shop.edited(captured, lambda lock: edit(replace(lock, metrics=baseline)))
    return bench.shop.verify(spoiled, bench.shop.build(spoiled))


def bump(name: str, module: str, *requires: str) -> Callable[[Path, Path], None]:
    return lambda python, folder: install(python, wheel(folder, name, "2.0", module, *requires))


def conda(bench: Bench, *changed: str, retouch: Retouch | None = None) -> Verdict:
    """A conda environment that is changed and captured again under the old baseline, or whose image is."""
    channels, prefix = bench.channels(), bench.shop.new("conda")
    usual = ("python=3.11", "libdemo", "libblas * *openblas")
    make_conda(channels.url, usual, prefix, channels.cache)
    lines = ("import sys", "score = float(sum('mkl' in name for name in os.listdir(f'{sys.prefix}/conda-meta')))")
    root = bench.shop.project(prefix / "bin" / "python", {"evaluate.py": script(*lines)})
    captured = bench.shop.capture(root, "evaluate.py", laptop={})
    if retouch is not None:
        return bench.shop.verify(captured, bench.shop.retouched(captured, retouch))
    baseline = captured.lock.metrics
    make_conda(channels.url, changed, prefix, channels.cache)
    changed_lock = bench.shop.capture(root, "evaluate.py", laptop={})
    spoiled = bench.shop.edited(changed_lock, lambda lock: replace(lock, metrics=baseline))
    return bench.shop.verify(spoiled, bench.shop.build(spoiled))


def mounted(bench: Bench) -> Verdict:
    """Data that isn't in the image, and is another one where the image is verified."""
    settings = SETTINGS + "[files]\nmount = ['data/*']\n"
    captured = bench.captured({**INPUTS, "repro.toml": settings}, {}, subject="evaluate.py", science=False, rerun=True)
    elsewhere = bench.shop.new("data") / "data"
    elsewhere.mkdir(parents=True)
    (elsewhere / "rows.csv").write_text("x,y\n1.5,1\n2.5,0\n9.5,1\n", encoding="utf-8")
    return bench.shop.verify(captured, bench.shop.image(captured), data=elsewhere.parent)
