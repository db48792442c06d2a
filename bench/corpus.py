"""Notebooks that others wrote: those of the statsmodels source distribution, each through capture, build and verify.

Usage: python bench/corpus.py WORK [--only PATTERN] [--jobs N] [--resume]   (--help for the rest)

WORK gets the sources, one environment for all, a fresh project for each notebook, and results.json, which --resume
goes on from. The notebooks are not touched. They declare no metric, so a repro.toml beside them takes the last number
and the last line that they print; besides, every output of the laptop's run is compared with that of the image.
A notebook that fails is run again by nbconvert alone, in the same kernel and without a network: if that fails as well,
it isn't repro's fault.
"""

import argparse
import fnmatch
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from repro.capture.packages.index import IndexClient
from repro.capture.packages.settings import load_settings
from repro.files import atomic_write
from repro.outputs.compare import output_differences

VERSION = "0.14.6"
SHA256 = "4d17873d3e607d398b85126cd4ed7aad89e4e9d89fc744cdab1af3189a996c2a"
NEEDS = [
    f"statsmodels=={VERSION}",
    "pandas<3",
    "numpy<2.4",  # later ones refuse what some of the notebooks do
    "matplotlib",
    "seaborn",
    "ipykernel",
    "nbconvert",
    "pandas-datareader",
    "pytest",
]
SETTINGS = """\
[metrics.patterns]
number = '(?<![\\w.])([-+]?\\d+\\.\\d+(?:[eE][-+]?\\d+)?)(?![\\w.])'
line = '^(?!.*(?:0x[0-9a-f]{6}|\\d\\d:\\d\\d:\\d\\d))(.*\\S.*)'
"""
OFFLINE = ("gaierror", "URLError", "ConnectionError", "Name or service", "Temporary failure", "Max retries", "NewConn")
_PASSED_ON = re.compile(
    r"PATH|HOME|TMPDIR|LANG|LC_.*|(?:REPRO|PIP|UV|DOCKER|SSL|REQUESTS|XDG)_.*|.*_proxy", re.IGNORECASE
)
_TAIL = 400


@dataclass(frozen=True)
class Result:
    """What came of one notebook.

    Attributes:
        name: Its file name.
        outcome: `equal`; `outputs` (the metrics are equal, but an output differs), `differs` (a metric), `capture`,
            `build`, `verify` (where it failed); or what isn't repro's: `random` (two runs of nbconvert differ as well),
            `silent` (it prints nothing that could be compared), `network`, `kernel` (its own kernel can't run it
            without a network).
        cause: Why it isn't equal.
        seconds: Of capture, build and verify, those that were reached.
        verified: Whether every metric was equal.
    """

    name: str
    outcome: str
    cause: str = ""
    seconds: tuple[float, ...] = ()
    verified: bool = False


@dataclass(frozen=True)
class Step:
    """A program that was run to its end, or stopped; `code` is None then."""

    code: int | None
    output: str
    errors: str
    seconds: float


