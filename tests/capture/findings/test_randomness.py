"""Random numbers that nothing seeds, by library, and what a run shows of them."""

import pytest

from repro.capture.findings import Run, find, settle
from repro.runner.observed import GeneratorFact, Observed, Place
from tests.capture.findings.notebooks import notebook, of, script

RULE = "unseeded-random"
NUMPY = "import numpy as np\n"


def told(*cells: str) -> list[tuple[str, int | None, int | None, str]]:
    found = of(RULE, notebook(*cells))
    return [(one.level, one.place.cell, one.place.line, one.what.split("`")[1]) for one in found]


@pytest.mark.parametrize(
    ("source", "call"),
    [
        ("import numpy as np\nnp.random.rand(3)", "np.random.rand"),
        ("from numpy import random\nrandom.normal()", "random.normal"),
        ("from numpy.random import *\nrandn(3)", "randn"),
        ("from numpy.random import randn as r\nr(3)", "r"),
        ("import numpy.random as npr\nnpr.shuffle([1])", "npr.shuffle"),
        ("import numpy as np\nrandn = np.random.randn\nrandn(3)", "randn"),
        ("import numpy as np\nnp.random.default_rng()", "np.random.default_rng"),
        ("import numpy as np\nnp.random.default_rng(None)", "np.random.default_rng"),
        ("import numpy as np\nnp.random.RandomState()", "np.random.RandomState"),
        ("import numpy as np\nnp.random.seed()\nnp.random.rand()", "np.random.rand"),
        ("import random\nrandom.choice([1])", "random.choice"),
        ("import random\nrandom.Random()", "random.Random"),
        ("from random import shuffle\nshuffle([1])", "shuffle"),
        ("import torch\ntorch.randn(3)", "torch.randn"),
        ("from torch import nn\nnn.Linear(1, 2)", "nn.Linear"),
        ("from torch.utils.data import DataLoader\nDataLoader(d, shuffle=True)", "DataLoader"),
        ("import tensorflow as tf\ntf.random.normal([1])", "tf.random.normal"),
        ("from tensorflow import keras\nkeras.layers.Dense(1)", "keras.layers.Dense"),
        ("from tensorflow.keras.layers import Dense\nDense(1)", "Dense"),
        ("import keras\nkeras.layers.Dropout(0.5)", "keras.layers.Dropout"),
        ("from sklearn.model_selection import train_test_split\ntrain_test_split(x)", "train_test_split"),
        ("from sklearn.model_selection import KFold\nKFold(5, shuffle=True)", "KFold"),
        ("from sklearn.ensemble import RandomForestClassifier as R\nR(random_state=None)", "R"),
        ("import sklearn.cluster\nsklearn.cluster.KMeans(3)", "sklearn.cluster.KMeans"),
        (
            "from sklearn.linear_model import LogisticRegression\nLogisticRegression(solver='saga')",
            "LogisticRegression",
        ),
        ("from sklearn.svm import SVC\nSVC(probability=True)", "SVC"),
        ("from sklearn.cluster import KMeans\nKMeans(init='random')", "KMeans"),
        ("from sklearn.decomposition import PCA\nPCA(2, svd_solver='randomized')", "PCA"),
        ("from sklearn.utils import shuffle\nshuffle(x)", "shuffle"),
        ("import pandas as pd\ndf.sample(frac=0.5)", "df.sample"),
        ("import pandas as pd\ndf.sample(10)", "df.sample"),
        ("from scipy import stats\nstats.norm.rvs(size=3)", "stats.norm.rvs"),
        ("from scipy.optimize import differential_evolution\ndifferential_evolution(f, b)", "differential_evolution"),
        ("import umap\numap.UMAP()", "umap.UMAP"),
        ("import pymc as pm\npm.sample(1000)", "pm.sample"),
    ],
)
def test_calls_without_a_seed(source: str, call: str) -> None:
    (found,) = told(source)
    assert found == ("warning", 1, len(source.split("\n")), call)


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\nnp.random.seed(0)\nnp.random.rand(3)",
        "import numpy as np\nrng = np.random.default_rng(0)\nrng.random(3)",
        "import numpy as np\nrng = np.random.default_rng(seed=0)",
        "import numpy as np\nrng = np.random.RandomState(0)\nrng.rand(3)",
        "import random\nrandom.seed(1)\nrandom.random()",
        "import random\nrandom = make()\nrandom.choice([1])",
        "import random\ndef f(random):\n    return random.choice([1])",
        "import torch\ntorch.manual_seed(0)\ntorch.randn(3)\ntorch.nn.Linear(1, 2)",
        "import torch\ntorch.rand(3, generator=g)",
        "import torch\nmodel = torch.nn.Sequential(torch.nn.ReLU())\ntorch.tensor([1])",
        "from torch.utils.data import DataLoader\nDataLoader(d)",
        "import tensorflow as tf\ntf.keras.utils.set_random_seed(1)\ntf.keras.layers.Dense(1)",
        "import keras\nkeras.utils.set_random_seed(1)\nimport numpy as np\nnp.random.rand()\nkeras.layers.Dense(1)",
        "import pytorch_lightning as pl\npl.seed_everything(0)\nimport torch\ntorch.rand(1)",
        "from transformers import set_seed\nset_seed(0)\nimport random\nrandom.random()",
        "from sklearn.model_selection import train_test_split\ntrain_test_split(x, random_state=0)",
        "from sklearn.model_selection import train_test_split\ntrain_test_split(x, shuffle=False)",
        "from sklearn.model_selection import KFold\nKFold(5)",
        "from sklearn.ensemble import RandomForestClassifier\nRandomForestClassifier(**params)",
        "from sklearn.linear_model import LogisticRegression, Ridge\nLogisticRegression()\nRidge()",
        "from sklearn.svm import SVC, LinearSVC\nSVC()\nLinearSVC(dual=False)",
        "from sklearn.cluster import KMeans\nKMeans(init=centres, n_init=1)",
        "from sklearn.decomposition import PCA\nPCA(2)",
        "import numpy as np\nfrom sklearn.cluster import KMeans\nnp.random.seed(0)\nKMeans(3)",
        "import pandas as pd\ndf.sample(frac=0.5, random_state=1)",
        "import pandas as pd\nimport pymc as pm\ndf.plot()\nmodel.sample()\ntorch_distribution.sample((3,))",
        "from scipy import stats\nstats.norm.rvs(size=3, random_state=0)\nstats.norm.pdf(1)",
        "from xgboost import XGBClassifier\nXGBClassifier()\nXGBClassifier(subsample=0.5, random_state=0)",
        "rand(3)\nshuffle(x)\nKMeans()",
        "import numpy as np\ndef seed_all():\n    np.random.seed(0)\nseed_all()\nnp.random.rand()",
    ],
)
def test_no_alarm(source: str) -> None:
    assert told(source) == []
    assert of(RULE, script(source)) == []


