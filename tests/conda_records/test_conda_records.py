"""The recorded conda-meta files are records indeed: another reader than ours takes them."""

import json
from pathlib import Path

import pytest
from rattler import PrefixRecord

FOLDER = Path(__file__).parent
RECORDS = sorted(FOLDER.glob("*.json"))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_rattler_reads_it(path: Path) -> None:
    raw = json.loads(path.read_bytes())
    record = PrefixRecord.from_path(path)
    assert f"{record.name.normalized}-{record.version}-{record.build}" in raw["fn"]
    assert raw["url"].endswith(f"/{raw['fn']}")
    assert len(record.files) == len(raw["paths_data"]["paths"])
    assert record.md5 or record.sha256


def test_the_readme_names_each() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in RECORDS if f"`{path.name}`" not in text] == []
