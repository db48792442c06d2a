"""Reads from the network, told from the source and from a run."""

import pytest

from repro.capture.findings import Run
from repro.runner.observed import Happened, Observed
from tests.capture.findings.notebooks import after, notebook, of, places

RULE = "network-read"


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import pandas as pd\npd.read_csv('https://a.org/x.csv')", "`pd.read_csv` reads https://a.org/x.csv"),
        ("import pandas as pd\nU = 'https://a.org/'\npd.read_csv(U + 'x.csv')", "`pd.read_csv` reads https://a.org/"),
        ("import pandas as pd\npd.read_csv(f'https://a.org/{n}.csv')", "`pd.read_csv` reads https://a.org/"),
        ("import pandas as pd\npd.read_parquet('s3://b/x')", "`pd.read_parquet` reads s3://b/x"),
        ("import requests\nrequests.get(u)", "`requests.get` reads from the network"),
        ("import requests as r\nr.get('http://u:pw@a.org/x?token=1')", "`r.get` reads http://a.org/x"),
        ("from urllib.request import urlopen\nurlopen('http://a.org')", "`urlopen` reads http://a.org"),
        ("import urllib.request\nurllib.request.urlretrieve(u, 'x')", "`urllib.request.urlretrieve` reads"),
        (
            "from sklearn.datasets import fetch_openml\nfetch_openml('x')",
            "`fetch_openml` reads from the network unless",
        ),
        ("import seaborn as sns\nsns.load_dataset('iris')", "`sns.load_dataset` reads"),
        ("import statsmodels.api as sm\nsm.datasets.get_rdataset('x')", "`sm.datasets.get_rdataset` reads"),
        ("from datasets import load_dataset\nload_dataset('x')", "`load_dataset` reads"),
        ("import transformers\ntransformers.AutoModel.from_pretrained('bert-base')", "reads from the network unless"),
        ("import tensorflow as tf\ntf.keras.datasets.mnist.load_data()", "load_data` reads"),
        ("import tensorflow as tf\ntf.keras.applications.ResNet50()", "ResNet50` reads"),
        ("import torchvision\ntorchvision.datasets.MNIST('d', download=True)", "MNIST` reads"),
        ("import torchvision.models as m\nm.resnet18(pretrained=True)", "resnet18` reads"),
        ("import nltk\nnltk.download('punkt')", "`nltk.download` reads"),
        ("!wget https://a.org/x.csv", "`wget` reads from the network"),
        ("!cd data && git clone https://a.org/x", "`git clone` reads from the network"),
        ("%%bash\nset -e\ncurl -O https://a.org", "`curl` reads from the network"),
    ],
)
def test_what_is_read(source: str, what: str) -> None:
    (finding,) = of(RULE, notebook(source))
    assert what in finding.what
    assert finding.level == "warning"
    assert "token" not in finding.what


@pytest.mark.parametrize(
    "source",
    [
        "import pandas as pd\npd.read_csv('data/x.csv')",
        "# https://a.org/x.csv\nprint('https://a.org/x.csv')",
        "link = 'https://a.org'\ndf['url'] = link",
        "from IPython.display import HTML, Image\nHTML('<a href=\"https://a.org\">')",
        "import requests\nrequests.get('http://localhost:8080/x')",
        "from sklearn.datasets import load_iris, make_blobs\nload_iris()\nmake_blobs(random_state=0)",
        "import torchvision\ntorchvision.datasets.MNIST('d')",
        "import torchvision\ntorchvision.models.resnet18()\ntorchvision.models.resnet18(weights=None)",
        "import tensorflow as tf\ntf.keras.applications.ResNet50(weights=None)",
        "from transformers import AutoModel\nAutoModel.from_pretrained('./model')",
        "from transformers import AutoModel\nAutoModel.from_pretrained('x', local_files_only=True)",
        "import json\njson.loads('{}')\nopen('x').read()",
        "config.get('https://a.org')",
        "!ls wget",
    ],
)
def test_no_alarm(source: str) -> None:
    assert of(RULE, notebook(source)) == []


def test_a_run_shows_the_cells_that_reached_the_network_all_the_same() -> None:
    source = notebook("import helper", "helper.fetch()", "import pandas as pd\npd.read_csv('https://a.org/x')")
    assert places(RULE, source) == [(3, 2)]
    happened = (Happened("b.org:443", 2), Happened("a.org:443", 3), Happened("127.0.0.1:5000", 1))
    found = after(RULE, source, Run(observed=Observed(network=happened)))
    assert [(one.place.cell, one.place.line) for one in found] == [(2, None), (3, 2)]
    assert found[0].what == "the run reached b.org:443"


def test_a_run_outside_of_cells_has_the_file_as_its_place() -> None:
    found = after(RULE, notebook("x = 1"), Run(observed=Observed(network=(Happened("b.org:443", None),))))
    assert [str(one) for one in found] == ["work.ipynb: the run reached b.org:443"]


def test_telemetry_of_libraries_is_a_note_with_its_own_cure() -> None:
    happened = (Happened("config.mlflow-telemetry.io:443", 1), Happened("data.example.org:443", 1))
    note, warning = sorted(after(RULE, notebook("import mlflow"), Run(observed=Observed(network=happened))), key=str)
    assert (note.level, note.what) == ("note", "MLflow reports to config.mlflow-telemetry.io:443 that it is used")
    assert "MLFLOW_DISABLE_TELEMETRY=true" in note.cure
    assert (warning.level, warning.what) == ("warning", "the run reached data.example.org:443")
