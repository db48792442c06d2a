"""Pages of the simple API in both forms, and picking one release out of them."""

from pathlib import Path

import pytest

from repro.capture.packages.simple import ListedFile, list_directory, of_release, parse_page
from repro.digest import Digest
from repro.errors import InfrastructureError
from tests.http.servers import JSON, Listing, html_page, json_page

URL = "https://host/simple/thing/"
SHA = Digest("a" * 64)


def listed(*names: str) -> list[ListedFile]:
    return [ListedFile(name, f"https://host/{name}") for name in names]


def test_html_and_json_say_the_same() -> None:
    listings = [
        Listing("thing-1.0.tar.gz", "../../files/thing-1.0.tar.gz", "A" * 64),
        Listing(
            "thing-1.0-py3-none-any.whl",
            "https://files/a%2Bb/thing-1.0-py3-none-any.whl",
            SHA.hex,
            yanked="broken & bad",
            metadata="b" * 64,
        ),
        Listing("thing-1.1-py3-none-any.whl", "/top/thing-1.1-py3-none-any.whl?x=1&y=2", None, yanked="", metadata=""),
    ]
    read = parse_page(html_page(listings), "text/html; charset=utf-8", URL)
    assert read == [
        ListedFile("thing-1.0.tar.gz", "https://host/files/thing-1.0.tar.gz", SHA, requires_python=">=3.8"),
        ListedFile(
            "thing-1.0-py3-none-any.whl",
            "https://files/a%2Bb/thing-1.0-py3-none-any.whl",
            SHA,
            yanked="broken & bad",
            requires_python=">=3.8",
            metadata=Digest("b" * 64),
        ),
        ListedFile(
            "thing-1.1-py3-none-any.whl",
            "https://host/top/thing-1.1-py3-none-any.whl?x=1&y=2",
            yanked="",
            requires_python=">=3.8",
            metadata=True,
        ),
    ]
    assert parse_page(json_page("thing", listings), JSON, URL) == read


def test_json_gives_sizes() -> None:
    page = json_page("thing", [Listing("thing-1.0.zip", "thing-1.0.zip", SHA.hex, 123)])
    assert parse_page(page, "application/json", URL)[0].size == 123


def test_a_base_moves_relative_links() -> None:
    page = html_page([Listing("x", "x-1-py3-none-any.whl")], '<base href="https://cdn/files/">')
    assert parse_page(page, "text/html", URL)[0].url == "https://cdn/files/x-1-py3-none-any.whl"


def test_an_encoded_local_version_is_read() -> None:
    page = html_page([Listing("t", "torch-2.1.0%2Bcpu-cp311-cp311-linux_x86_64.whl")])
    (file,) = parse_page(page, "text/html", URL)
    assert of_release([file], "torch", "2.1.0+cpu") == [file]
    assert of_release([file], "torch", "2.1.0") == []


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"meta": {"api-version": "2.0"}, "files": []}', JSON),
        (b"{}", JSON),
        (b"[]", JSON),
        (b"not json", JSON),
        (html_page([], '<meta name="pypi:repository-version" content="2.0">'), "text/html"),
    ],
)
def test_what_is_not_the_simple_api_is_refused_by_its_redacted_address(body: bytes, content_type: str) -> None:
    with pytest.raises(InfrastructureError) as refused:
        parse_page(body, content_type, URL.replace("//", "//ann:pw@"))
    assert refused.value.where == URL


def test_an_unknown_minor_version_is_read() -> None:
    page = html_page([Listing("x", "x-1-py3-none-any.whl")], '<meta name="pypi:repository-version" content="1.9">')
    assert len(parse_page(page, "text/html", URL)) == 1


def test_a_release_is_its_files_however_names_and_versions_are_spelled() -> None:
    files = listed(
        "My_Thing-1.0.0-py3-none-any.whl",
        "my.thing-1.0.tar.gz",
        "my-thing-1.zip",
        "My_Thing-1.0.0-1-py3-none-any.whl",
        "my_thing-1.0.1-py3-none-any.whl",
        "my_thing_else-1.0.0-py3-none-any.whl",
        "my-thing-1.0.exe",
        "My_Thing-not.a.version-py3-none-any.whl",
    )
    assert of_release(files, "my-thing", "1.0") == files[:4]


def test_a_directory_lists_its_distributions_by_name(tmp_path: Path) -> None:
    for name in ("b-1-py3-none-any.whl", "a-1.tar.gz", "notes.txt"):
        (tmp_path / name).write_bytes(b"12345")
    (tmp_path / "folder.whl").mkdir()
    assert [(file.name, file.size, file.url) for file in list_directory(tmp_path)] == [
        ("a-1.tar.gz", 5, (tmp_path / "a-1.tar.gz").as_uri()),
        ("b-1-py3-none-any.whl", 5, (tmp_path / "b-1-py3-none-any.whl").as_uri()),
    ]


SPELLINGS = {
    "1.0": ("1", "1.0", "1.0.0", "v1.0", "01.00", "1.0.1", "1.1", "10", "0.1", "2-1.0"),
    "2024.8.30": ("2024.08.30", "2024.8.30", "2024.8.3", "2024.8.30.1"),
    "1.0rc1": ("1.0rc1", "1rc1", "1.0.RC-1", "1.0.0c1", "1.0a1", "1.0"),
    "1!2.0.post1": ("1!2.0.post1", "1%212.post1", "2.0.post1", "1!2-1"),
    "2.5.1+cpu": ("2.5.1+cpu", "2.5.1%2Bcpu", "2.5.1", "2.5.1+CPU", "2.5.1+cu121"),
    "0.0.3": ("0.0.3", "0.0.30", "0.3"),
    "not.a.version": ("not.a.version", "1.0"),
}


@pytest.mark.parametrize(("version", "spellings"), SPELLINGS.items())
@pytest.mark.parametrize("style", ["html", "json"])
def test_asking_for_one_version_finds_what_asking_for_all_does(
    version: str, spellings: tuple[str, ...], style: str
) -> None:
    names = [name for spelling in spellings for name in (f"a_b-{spelling}-py3-none-any.whl", f"a-b-{spelling}.tar.gz")]
    listings = [Listing(name, f"../x/{name}", SHA.hex, yanked="1.0 <a b" if "1" in name else None) for name in names]
    head = '<base href="https://cdn/files/">'
    page = html_page(listings, head) if style == "html" else json_page("a-b", listings)
    if style == "html":
        page = page.replace(b"<a ", b"<A\n", 1)
    kind = "text/html" if style == "html" else JSON
    every, some = parse_page(page, kind, URL), parse_page(page, kind, URL, version)
    assert of_release(some, "a-b", version) == of_release(every, "a-b", version) != []
    assert len(every) == len(names)


def test_asking_for_one_version_reads_little() -> None:
    names = [f"thing-{number}.0-py3-none-any.whl" for number in range(1, 200)]
    page = html_page([Listing(name, name) for name in names])
    assert [file.name for file in parse_page(page, "text/html", URL, "17")] == ["thing-17.0-py3-none-any.whl"]
    assert parse_page(page, "text/html", URL, "1000") == []
    commented = page.replace(b"<body>", b"<body><!-- <a href='thing-17.0.zip'> -->")
    assert len(parse_page(commented, "text/html", URL, "17")) == len(names)