def test_a_seed_that_comes_too_late() -> None:
    (finding,) = of(RULE, notebook(NUMPY + "np.random.rand()", "np.random.seed(0)"))
    assert finding.place.cell == 1
    assert "the first seed comes after it" in finding.cure


def test_what_functions_draw_counts_when_they_run() -> None:
    assert told(NUMPY + "def f(): return np.random.rand()", "np.random.seed(0)\nf()") == []
    assert told(NUMPY + "def f(): return np.random.rand()", "f()") == [("warning", 1, 2, "np.random.rand")]


def test_one_finding_for_a_cell_and_its_cure() -> None:
    (finding,) = of(RULE, notebook(NUMPY + "np.random.rand()\nnp.random.rand()\nnp.random.randn()"))
    assert finding.what == "`np.random.rand`, `np.random.randn` draw random numbers without a seed"
    assert "np.random.seed(0)" in finding.cure


def test_one_silenced_call_leaves_the_others() -> None:
    source = NUMPY + "np.random.rand()  # repro: allow unseeded-random\nnp.random.randn()"
    assert told(source) == [("warning", 1, 3, "np.random.randn")]


def test_boosters_and_what_nothing_can_seed_are_notes() -> None:
    assert told("import xgboost\nxgboost.XGBClassifier(subsample=0.5)")[0][0] == "note"
    assert told("import lightgbm as lgb\nlgb.LGBMRegressor(colsample_bytree=0.5)")[0][0] == "note"
    assert told("import uuid\nuuid.uuid4()")[0][0] == "note"


def drew(cell: int, *, fixed: bool, generator: str = "numpy.random") -> GeneratorFact:
    return GeneratorFact(generator, fixed, Place(cell))


def settled(draws: tuple[GeneratorFact, ...], *cells: str) -> list[tuple[int | None, str]]:
    source = notebook(*cells)
    found = settle(source, find(source), Run(observed=Observed(draws=draws)))
    return [(one.place.cell, one.what) for one in found if one.rule == RULE]


def test_a_run_that_saw_the_draw_seeded_disproves_the_finding() -> None:
    cells = ("from helpers import seed_all\nseed_all()", NUMPY + "np.random.rand()")
    assert settled((drew(2, fixed=True),), *cells) == []
    assert len(settled((drew(2, fixed=True), drew(2, fixed=False)), *cells)) == 1
    assert len(settled((), *cells)) == 1


def test_a_run_shows_draws_in_the_code_of_others() -> None:
    ((cell, what),) = settled((drew(2, fixed=False),), "from helpers import work", "work()")
    assert (cell, what) == (2, "the run drew from `numpy.random` here without a seed that the code gives")
    assert settled((drew(2, fixed=False),), "x = 1", "work()  # repro: allow unseeded-random") == []
    assert len(settled((drew(1, fixed=False),), NUMPY + "np.random.rand()")) == 1


def test_the_cure_fits_what_takes_a_sampler_or_a_generator() -> None:
    (study,) = of(RULE, notebook("import optuna\noptuna.create_study()"))
    assert study.cure == "Give it a sampler with a seed: sampler=optuna.samplers.TPESampler(seed=0)."
    (search,) = of(RULE, notebook("import hyperopt\nhyperopt.fmin(f, space)"))
    assert search.cure == "Give it a generator: rstate=np.random.default_rng(0)."
