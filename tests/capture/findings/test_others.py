"""Clocks, paths, imports, installations, keyboards, and files that are read and written."""

from dataclasses import replace

import pytest

from repro.capture.findings import NAMES, RULES, Run, Source, find
from tests.capture.findings.notebooks import after, notebook, of, places, script


def found(rule: str, *cells: str) -> list[tuple[str, str]]:
    return [(one.level, one.what) for one in of(rule, notebook(*cells))]


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime\nx = datetime.now()\nx",
        "import datetime as dt\nage = dt.date.today().year - 1980",
        "import time\nrow = [time.time()]",
        "import time\nstart = time.time()\nprint(start)",
        "import pandas as pd\npd.Timestamp.now()",
        "import pandas as pd\npd.to_datetime('today')",
        "import numpy as np\nnp.datetime64('now')",
        "import time\ntime.strftime('%Y', time.localtime())",
        "import time\ntime.strftime('%Y')",
        "import pandas as pd\nage = pd.Timestamp.today() - pd.Timestamp('2020-01-01')",
        "import pandas as pd\nnow = pd.Timestamp.now()\ndf['age'] = now - df['born']",
        "import datetime as dt\nborn = dt.date(1980, 1, 1)\nage = (dt.date.today() - born).days",
        "import time, os\nage = time.time() - os.path.getmtime('x.csv')",
    ],
)
def test_the_time_of_day_is_noted(source: str) -> None:
    assert [level for level, _ in found("wall-clock", source)] == ["note"]


@pytest.mark.parametrize(
    "source",
    [
        "import time\nstart = time.time()\nwork()\nprint(time.time() - start)",
        "from datetime import datetime\nstart = datetime.now()\nprint(datetime.now() - start)",
        "import time\ntime.perf_counter(), time.monotonic(), time.sleep(1)",
        "import pandas as pd\npd.to_datetime('2020-01-01')\npd.Timestamp('2020')",
        "import time\ntime.localtime(0), time.ctime(0), time.strftime('%Y', row)",
        "import time\ndef took(start):\n    return time.time() - start",
        "from datetime import datetime\nprint(datetime.now() - starts['fit'], datetime.now() - self.start)",
        "import pandas as pd\nstart = pd.Timestamp.now()\nwork()\nprint(pd.Timestamp.now() - start)",
        "now = 5\nnow()\ntime()",
        "%%time\nx = 1",
    ],
)
def test_measured_durations_are_left_alone(source: str) -> None:
    assert found("wall-clock", source) == []


def test_a_seed_of_the_time_of_day_is_a_warning() -> None:
    sources = ["import time, random\nrandom.seed(time.time())", "import time\nf(random_state=int(time.time()))"]
    sources.append("import time, random\nseed = int(time.time())\nrandom.seed(seed)")
    for source in sources:
        assert [level for level, _ in found("wall-clock", source)] == ["warning"]


@pytest.mark.parametrize(
    "source",
    [
        "open('/home/jane/data.csv')",
        "p = '/Users/jane/data'",
        "open('~/data.csv')",
        "open(r'C:\\Users\\jane\\x.csv')",
        "open('D:/data/x.csv')",
        "open(f'/home/jane/{name}.csv')",
        "open('/content/drive/MyDrive/x.csv')",
        "from pathlib import Path\nPath.home() / 'x'",
        "import os\nos.path.join(os.path.expanduser('~'), 'x')",
        "from pathlib import Path\nopen(Path('~').expanduser() / 'x')",
        "import os\nopen(os.environ['HOME'] + '/x')",
        "import os\nopen(os.getenv('HOME') + '/x')",
        "open('file:///home/jane/data.csv')",
        "%cd /home/jane/project",
        "!cp ~/x.csv .",
    ],
)
def test_paths_of_one_laptop(source: str) -> None:
    assert [level for level, _ in found("absolute-path", source)] == ["warning"]


@pytest.mark.parametrize(
    "source",
    [
        "open('data/x.csv'), open('../x.csv'), open('./x')",
        "open('/dev/null'), open('/tmp/x'), open('/proc/meminfo')",
        "app.route('/users/list'); x = '/'; y = '//'; z = '~'",
        "'''/home/jane/data'''",
        "print('/home/jane/data')",
        "re.match('/home/jane/x', a); a == '/home/jane/x'",
        "x = '<a href=\"/home/jane\">'; y = '/homework/x'; z = 'C: see below'; w = '~ 5 % / year'",
        "df['a/b']; 'A:/'; 'e:\\n'; '~/'",
    ],
)
def test_no_alarm_about_paths(source: str) -> None:
    assert found("absolute-path", source) == []


