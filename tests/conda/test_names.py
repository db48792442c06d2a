"""File names, subdirs and channels as conda calls them; addresses without secrets."""

import pytest

from repro.conda.names import (
    channel_address,
    channel_name,
    channel_url,
    is_local,
    parse_archive_name,
    scrubbed,
    subdir_in,
    subdir_of,
    token_of,
    with_token,
)
from repro.errors import UsageError

FORGE = "https://conda.anaconda.org/conda-forge"


@pytest.mark.parametrize(
    ("file", "parts"),
    [
        ("numpy-2.3.5-py311h2e04523_0.conda", ("numpy", "2.3.5", "py311h2e04523_0")),
        ("python-dateutil-2.9.0-pyhd8ed1ab_1.tar.bz2", ("python-dateutil", "2.9.0", "pyhd8ed1ab_1")),
        ("_libgcc_mutex-0.1-conda_forge.tar.bz2", ("_libgcc_mutex", "0.1", "conda_forge")),
    ],
)
def test_a_file_name_tells_name_version_and_build(file: str, parts: tuple[str, str, str]) -> None:
    found = parse_archive_name(file)
    assert (found.name, found.version, found.build) == parts
    assert str(found) == file


@pytest.mark.parametrize("file", ["numpy.whl", "numpy-2.conda", "a/b-1-0.conda", "-1-0.conda", "", ".conda"])
def test_other_names_are_refused(file: str) -> None:
    with pytest.raises(UsageError, match="not the file name of a conda package"):
        parse_archive_name(file)


def test_each_target_has_a_subdir() -> None:
    assert [subdir_of(target) for target in ("linux/amd64", "linux/arm64")] == ["linux-64", "linux-aarch64"]
    with pytest.raises(UsageError, match="windows/amd64"):
        subdir_of("windows/amd64")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (f"{FORGE}/linux-64/x-1-0.conda", "conda-forge"),
        (f"{FORGE}/label/broken/noarch/x-1-0.conda", "conda-forge/label/broken"),
        (f"{FORGE}/", "conda-forge"),
        (f"{FORGE}/linux-64", "conda-forge"),
        ("https://conda.anaconda.org/t/tk-secret/ours/noarch/x-1-0.conda", "ours"),
        ("https://repo.anaconda.com/pkgs/main/linux-64/x-1-0.tar.bz2", "pkgs/main"),
        ("https://ann:pw@conda.example.org/t/tk-secret/ours/noarch/x-1-0.conda", "https://conda.example.org/ours"),
        ("https://prefix.dev/conda-forge/noarch/x-1-0.conda", "https://prefix.dev/conda-forge"),
        ("file:///home/ann/channel/linux-64/x-1-0.conda", "file"),
        ("/home/ann/x-1-0.conda", "file"),
    ],
)
def test_channels_have_the_names_that_people_know(url: str, name: str) -> None:
    assert channel_name(url) == name


def test_an_address_that_is_written_down_has_no_secrets() -> None:
    url = "https://ann:pw@host.example:8443/t/tk-1/chan/noarch/x-1-0.conda?X-Amz-Signature=abc&v=1#md5"
    assert scrubbed(url) == "https://host.example:8443/chan/noarch/x-1-0.conda?v=1"


def test_a_token_goes_back_to_where_it_was() -> None:
    url = "https://host.example/t/tk-1/chan/noarch/x-1-0.conda"
    assert token_of(url) == "tk-1"
    assert token_of(scrubbed(url)) is None
    assert with_token(scrubbed(url), "tk-1") == url


def test_channels_are_before_the_subdir() -> None:
    assert channel_address(f"{FORGE}/linux-64/x-1-0.conda") == FORGE
    assert subdir_in(f"{FORGE}/linux-aarch64/x-1-0.conda") == "linux-aarch64"
    assert subdir_in(f"{FORGE}/x-1-0.conda") is None


def test_named_channels_are_anacondas() -> None:
    assert channel_url("conda-forge") == FORGE
    assert channel_url("defaults") == "https://repo.anaconda.com/pkgs/main"
    assert channel_url("https://host.example/chan/") == "https://host.example/chan"


def test_directories_are_local() -> None:
    assert is_local("file:///x")
    assert is_local("/x")
    assert not is_local("https://host.example/x")
