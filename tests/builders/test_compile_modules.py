"""The step of the Dockerfile that compiles, as far as it runs outside of an image."""

from pathlib import Path
from typing import Any

from repro_docker.compile_modules import sources_of

from repro.plan.compile_worker import MOST_SOURCE


def test_very_large_sources_are_left_out_for_all_their_names_count(tmp_path: Path) -> None:
    """A package goes before a module of its name even when it is too large: both builders choose first."""
    (tmp_path / "a").mkdir()
    sizes = {"a/__init__.py": MOST_SOURCE + 1, "a.py": 1, "b.py": MOST_SOURCE, "c.py": MOST_SOURCE + 1}
    for name, size in sizes.items():
        with (tmp_path / name).open("wb") as stream:
            stream.truncate(size)
    item: dict[str, Any] = {"wheel": None, "folder": "", "roots": [str(tmp_path)], "modules": ["a", "b", "c"]}
    assert sources_of(item, tmp_path) == [f"{tmp_path}/b.py"]
