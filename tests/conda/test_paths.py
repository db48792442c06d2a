"""paths.json and its forerunners: what can't be understood is refused where it stands."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.conda.paths import PackagePath, PathType, read_paths
from repro.digest import Digest
from repro.errors import IntegrityError

GOOD = {"_path": "lib/a.so", "path_type": "hardlink", "sha256": "a" * 64, "size_in_bytes": 1}


def hardlink(_path: str) -> PathType:
    return "hardlink"


def read(document: Any) -> tuple[PackagePath, ...]:
    return read_paths({"paths.json": json.dumps(document).encode()}, hardlink, "demo.conda")


def test_a_path_is_read_with_all_that_is_said_of_it() -> None:
    path = {**GOOD, "file_mode": "binary", "prefix_placeholder": "/old", "no_link": True}
    assert read({"paths_version": 1, "paths": [path]}) == (
        PackagePath("lib/a.so", "hardlink", Digest("a" * 64), "/old", binary=True),
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"_path": 1}, "not a path"),
        ({"_path": ""}, "not a path"),
        ({"path_type": "fifo"}, "not a path"),
        ({"file_mode": "other"}, "not a path"),
        ({"prefix_placeholder": ""}, "must be a path"),
        ({"prefix_placeholder": ["/old"]}, "must be a path"),
        ({"sha256": "A" * 64}, "is no digest"),
        ({"sha256": 1}, "is no digest"),
    ],
)
def test_a_path_that_is_none_is_refused_with_its_place(change: dict[str, Any], expected: str) -> None:
    with pytest.raises(IntegrityError, match=rf"^demo.conda: info/paths.json: paths\[1\]: .*{expected}"):
        read({"paths_version": 1, "paths": [GOOD, {**GOOD, **change}]})


@pytest.mark.parametrize("document", [[], {"paths_version": 2, "paths": []}, {"paths_version": 1, "paths": {}}])
def test_a_document_that_is_none_is_refused(document: Any) -> None:
    with pytest.raises(IntegrityError):
        read(document)


@pytest.mark.parametrize("line", [b"/old text", b"/old other lib/a", b"/old text lib/a b", b'"" text lib/a'])
def test_old_lists_that_say_something_else_are_refused(line: bytes) -> None:
    with pytest.raises(IntegrityError, match="info/has_prefix: not understood"):
        read_paths({"files": b"lib/a\n", "has_prefix": line}, hardlink, "demo.tar.bz2")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*GOOD, "paths", "paths_version"]), inner),
    )
)
def test_whatever_it_is_only_our_errors_come(document: Any) -> None:
    try:
        read(document)
    except IntegrityError as error:
        assert "demo.conda" in str(error)  # noqa: PT017 - either is right
