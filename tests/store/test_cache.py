"""Where the cache is: what the variable says, if that can be a directory."""

from pathlib import Path

import pytest

from repro.files import DiskError
from repro.store.cache import usable_cache
from tests.engines.bubblewrap.conftest import as_nobody


def test_the_variable_names_a_directory_that_need_not_be_there(tmp_path: Path) -> None:
    assert usable_cache({"REPRO_CACHE_DIR": str(tmp_path / "new/er")}) == tmp_path / "new/er"


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_variable_that_names_a_file_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DiskError, match=r"the cache can't be there: .*not? .*directory") as refused:
        usable_cache({"REPRO_CACHE_DIR": str(tmp_path / place)})
    assert refused.value.where == str(tmp_path / place)
    assert "REPRO_CACHE_DIR" in str(refused.value.fix)


def test_a_home_of_somebody_else_is_no_place_for_a_cache(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(0o000)

    def reason() -> str:
        with pytest.raises(DiskError) as refused:
            usable_cache({"REPRO_CACHE_DIR": str(closed / "cache")})
        return str(refused.value)

    assert "permission denied" in as_nobody(reason)
