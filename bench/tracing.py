"""What watching a run costs: three notebooks with all eyes on them and without any. Ratios of one run.

Usage: python bench/tracing.py PYTHON [ROUNDS]   where PYTHON is the interpreter of an environment with a kernel and
what the examples need (examples/*/requirements.txt). The two ways take turns. Seconds are those of the clock and of all
processors together, repro's own included; the least of each way counts, which on a busy machine only the second bear.
"""

import contextlib
import dataclasses
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat

from repro.capture.outside import Outside
from repro.capture.probe import probe
from repro.capture.tracing.watching import run_watched
from repro.runner import execute as runner
from repro.runner.documents import Evaluation
from repro.runner.notebook import read_notebook
from repro.runner.surroundings import Surroundings, surroundings

_EXAMPLES = Path(__file__).parent.parent / "examples"
_SMALL_FILES = 20_000
_MANY = f"""\
from pathlib import Path
total = 0
for number in range({_SMALL_FILES}):
    total += len(Path(f"small/{{number % 100}}/{{number}}.txt").read_bytes())
"""


def main() -> None:
    """Measure and print."""
    python, rounds = Path(sys.argv[1]).absolute(), int(sys.argv[2]) if len(sys.argv) > 2 else 3  # noqa: PLR2004
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder).resolve()
        for name, path in _subjects(scratch).items():
            outside = Outside(probe(python, cwd=path.parent, env=os.environ), [scratch / "out"])
            ways = [lambda path=path: _plain(python, path, scratch / "out")]
            ways += [lambda path=path, outside=outside: _watched(python, path, scratch / "out", outside)]
            times = [[_timed(way) for way in ways] for _ in range(rounds)]
            plain, watched = ([min(one[way][unit] for one in times) for unit in (0, 1)] for way in (0, 1))
            for unit, told in enumerate(("clock", "processors")):
                ratio = watched[unit] / plain[unit]
                print(
                    f"{name:22} {told:10} plain {plain[unit]:6.2f} s   watched {watched[unit]:6.2f} s   {ratio:5.3f}x"
                )


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    def processors() -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return children.ru_utime + children.ru_stime + time.process_time()

    began, before = time.monotonic(), processors()
    work()
    return time.monotonic() - began, processors() - before


def _subjects(scratch: Path) -> dict[str, Path]:
    for name in ("breast-cancer", "house-prices"):
        shutil.copytree(_EXAMPLES / name, scratch / name, ignore=shutil.ignore_patterns(".venv", ".repro"))
    many = scratch / "many-files"
    for number in range(_SMALL_FILES):
        file = many / "small" / str(number % 100) / f"{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{number}\n")
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(_MANY)]), many / "many.ipynb")
    return {
        "breast cancer": scratch / "breast-cancer" / "breast_cancer.ipynb",
        "house prices, training": scratch / "house-prices" / "train.ipynb",
        f"{_SMALL_FILES} small files": many / "many.ipynb",
    }


@contextlib.contextmanager
def _untraced(*args: Any) -> Iterator[Surroundings]:
    with surroundings(*args) as place:
        variables = {name: value for name, value in place.variables.items() if name != "REPRO_TRACE"}
        yield dataclasses.replace(place, variables=variables)


def _plain(python: Path, path: Path, out: Path) -> None:
    """The same runner, its trace switched off."""
    runner.surroundings = _untraced
    record = runner.execute(Evaluation("notebook", path.name, str(python), ""), path.parent, out)
    runner.surroundings = surroundings
    assert record.failure is None, record.failure


def _watched(python: Path, path: Path, out: Path, outside: Outside) -> None:
    evaluation = Evaluation("notebook", path.name, str(python), "")
    watched = run_watched(
        lambda tell, hooks: runner.execute(evaluation, path.parent, out, tell, hooks),
        [cell.source for cell in read_notebook(path).cells if cell.cell_type == "code"],
        root=path.parent,
        workdir=path.parent,
        out=out,
        outside=outside,
        environ=os.environ,
    )
    assert watched.record.failure is None, watched.record.failure


if __name__ == "__main__":
    main()
