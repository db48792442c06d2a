"""Look-ups in real indexes over HTTP, HTTPS and on disk: complete, few, in order, and without leaking credentials."""

import ssl
from pathlib import Path

import pytest
import trustme

from repro.capture.packages.index import IndexClient
from repro.capture.packages.settings import IndexSettings
from repro.digest import Digest
from repro.errors import InfrastructureError
from repro.store import ObjectStore
from tests.http.servers import Listing, Reply, html_page, publish, serve

SIX = "six-1.17.0-py2.py3-none-any.whl"
RELEASES = [("six", "1.17.0"), ("iniconfig", "2.0.0"), ("MarkupSafe", "3.0.2")]


def client(tmp_path: Path, *indexes: str, find_links: tuple[str, ...] = (), ca_cert: Path | None = None) -> IndexClient:
    main, *extra = indexes or (None,)
    settings = IndexSettings(main, tuple(str(one) for one in extra), find_links, ca_cert)
    return IndexClient(settings, cache=ObjectStore(tmp_path / "cache"), pages=tmp_path / "pages")


def whole(asking: IndexClient, name: str, version: str) -> list[tuple[str, Digest | None, int | None]]:
    completed = asking.complete(asking.files(name, version)).values()
    return sorted((file.name, file.sha256, file.size) for file in completed)


@pytest.mark.parametrize("style", ["html", "json"])
@pytest.mark.parametrize("hashes", [True, False])
def test_both_forms_with_and_without_hashes_say_the_same(
    tmp_path: Path, wheels: dict[str, bytes], style: str, hashes: bool
) -> None:
    with serve() as server:
        asking = client(tmp_path, publish(server, wheels, style=style, hashes=hashes))
        found = asking.look_up(RELEASES)
        assert set(found) == {("six", "1.17.0"), ("iniconfig", "2.0.0"), ("markupsafe", "3.0.2")}
        for name, version in found:
            expected = [
                (file, Digest.of(body), len(body))
                for file, body in sorted(wheels.items())
                if file.lower().startswith(f"{name}-")
            ]
            assert whole(asking, name, version) == expected
            assert expected


def test_a_page_is_asked_for_once_and_kept_for_the_next_run(tmp_path: Path, wheels: dict[str, bytes]) -> None:
    with serve() as server:
        url = publish(server, wheels)
        for _ in range(2):
            asking = client(tmp_path, url)
            asking.look_up(RELEASES)
            asking.files("six", "1.17.0")
            assert sorted(server.paths()) == ["/simple/iniconfig/", "/simple/markupsafe/", "/simple/six/"]
        assert "application/vnd.pypi.simple.v1+json" in server.log[0].headers["accept"]


def test_sizes_come_from_head_or_the_first_byte_and_not_from_a_download(
    tmp_path: Path, wheels: dict[str, bytes]
) -> None:
    with serve() as server:
        asking = client(tmp_path, publish(server, wheels))
        assert whole(asking, "six", "1.17.0")[0][2] == len(wheels[SIX])
        assert server.paths("HEAD") == [f"/files/{SIX}"]
        served = server.routes[f"/files/{SIX}"]
        server.routes[f"/files/{SIX}"] = lambda request: (
            Reply(status=405) if request.method == "HEAD" else served(request)
        )
        assert whole(client(tmp_path / "2", f"{server.url}/simple"), "six", "1.17.0")[0][2] == len(wheels[SIX])
    assert server.log[-1].headers["range"] == "bytes=0-0"


def test_a_file_without_a_hash_is_downloaded_once_and_kept(tmp_path: Path, wheels: dict[str, bytes]) -> None:
    with serve() as server:
        asking = client(tmp_path, publish(server, wheels, hashes=False))
        (file,) = asking.files("six", "1.17.0")
        assert (file.sha256, file.size) == (None, None)
        (found,) = asking.complete([file]).values()
    assert found.sha256 == Digest.of(wheels[SIX])
    assert ObjectStore(tmp_path / "cache").checked_path(found.sha256).read_bytes() == wheels[SIX]


def test_a_name_that_no_index_has_has_no_files(tmp_path: Path) -> None:
    with serve() as server:
        server.routes["/403/none/"] = lambda _: Reply(status=403)
        assert client(tmp_path, f"{server.url}/simple", f"{server.url}/403").files("none", "1.0") == []