def test_any_other_absolute_path_counts_when_it_is_there() -> None:
    assert len(found("absolute-path", "open('/var')")) == 1
    assert found("absolute-path", "open('/var/nothing/here.csv')") == []


def test_the_projects_own_path_is_told_by_capture_itself() -> None:
    assert of("absolute-path", replace(notebook("open('/home/jane/work/x.csv')"), root="/home/jane/work")) == []


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (["import os"], "`os` is"),
        (["import os, sys\nsys"], "`os` is"),
        (["from a import b, c as d"], "`b`, `d` are"),
        (["import a.b"], "`a` is"),
        (["import os  # noqa: E402"], "`os` is"),
    ],
)
def test_imports_that_nothing_uses(cells: list[str], names: str) -> None:
    ((level, what),) = found("unused-import", *cells)
    assert level == "note"
    assert what.startswith(names)


@pytest.mark.parametrize(
    "cells",
    [
        ["import os", "os.getcwd()"],
        ["import a.b", "a.b.c"],
        ["import os\n!ls {os.getcwd()}"],
        ["import f\n%timeit f.x()"],
        ["import os  # noqa: F401", "import sys  # noqa"],
        ["try:\n    import a\nexcept ImportError:\n    pass"],
        ["from __future__ import annotations"],
        ["from sklearn.experimental import enable_iterative_imputer"],
        ["from mpl_toolkits.mplot3d import Axes3D"],
        ["from a import *"],
        ["import a as a", "import _b"],
        ["__all__ = ['os']\nimport os"],
        ["from a import T\ndef f(x: 'T'): pass"],
        ["import a", "this isn't Python: a"],
        ["import a\ndef f(): return a"],
    ],
)
def test_no_alarm_about_unused_imports(cells: list[str]) -> None:
    assert found("unused-import", *cells) == []


def without(source: Source, *modules: str) -> Source:
    return replace(source, unfound=frozenset(modules))


def test_imports_that_this_environment_lacks() -> None:
    source = without(notebook("import xgb.core, os", "from xgb import a\nif os:\n    import lgb"), "xgb", "lgb")
    assert [(one.level, one.place.cell, one.what) for one in of("missing-import", source)] == [
        ("error", 1, "this environment has no module `xgb`"),
        ("note", 2, "this environment has no module `lgb`"),
    ]
    assert [one.level for one in after("missing-import", source, Run())] == ["note"]


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    import xgb\nexcept ImportError:\n    xgb = None",
        "try:\n    import xgb\nexcept (KeyError, ModuleNotFoundError):\n    xgb = None",
        "import sys\nsys.path.append('..')\nimport xgb",
        "%cd src\nimport xgb",
        "%%writefile xgb.py\nx = 1",
        "from . import xgb\nfrom .xgb import a",
    ],
)
def test_no_alarm_about_missing_imports(source: str) -> None:
    assert of("missing-import", without(notebook(source, "import os"), "xgb")) == []


def test_a_module_that_the_notebook_writes_is_not_missing() -> None:
    source = notebook("%%writefile xgb.py\nx = 1", "import xgb")
    assert of("missing-import", without(source, "xgb")) == []


@pytest.mark.parametrize(
    ("source", "command"),
    [
        ("!pip install x", "pip install"),
        ("%pip install -U x", "%pip install"),
        ("pip install x", "%pip install"),
        ("!{sys.executable} -m pip install x", "{sys.executable} -m pip install"),
        ("%conda install -y x", "%conda install"),
        ("!apt-get update && apt-get install -y x", "apt-get update"),
        ("%%bash\ncd x\nuv pip install x", "uv pip install"),
        ("import os\nos.system('pip install x')", "pip install"),
        ("import subprocess, sys\nsubprocess.run([sys.executable, '-m', 'pip', 'install', 'x'])", "pip install"),
        ("!python3 -m pip -q install x", "python3 -m pip -q install"),
    ],
)
def test_cells_that_change_the_environment(source: str, command: str) -> None:
    ((level, what),) = found("changes-environment", source)
    assert level == "warning"
    assert what == f"`{command}` changes the environment during the run"


