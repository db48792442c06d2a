"""The step of the Dockerfile that compiles, as far as it runs outside of an image."""

import json
from pathlib import Path
from typing import Any

from repro_docker.compile_modules import sources_of

from repro.plan.compile_worker import MOST_SOURCE

PLAIN: dict[str, Any] = {"wheel": None, "record": None, "folder": ""}


def test_very_large_sources_are_left_out_for_all_their_names_count(tmp_path: Path) -> None:
    """A package goes before a module of its name even when it is too large: both builders choose first."""
    (tmp_path / "a").mkdir()
    sizes = {"a/__init__.py": MOST_SOURCE + 1, "a.py": 1, "b.py": MOST_SOURCE, "c.py": MOST_SOURCE + 1}
    for name, size in sizes.items():
        with (tmp_path / name).open("wb") as stream:
            stream.truncate(size)
    item: dict[str, Any] = {**PLAIN, "roots": [str(tmp_path)], "modules": ["a", "b", "c"]}
    assert sources_of(item, tmp_path) == [f"{tmp_path}/b.py"]


def test_a_conda_package_has_the_modules_that_its_record_names(tmp_path: Path) -> None:
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    for name in ("mine.py", "other.py"):
        (site / name).write_bytes(b"1\n")
    (site / "link.py").symlink_to("mine.py")
    record = tmp_path / "conda-meta.json"
    names = ["mine.py", "link.py", "gone.py"]
    record.write_text(json.dumps({"files": [f"lib/python3.11/site-packages/{name}" for name in names]}))
    item = {**PLAIN, "record": str(record), "prefix": str(tmp_path), "roots": [str(site)], "modules": None}
    assert sources_of(item, tmp_path) == [f"{site}/mine.py"]
