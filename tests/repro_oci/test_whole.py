"""What no single layer can tell: files of two packages at one place, and things that the base has otherwise."""

import pytest
from repro_oci.cache import Listed
from repro_oci.whole import check_whole

from repro.errors import IntegrityError


def file(path: str, content: str, origin: str) -> Listed:
    return Listed(path, "file", content, origin)


def test_layers_that_share_directories_and_equal_files_fit() -> None:
    check_whole(
        [
            [Listed("opt", "directory", "", "a.whl"), file("opt/x", "1" * 64, "a.whl")],
            [Listed("opt", "directory", "", "b.whl"), file("opt/x", "1" * 64, "b.whl"), file("opt/y", "", "b.whl")],
        ],
        {"opt": "directory", "opt/y": "file"},
    )


@pytest.mark.parametrize("content", ["2" * 64, ""])
def test_the_same_path_with_other_content_names_both_packages(content: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        check_whole([[file("opt/x", "1" * 64, "a.whl")], [file("opt/x", content, "b.whl")]], {})
    assert caught.value.problems == ("/opt/x comes from a.whl and, with other content, from b.whl",)


def test_unknown_content_is_never_taken_for_equal() -> None:
    with pytest.raises(IntegrityError):
        check_whole([[file("opt/x", "", "a.whl")], [file("opt/x", "", "b.whl")]], {})


def test_a_directory_never_replaces_what_the_base_has_as_a_link() -> None:
    with pytest.raises(IntegrityError) as caught:
        check_whole([[Listed("lib", "directory", "", "x.deb")]], {"lib": "symlink"})
    assert caught.value.problems == ("/lib from x.deb is a directory, in the base a symlink",)


def test_a_file_may_replace_a_file_of_the_base_but_not_a_directory() -> None:
    check_whole([[file("etc/ld.so.cache", "", "repro")]], {"etc/ld.so.cache": "file"})
    with pytest.raises(IntegrityError, match="do not fit"):
        check_whole([[file("etc", "", "repro")]], {"etc": "directory"})


def test_a_layer_that_is_there_to_change_others_may_and_those_above_may_not() -> None:
    linked, ran = [file("opt/x", "1" * 64, "a.conda")], [file("opt/x", "2" * 64, "the script of a")]
    check_whole([linked, ran], {}, replacing=[1])
    with pytest.raises(IntegrityError) as caught:
        check_whole([linked, ran, [file("opt/x", "1" * 64, "b.whl")]], {}, replacing=[1])
    assert caught.value.problems == ("/opt/x comes from the script of a and, with other content, from b.whl",)
    with pytest.raises(IntegrityError, match="do not fit"):
        check_whole([linked, ran], {"opt/x": "directory"}, replacing=[1])