def test_an_installation_in_a_branch_is_a_note() -> None:
    assert [level for level, _ in found("changes-environment", "if colab:\n    %pip install x")] == ["note"]


@pytest.mark.parametrize(
    "source",
    ["!pip list", "%pip freeze", "# !pip install x", "!ls  # pip install x", "print('pip install x')", "!git add x"],
)
def test_no_alarm_about_the_environment(source: str) -> None:
    assert found("changes-environment", source) == []


def test_the_line_of_a_shell_script_is_told() -> None:
    assert places("changes-environment", notebook("%%bash\nset -e\npip install x")) == [(1, 3)]


@pytest.mark.parametrize("source", ["input('x')", "import getpass\ngetpass.getpass()", "breakpoint()"])
def test_waiting_for_a_person(source: str) -> None:
    assert [level for level, _ in found("asks-for-input", source)] == ["warning"]


@pytest.mark.parametrize("source", ["def input(x): return x\ninput(1)", "layer.input()", "input = 5"])
def test_no_alarm_about_input(source: str) -> None:
    assert found("asks-for-input", source) == []


READ = "import pandas as pd\ndf = pd.read_csv('data/x.csv')"


def test_reading_what_is_written_later() -> None:
    (finding,) = of("own-input", notebook(READ, "df.to_csv('data/x.csv')"))
    assert (finding.level, finding.place.cell, finding.place.line) == ("warning", 1, 2)
    assert "`data/x.csv` is read here, and written in cell 2" in finding.what


def test_appending_to_what_is_read() -> None:
    (finding,) = of("own-input", notebook("f = open('log.txt', 'a')", "open('log.txt').read()"))
    assert "grows with every run" in finding.what
    assert after("own-input", notebook("f = open('log.txt', 'a')", "open('log.txt').read()"), Run()) == [finding]


def test_a_cached_result_is_told_when_the_run_took_it() -> None:
    cached = "if os.path.exists('m.pkl'):\n    m = joblib.load('m.pkl')\nelse:\n    joblib.dump(1, 'm.pkl')"
    source = notebook(f"import os, joblib\n{cached}")
    assert places("own-input", source) == [(1, 3)]
    assert len(after("own-input", source, Run(inputs=frozenset({"m.pkl"})))) == 1
    assert after("own-input", source, Run(inputs=frozenset({"other.pkl"}))) == []


@pytest.mark.parametrize(
    "cells",
    [
        [READ, "df.to_csv('data/y.csv')"],
        ["df.to_csv('data/x.csv')", READ],
        ["open('log.txt', 'w')", "open('log.txt', 'a')", "open('log.txt').read()"],
        ["open('log.txt', 'a').write('x')"],
        ["from pathlib import Path\nPath('a.txt').write_text('x')\nPath('a.txt').read_text()"],
        ["a = df.to_numpy()\ndf.to_dict('x.csv')"],
    ],
)
def test_no_alarm_about_what_is_read_and_written(cells: list[str]) -> None:
    assert found("own-input", *cells) == []


def test_every_rule_has_what_people_and_code_hosts_need() -> None:
    assert len(set(NAMES)) == len(RULES)
    for rule in RULES:
        assert rule.title
        assert len(rule.help) > 80
        assert rule.name == rule.name.lower()


def test_an_ordinary_notebook_has_no_findings() -> None:
    clean = notebook(
        "%matplotlib inline\nimport numpy as np\nimport pandas as pd\nfrom sklearn.linear_model import Ridge",
        "rng = np.random.default_rng(0)\ndf = pd.DataFrame({'x': rng.normal(size=9), 'y': rng.normal(size=9)})",
        "def fit(data, alpha=1.0):\n    model = Ridge(alpha=alpha)\n    return model.fit(data[['x']], data['y'])",
        "scores = {a: fit(df, a).score(df[['x']], df['y']) for a in (0.1, 1)}\n{'r2': max(scores.values())}",
        counts=[1, 2, 3, 4],
    )
    assert find(clean) == ()
    assert find(script("import sys\n\nif __name__ == '__main__':\n    sys.exit(0)\n")) == ()