def test_an_index_that_fails_or_wants_a_login_is_an_error(tmp_path: Path, wheels: dict[str, bytes]) -> None:
    with serve() as server:
        url = publish(server, wheels)
        server.require("ann", "pw")
        with pytest.raises(InfrastructureError, match=r"/simple/six/ answered 401") as refused:
            client(tmp_path, url.replace("//", "//ann:wrong@")).look_up([("six", "1.17.0")])
        assert "wrong" not in str(refused.value)
        server.login = None
        server.routes["/simple/six/"] = lambda _: Reply(status=500)
        with pytest.raises(InfrastructureError, match="answered 500"):
            client(tmp_path, url).look_up([("six", "1.17.0")])


@pytest.mark.parametrize("by", ["url", "netrc"])
def test_a_login_is_used_for_pages_and_files_and_stays_out_of_sight(
    tmp_path: Path, wheels: dict[str, bytes], by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login ann password pw\n" if by == "netrc" else "")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with serve() as server:
        url = publish(server, wheels, hashes=False)
        absolute = html_page([Listing(SIX, f"{server.url}/files/{SIX}")])
        server.add("/simple/six/", absolute, "text/html")
        server.require("ann", "pw")
        asking = client(tmp_path, url.replace("//", "//ann:pw@") if by == "url" else url)
        assert whole(asking, "six", "1.17.0") == [(SIX, Digest.of(wheels[SIX]), len(wheels[SIX]))]
        assert asking.files("six", "1.17.0")[0].index == url


def test_an_index_behind_a_private_ca_needs_it_named(tmp_path: Path, wheels: dict[str, bytes]) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    with serve(context) as server:
        url = publish(server, wheels)
        with pytest.raises(InfrastructureError, match="is not trusted"):
            client(tmp_path, url).look_up([("six", "1.17.0")])
        assert whole(client(tmp_path, url, ca_cert=ca_file), "six", "1.17.0")[0][1] == Digest.of(wheels[SIX])


def local_index(folder: Path, wheels: dict[str, bytes]) -> str:
    """A PEP 503 tree on disk, links relative, as devpi and bandersnatch write it."""
    (folder / "files").mkdir(parents=True)
    (folder / "simple" / "six").mkdir(parents=True)
    (folder / "files" / SIX).write_bytes(wheels[SIX])
    gone = Listing("six-1.17.0-py3-none-any.whl", "../../files/gone.whl", "0" * 64)
    page = html_page([Listing(SIX, f"../../files/{SIX}", Digest.of(wheels[SIX]).hex), gone])
    (folder / "simple" / "six" / "index.html").write_bytes(page)
    return (folder / "simple").as_uri()


def test_indexes_and_folders_on_disk_are_read(tmp_path: Path, wheels: dict[str, bytes]) -> None:
    expected = [(SIX, Digest.of(wheels[SIX]), len(wheels[SIX]))]
    url = local_index(tmp_path / "on disk", wheels)
    folder = tmp_path / "on disk" / "files"
    assert whole(client(tmp_path, url), "six", "1.17.0") == expected
    assert whole(client(tmp_path, find_links=(folder.as_uri(),)), "six", "1.17.0") == expected
    assert client(tmp_path, url).files("iniconfig", "2.0.0") == []
    assert client(tmp_path, url).files("six", "1.17.0")[0].local_path == folder / SIX


def test_a_page_of_links_on_the_web_is_read(tmp_path: Path, wheels: dict[str, bytes]) -> None:
    with serve() as server:
        publish(server, wheels)
        server.add("/links.html", html_page([Listing(name, f"files/{name}") for name in wheels]), "text/html")
        asking = client(tmp_path, find_links=(f"{server.url}/links.html",))
        asking.look_up(RELEASES)
        assert whole(asking, "six", "1.17.0") == [(SIX, Digest.of(wheels[SIX]), len(wheels[SIX]))]
        assert server.paths() == ["/links.html", f"/files/{SIX}"]


def test_the_same_file_appears_once_and_by_https_where_that_is_possible(
    tmp_path: Path, wheels: dict[str, bytes]
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    disk = local_index(tmp_path / "disk", wheels)
    other = {SIX: wheels[SIX] + b"changed"}
    with serve() as plain, serve(context) as secure, serve() as different:
        indexes = (disk, publish(plain, wheels), publish(secure, wheels), publish(different, other))
        found = client(tmp_path, *indexes, ca_cert=ca_file).files("six", "1.17.0")
        assert [(file.index, file.sha256) for file in found] == [
            (indexes[2], Digest.of(wheels[SIX])),
            (indexes[3], Digest.of(other[SIX])),
        ]