@dataclass(frozen=True)
class Corpus:
    """What all notebooks share."""

    work: Path
    sources: Path
    python: Path
    engine: str
    limit: float
    keep: bool

    def run(self, notebook: Path) -> Result:
        """One notebook, in a project of its own that didn't exist before."""
        project = self._copy(notebook.name, "projects")
        (project / "repro.toml").write_text(SETTINGS, encoding="utf-8")
        result = self._through(notebook.name, project)
        if not self.keep:
            shutil.rmtree(project / ".repro" / "image", ignore_errors=True)
        return result

    def _through(self, name: str, project: Path) -> Result:
        seconds: list[float] = []
        commands: dict[str, list[str | Path]] = {
            "capture": ["capture", name, "--python", self.python, "--timeout", f"{self.limit:.0f}", "--json"],
            "build": ["build", "-o", "oci:.repro/image"],
            "verify": ["verify", "oci:.repro/image", "--engine", "bubblewrap", "--json"],
        }
        if self.engine != "bubblewrap":
            commands["build"] = ["build", "-t", f"repro-corpus/{project.name.lower()}"]
            commands["verify"] = ["verify", f"repro-corpus/{project.name.lower()}", "--engine", self.engine, "--json"]
        for stage, command in commands.items():
            step = self._step([sys.executable, "-m", "repro", *command], project)
            (project / f"{stage}.txt").write_text(f"{step.output}\n{step.errors}", encoding="utf-8")
            seconds.append(round(step.seconds, 1))
            if step.code != 0:
                outcome = "differs" if (stage, step.code) == ("verify", 1) else stage
                return self._blamed(project, Result(name, outcome, _cause(step), tuple(seconds)))
        first, cause = _first_difference(*_executed(project))
        result = Result(name, "outputs" if first else "equal", cause, tuple(seconds), verified=True)
        return self._blamed(project, result) if first else result

    def _blamed(self, project: Path, result: Result) -> Result:
        """Whether its own kernel can't run it either, or gives other outputs every time."""
        plain, step = self._plain(result.name, "plain")
        if step.code is None and "timed out" in result.cause:
            return replace(result, outcome="kernel", cause="takes longer than the limit, with nbconvert, too")
        if step.code != 0:
            network = any(word in step.errors for word in OFFLINE)
            cause = f"nbconvert, too: {_last_line(step.errors)}"
            return replace(result, outcome="network" if network else "kernel", cause=cause)
        if "reported no metric" in result.cause:
            return replace(result, outcome="silent", cause="it prints nothing that could be compared")
        if result.outcome not in {"differs", "outputs"}:
            return result
        ours, _ = _first_difference(*_executed(project))
        again, _ = self._plain(result.name, "again")
        own, cause = _first_difference(_read(plain), _read(again))
        if own and ours and own <= ours:
            return replace(result, outcome="random", cause=f"two runs of nbconvert differ, too: {cause}")
        return result

    def _plain(self, name: str, place: str) -> tuple[Path, Step]:
        """Run by nbconvert alone, without a network. Returns the executed notebook."""
        folder = self._copy(name, place)
        sealed: list[str | Path] = ["bwrap", "--unshare-net", "--dev-bind", "/", "/", "--die-with-parent"]
        convert: list[str | Path] = [self.python, "-m", "nbconvert", "--to", "notebook", "--execute"]
        return folder / "executed.ipynb", self._step([*sealed, *convert, "--output", "executed", name], folder)

    def _copy(self, name: str, place: str) -> Path:
        """A new folder with the notebook, and with what lies beside notebooks and is none."""
        folder = self.work / place / Path(name).stem
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file in self.sources.iterdir():
            if file.name == name or (file.is_file() and file.suffix != ".ipynb"):
                shutil.copy2(file, folder)
        return folder

    def _step(self, command: Sequence[str | Path], folder: Path) -> Step:
        environment = {name: value for name, value in os.environ.items() if _PASSED_ON.fullmatch(name)}
        environment["PATH"] = f"{self.python.parent}{os.pathsep}{environment['PATH']}"
        began = time.monotonic()
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment, timeout=self.limit + 120, capture_output=True, check=False
            )
        except subprocess.TimeoutExpired:
            return Step(None, "", "timed out", time.monotonic() - began)
        output, errors = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
        return Step(done.returncode, output, errors, time.monotonic() - began)


def main() -> int:
    """Prepare, run, print a line for each and a summary. Returns the exit code: 1 when repro failed somewhere."""
    chosen = _arguments()
    work = chosen.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    sources, python = _sources(work), _environment(work, chosen.python)
    corpus = Corpus(work, sources, python, chosen.engine, chosen.timeout, chosen.keep)
    file = work / "results.json"
    results = {one["name"]: Result(**one) for one in json.loads(file.read_bytes())} if file.is_file() else {}
    wanted = [path for path in sorted(sources.glob("*.ipynb")) if fnmatch.fnmatch(path.stem, chosen.only)]
    waiting = [path for path in wanted if not (chosen.resume and path.name in results)]
    pool = ThreadPoolExecutor(chosen.jobs)
    try:
        for done in as_completed([pool.submit(corpus.run, path) for path in waiting]):
            result = done.result()
            results[result.name] = result
            print(_line(result), flush=True)
            atomic_write(file, json.dumps([asdict(one) for one in results.values()], indent=1).encode())
    finally:
        pool.shutdown(cancel_futures=True)
    return _summary([results[path.name] for path in wanted if path.name in results], len(wanted))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="where everything goes")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="names without .ipynb: 'statespace_*'")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="notebooks at the same time")
    parser.add_argument("--resume", action="store_true", help="leave out those that results.json has")
    parser.add_argument("--engine", choices=["bubblewrap", "docker", "podman"], default="bubblewrap")
    parser.add_argument("--timeout", type=float, default=600, metavar="SECONDS", help="for one notebook's run")
    parser.add_argument("--python", default="3.11", help="what the environment is made with")
    parser.add_argument("--keep", action="store_true", help="keep each notebook's image")
    return parser.parse_args()


