"""What watching a run costs: notebooks with all eyes on them, against the same runs with nothing of it.

Usage: python bench/tracing.py PYTHON [ROUNDS]   where PYTHON is the interpreter of an environment with a kernel and
what the examples need (examples/*/requirements.txt). The two ways take turns. Seconds are those of the clock and of all
processors together, repro's own included; the least of each way counts, which on a busy machine only the second bear.

Three notebooks are typical ones: the examples are short, mostly imports; the third makes features, validates models and
plots. The last one is none: it only opens files. The hooks' bytecode is kept, as from the first capture on.
"""

import contextlib
import dataclasses
import functools
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from repro.capture.model import Interpreter
from repro.capture.outside import Outside
from repro.capture.probe import probe
from repro.capture.tracing.watching import run_watched
from repro.runner import execute as runner
from repro.runner.documents import Evaluation
from repro.runner.notebook import read_notebook
from repro.runner.surroundings import Surroundings, surroundings

_EXAMPLES = Path(__file__).parent.parent / "examples"
_SMALL_FILES = 20_000
_ROWS = 60_000
_FEATURES = (
    f"""\
import matplotlib
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.metrics import RocCurveDisplay
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

matplotlib.use("agg")
rng = np.random.default_rng(7)
orders = pd.DataFrame(
    {{
        "customer": rng.integers(0, {_ROWS} // 20, {_ROWS}),
        "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 365, {_ROWS}), "D"),
        "amount": rng.gamma(2.0, 30.0, {_ROWS}).round(2),
        "kind": rng.choice(["food", "books", "tools"], {_ROWS}),
    }}
)
orders.to_csv("orders.csv", index=False)
""",
    """\
orders = pd.read_csv("orders.csv", parse_dates=["day"]).sort_values(["customer", "day"])
orders["gap"] = orders.groupby("customer")["day"].diff().dt.days
orders["mean_of_five"] = orders.groupby("customer")["amount"].transform(lambda amount: amount.rolling(5, 1).mean())
features = orders.groupby("customer").agg(
    total=("amount", "sum"), highest=("amount", "max"), spread=("amount", "std"), gap=("gap", "mean"),
    recent=("mean_of_five", "last"), count=("amount", "size"),
).fillna(0)
features = features.join(pd.crosstab(orders["customer"], orders["kind"], normalize="index"))
leaves = (features["gap"] + rng.normal(0, 4, len(features)) > features["gap"].median()).astype(int)
features.describe()
""",
    """\
folds = StratifiedKFold(5, shuffle=True, random_state=7)
simple = make_pipeline(StandardScaler(), LogisticRegression())
forest = RandomForestClassifier(200, random_state=7)
scores = {name: cross_val_score(model, features, leaves, cv=folds, scoring="roc_auc").mean()
          for name, model in {"simple": simple, "forest": forest}.items()}
scores
""",
    """\
likely = cross_val_predict(simple, features, leaves, cv=folds, method="predict_proba")[:, 1]
RocCurveDisplay.from_predictions(leaves, likely).figure_.savefig("roc.png")
""",
)
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
        os.environ["REPRO_CACHE_DIR"] = os.fspath(scratch / "cache")
        for name, path in _subjects(scratch).items():
            interpreter = probe(python, cwd=path.parent, env=os.environ)
            ways = (
                functools.partial(_plain, python, path, scratch / "out"),
                functools.partial(_watched, python, path, scratch / "out", interpreter),
            )
            times = [[_timed(way) for way in ways] for _ in range(rounds)]
            plain, watched = ([min(one[way][unit] for one in times) for unit in (0, 1)] for way in (0, 1))
            for unit, told in enumerate(("clock", "processors")):
                ratio = watched[unit] / plain[unit]
                print(
                    f"{name:22} {told:10} plain {plain[unit]:6.2f} s   watched {watched[unit]:6.2f} s   {ratio:5.3f}x"
                )


def _timed(work: Callable[[], object]) -> tuple[float, float]:
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
    return {
        "breast cancer": scratch / "breast-cancer" / "breast_cancer.ipynb",
        "house prices, training": scratch / "house-prices" / "train.ipynb",
        "features and models": _notebook(scratch / "features" / "features.ipynb", *_FEATURES),
        f"{_SMALL_FILES} small files": _notebook(many / "many.ipynb", _MANY),
    }


def _notebook(path: Path, *cells: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    empty: dict[str, Any] = {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": []}
    code = [{**empty, "source": cell} for cell in cells]
    notebook = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": code}
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


@contextlib.contextmanager
def _untraced(*args: Any) -> Iterator[Surroundings]:
    with surroundings(*args) as place:
        variables = {name: value for name, value in place.variables.items() if name != "REPRO_TRACE"}
        variables["PYTHONPATH"] = os.pathsep.join(variables["PYTHONPATH"].split(os.pathsep)[1:])
        yield dataclasses.replace(place, variables=variables)


def _plain(python: Path, path: Path, out: Path) -> None:
    """The same runner without its hook; of these notebooks, none has a cell that the hook is asked about."""
    with mock.patch.object(runner, "surroundings", _untraced):
        record = runner.execute(Evaluation("notebook", path.name, str(python), ""), path.parent, out)
    assert record.failure is None, record.failure


def _watched(python: Path, path: Path, out: Path, interpreter: Interpreter) -> None:
    evaluation = Evaluation("notebook", path.name, str(python), "")
    watched = run_watched(
        lambda hooks: runner.execute(evaluation, path.parent, out, hooks=hooks),
        [cell.source for cell in read_notebook(path).cells if cell.cell_type == "code"],
        root=path.parent,
        workdir=path.parent,
        out=out,
        outside=Outside(interpreter, [out]),
        environ=os.environ,
        interpreter=interpreter,
    )
    assert watched.record.failure is None, watched.record.failure


if __name__ == "__main__":
    main()
