"""Which places outside of a project its sources and settings name."""

import json
import sys
from pathlib import Path

import pytest

from repro.capture.model import Interpreter
from repro.capture.outside import Outside
from repro.capture.probe import probe
from repro.capture.tracing.beyond import Listings, places_beyond


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Interpreter:
    return probe(Path(sys.executable), cwd=tmp_path_factory.mktemp("probe"), env={})


@pytest.mark.parametrize(
    "source",
    [
        "pd.read_parquet('../data/x.parquet')",
        "DATA = '../data'\nfor i in range(3): read(f'{DATA}/part-{i}.parquet')",
        "read(f'../data/part-{i}.parquet')",
        "read('../data/' + name)",
        "read(Path('../data') / name)",
        "read(Path('..', 'data') / 'sub' / name)",
        "read(os.path.join('../data', name))",
        "pl.scan_parquet('../data/*.parquet')",
        "duckdb.sql(\"select * from '../data/x.parquet' join t\")",
        "read('../data/{}.csv'.format(name))",
        "read(os.environ['DATA'] + '/x')",
        "read(Path(os.getenv('DATA', '.')) / name)",
        "read(Path.cwd().parent / 'data' / name)",
        "import local",
        "load(open('conf/settings.yaml'))",
    ],
)
def test_a_folder_beside_the_project_is_found(make_files, interpreter, source: str) -> None:
    base = make_files("p/nb/n.ipynb", "p/nb/local.py", "p/conf/settings.yaml", "p/data/inside", "data/x.parquet")
    root, workdir = base / "p" / "nb", base / "p" / "nb"
    (base / "p/nb/data").mkdir()
    (base / "p" / "nb" / "local.py").write_text("X = '../data/x.parquet'\n" if "local" in source else "")
    (base / "p" / "nb" / "conf").mkdir()
    (root / "conf" / "settings.yaml").write_text("data: ../data\n" if "settings" in source else "")
    (base / "p" / "data" / "x.parquet").write_text("1")
    found = places_beyond([source], root, workdir, Outside(interpreter), {"DATA": str(base / "p/data")})
    outside = {place for place in found.places if not place.startswith(f"{root}/")}
    assert any(place.startswith(str(base / "p" / "data")) for place in outside), found.places


def test_the_system_the_environment_and_everybodys_folders_do_not_count(make_files, interpreter) -> None:
    base = make_files("p/n.py")
    sources = [f"paths = '/', '/usr/lib', '/tmp', '~', {sys.prefix!r}, '/etc/hosts', 'n.py', '..'"]
    found = places_beyond(sources, base / "p", base / "p", Outside(interpreter), {})
    assert set(found.places) <= {str(base / "p" / "n.py"), str(base)}


def test_listings_are_told_once_and_only_whole_lines(tmp_path) -> None:
    trace, listings = tmp_path / "1-0.jsonl", Listings(tmp_path)
    assert listings.new() == []
    line = json.dumps({"t": 1, "k": "list", "p": "/a"}, separators=(",", ":"))
    trace.write_text(f'{line}\n{{"t":2,"k":"read","p":"/b"}}\n{line[:-4]}')
    assert listings.new() == ["/a"]
    trace.write_text(trace.read_text() + line[-4:].replace("a", "c") + "\n")
    assert listings.new() == ["/c"]
    assert listings.new() == []