def _sources(work: Path) -> Path:
    """The folder of the notebooks, out of the source distribution that the configured index has."""
    folder = work / f"statsmodels-{VERSION}" / "examples" / "notebooks"
    if not folder.is_dir():
        client = IndexClient(load_settings(prefix=Path(sys.prefix)))
        listed = client.files("statsmodels", VERSION)
        archive = client.download(next(one for one in listed if one.name.endswith(".tar.gz")))
        if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
            sys.exit(f"statsmodels {VERSION}: the source distribution is not the one that is known here")
        with tarfile.open(archive) as members:
            members.extractall(work, filter="data")
    return folder


def _environment(work: Path, python: str) -> Path:
    """The interpreter of the one environment."""
    place = work / "venv"
    found = place / "bin" / "python"
    if not (place / "complete").is_file():
        uv = shutil.which("uv") or sys.exit("uv is needed: pip install uv")
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", python, place], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", found, *NEEDS], check=True)
        (place / "complete").touch()
    return found


def _cause(step: Step) -> str:
    """The error's own words: capture and build say them on the standard error as JSON, verify in its verdict."""
    if step.code is None:
        return step.errors
    for text in (step.output, *reversed(step.errors.splitlines())):
        try:
            document = json.loads(text)
        except ValueError:
            continue
        if isinstance(document, dict) and document.keys() & {"what", "reason"}:
            parts = [document.get("where", ""), document.get("what") or document["reason"]]
            moved = [one["name"] for one in document.get("metrics", []) if not one["passed"]]
            return ": ".join(filter(None, [*parts, *document.get("problems", []), *moved]))[:_TAIL]
    return _last_line(step.errors)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:_TAIL] if lines else ""


def _executed(project: Path) -> list[dict[str, Any]]:
    """What the laptop showed, and what the image."""
    runs = sorted((project / ".repro" / "runs").iterdir())
    return [
        _read(next(run for run in reversed(runs) if f"-{stage}" in run.name) / "executed.ipynb")
        for stage in ("capture", "verify")
    ]


def _read(notebook: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(notebook.read_bytes())
    return document


def _first_difference(ours: dict[str, Any], theirs: dict[str, Any]) -> tuple[int, str]:
    """The first cell that differs, 0 for none, and what differs in it."""
    differences = list(output_differences(ours, theirs))
    if not differences:
        return 0, ""
    first = differences[0]
    place = f"cell {first.cell}, {first.kind}{f', line {first.line}' if first.line else ''}"
    return first.cell or 0, f"{len(differences)} cells; {place}: {first.baseline} -> {first.other}"


def _line(result: Result) -> str:
    times = "/".join(f"{one:.0f}" for one in result.seconds)
    return f"{result.name:45} {result.outcome:9} {times:>12} s  {result.cause}"


def _summary(results: Sequence[Result], total: int) -> int:
    counts = Counter(result.outcome for result in results)
    unable = counts["network"] + counts["kernel"]
    silent, own = counts["silent"], counts["random"]
    failed = sum(counts[outcome] for outcome in ("capture", "build", "verify", "differs", "outputs"))
    print(f"\n{len(results)} of {total} run. {unable} can't run in their own kernel without a network: "
          f"{counts['network']} want the network, {counts['kernel']} fail otherwise.")  # fmt: skip
    print(f"{len(results) - unable} can: {silent} print nothing to compare; "
          f"{len(results) - unable - silent - counts['capture']} captured; "
          f"{sum(one.verified for one in results)} verified with equal metrics, "
          f"{counts['equal']} of them with every output equal; {own} differ between two runs of nbconvert as well; "
          f"{failed} fail for another reason.")  # fmt: skip
    for line in _failures(results):
        print(line)
    return 1 if failed else 0


def _failures(results: Sequence[Result]) -> Iterator[str]:
    for result in sorted(results, key=lambda one: (one.outcome, one.name)):
        if result.outcome != "equal":
            yield f"  {result.outcome:9} {result.name}: {result.cause}"


if __name__ == "__main__":
    sys.exit(main())
