"""Local modules: what a run imported is looked at too, where the subject can get to it and the run doesn't disprove."""

from repro.capture.findings import Run, Source, find, script_source, settle
from repro.runner.observed import GeneratorFact, Happened, Observed, Place
from tests.capture.findings.notebooks import notebook

SPLIT = """\
import numpy as np
from sklearn.model_selection import train_test_split

def split(frame):
    return train_test_split(frame)

def other(frame):
    return np.random.permutation(frame)
"""


def told(subject: Source, module: str, observed: Observed | None = None) -> list[tuple[str, str, int | None]]:
    """Rule, level and line of what is found in `lib/tools.py`."""
    run = Run(observed=observed or Observed(), modules=(script_source("lib/tools.py", module),))
    found = settle(subject, find(subject), run)
    return [(one.rule, one.level, one.place.line) for one in found if one.place.path == "lib/tools.py"]


def drew(generator: str, *, fixed: bool, cell: int = 2) -> Observed:
    return Observed(draws=(GeneratorFact(generator, fixed, Place(cell)),))


CALLER = notebook("from lib.tools import split", "split(frame)")
UNSEEDED = ("unseeded-random", "warning", 5)


def test_a_draw_in_a_function_that_the_notebook_calls() -> None:
    assert told(CALLER, SPLIT, drew("numpy.random", fixed=False)) == [UNSEEDED]


def test_a_draw_that_the_run_saw_seeded_or_not_at_all_is_no_finding() -> None:
    assert told(CALLER, SPLIT, drew("numpy.random", fixed=True)) == []
    assert told(CALLER, SPLIT) == []
    assert told(CALLER, SPLIT, drew("torch", fixed=False)) == []


def test_a_draw_that_the_subject_explains_is_not_told_twice() -> None:
    subject = notebook("import numpy as np\nfrom lib.tools import split", "np.random.rand()\nsplit(frame)")
    assert told(subject, SPLIT, drew("numpy.random", fixed=False)) == []
    allowed = notebook("from lib.tools import split", "split(frame)  # repro: allow unseeded-random")
    assert told(allowed, SPLIT, drew("numpy.random", fixed=False)) == []


def test_functions_that_nothing_names_are_passed_over() -> None:
    subject = notebook("import lib.tools", "lib.tools.load(frame)")
    assert told(subject, SPLIT, drew("numpy.random", fixed=False)) == []


def test_an_import_alone_uses_nothing() -> None:
    subject = notebook("from lib.tools import split, other", "x = 1")
    assert told(subject, SPLIT, drew("numpy.random", fixed=False)) == []


def test_names_are_followed_through_imports_calls_and_methods() -> None:
    renamed = notebook("from lib.tools import split as halves", "halves(frame)")
    assert told(renamed, SPLIT, drew("numpy.random", fixed=False)) == [UNSEEDED]
    module = (
        "import time\nclass Model:\n    def __init__(self):\n        self.fit()\n    def fit(self):\n        age(1)\n"
    )
    module += "    def save(self):\n        print(time.ctime())\ndef age(x):\n    return [time.time()]\n"
    assert told(notebook("from lib.tools import Model", "Model()"), module) == [("wall-clock", "note", 10)]
    assert told(notebook("from sklearn.svm import SVC", "SVC().fit(x).save()"), module) == []


def test_what_every_import_runs_counts_but_no_main_block() -> None:
    module = 'import time\nSTART = [time.time()]\nif __name__ == "__main__":\n    print(time.ctime())\n'
    assert told(notebook("import lib.tools"), module) == [("wall-clock", "note", 2)]


def test_generators_are_told_where_the_run_saw_them_made() -> None:
    module = "import numpy as np\ndef noise(seed=None):\n    return np.random.default_rng(seed).normal()\n"
    fact = GeneratorFact("numpy.random", False, Place(1, "lib/tools.py", 3, "project"))
    subject = notebook("from lib.tools import noise\nnoise()")
    run = Run(observed=Observed(entropy=(fact,)), modules=(script_source("lib/tools.py", module),))
    (only,) = settle(subject, find(subject), run)
    assert str(only) == "lib/tools.py: line 3: the run made a generator of `numpy.random` here without a seed"
    assert told(subject, module.replace("(seed)", "()")) == []


def test_generators_that_no_run_watches_count_unless_something_seeds_them() -> None:
    module = "import tensorflow as tf\ndef net():\n    return tf.keras.layers.Dense(1)\n"
    subject = "from lib.tools import net\nnet()"
    assert told(notebook(subject), module) == [("unseeded-random", "warning", 3)]
    assert told(notebook("import tensorflow as tf\ntf.random.set_seed(0)", subject), module) == []
    assert told(notebook("import umap, lib.tools", "lib.tools.f()"), "import umap\ndef f():\n    umap.UMAP()\n") == [
        ("unseeded-random", "warning", 3)
    ]


FETCH = "import pandas as pd\ndef load():\n    return pd.read_csv('https://data.example.org/a.csv')\n"


def reached(*hosts: str, cell: int = 1) -> Observed:
    return Observed(network=tuple(Happened(host, cell) for host in hosts))


def test_the_network_counts_where_the_run_reached_that_host() -> None:
    subject = notebook("import lib.tools\nlib.tools.load()")
    assert told(subject, FETCH, reached("data.example.org:443")) == [("network-read", "warning", 3)]
    assert told(subject, FETCH, reached("elsewhere.example.org:443")) == []
    assert told(subject, FETCH, reached("localhost:80")) == []
    assert told(subject, FETCH) == []
    library = "from sklearn.datasets import fetch_openml\ndef load():\n    return fetch_openml('x')\n"
    assert told(subject, library, reached("api.openml.org:443")) == [("network-read", "warning", 3)]
    explained = notebook("import lib.tools, requests\nlib.tools.load()\nrequests.get(url)")
    assert told(explained, library, reached("api.openml.org:443")) == []


def test_paths_of_one_laptop() -> None:
    module = "ROOT = '/home/jane/data'\nUNUSED = '/home/jane/x'\ndef read():\n    return open(ROOT)\n"
    assert told(notebook("import lib.tools\nlib.tools.read()"), module) == [("absolute-path", "warning", 1)]
    assert told(notebook("import lib.tools"), module) == []


def test_comments_in_the_module_silence_it_and_those_of_a_script_do_not() -> None:
    module = "import time\ndef f():\n    return [time.time()]  # repro: allow wall-clock\n"
    assert told(notebook("from lib.tools import f\nf()"), module) == []
    script = script_source("work.py", "from lib.tools import f\n\nf()  # repro: allow wall-clock\n")
    assert told(script, module.partition("  #")[0]) == [("wall-clock", "note", 3)]
    assert told(script, "not Python: at all") == []
