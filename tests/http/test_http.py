"""Sessions against real servers: whom they trust, what they send, what they keep, and how their failures read."""

import socket
import ssl
import threading
from pathlib import Path

import pytest
import trustme

from repro import __version__
from repro.errors import InfrastructureError, UsageError
from repro.http import Session, network_errors, per_thread, session
from repro.urls import redact
from tests.http.servers import Reply, Server, serve


@pytest.fixture(autouse=True)
def _no_outside_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))


def fetch(asking: Session, url: str) -> bytes:
    with network_errors(url, asking.trust):
        return asking.get(url).content


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "our ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


def test_a_private_ca_is_refused_until_it_is_named(tls: ssl.SSLContext, ca_file: Path) -> None:
    with serve(tls) as server:
        url = server.add("/x", b"private")
        with pytest.raises(InfrastructureError) as refused:
            fetch(session(), url)
        assert fetch(session(ca_cert=ca_file), url) == b"private"
    assert "is not trusted" in refused.value.what
    assert url.split("/")[2] in refused.value.what
    assert "--ca-cert" in str(refused.value.fix)
    assert "the system's trust store" in refused.value.details


@pytest.mark.parametrize("name", ["PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_variables_that_pip_requests_and_curl_know_name_a_ca_too(
    name: str, tls: ssl.SSLContext, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, str(ca_file))
    with serve(tls) as server:
        url = server.add("/x", b"private")
        assert fetch(session(), url) == b"private"


def test_an_explicit_ca_beats_the_environment(
    tls: ssl.SSLContext, ca_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca_file))
    with serve(tls) as server:
        url = server.add("/x", b"private")
        with pytest.raises(InfrastructureError, match="is not trusted") as refused:
            fetch(session(ca_cert=other), url)
    assert str(other) in refused.value.details


def test_a_ca_file_that_is_missing_is_named_with_its_variable(tmp_path: Path) -> None:
    gone = tmp_path / "gone.pem"
    for ca_cert in (None, gone):  # a caller may have read the variable
        with pytest.raises(UsageError, match="PIP_CERT") as refused:
            session(ca_cert=ca_cert, environ={"PIP_CERT": str(gone)})
        assert refused.value.where == str(gone)


def test_credentials_come_from_the_url_then_from_known_urls_then_from_netrc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login ann password from-netrc\n")
    netrc.chmod(0o600)
    with serve() as server:
        url = server.add("/x", b"secret")
        with_login = url.replace("//", "//ann:from%2Durl@")
        for password, asking, asked in (
            ("from-netrc", session(), url),
            ("from-url", session(), with_login),
            ("from-url", session(credentials=[with_login]), url),
        ):
            monkeypatch.setenv("NETRC", str(netrc))
            server.require("ann", password)
            assert fetch(asking, asked) == b"secret", password


def test_credentials_do_not_follow_a_redirect_to_another_host() -> None:
    with serve() as one, serve() as other:
        target = other.add("/y", b"open")
        one.routes["/x"] = lambda _: Reply(status=302, headers={"Location": target})
        one.require("ann", "pw")
        assert fetch(session(), one.url.replace("//", "//ann:pw@") + "/x") == b"open"
    assert [("authorization" in request.headers) for request in (*one.log, *other.log)] == [True, False]


def test_every_request_says_who_asks() -> None:
    with serve() as server:
        fetch(session(), server.add("/x", b""))
    assert server.log[0].headers["user-agent"] == f"repro/{__version__}"


def test_a_passing_failure_of_the_server_is_tried_again() -> None:
    with serve() as server:
        replies = iter([Reply(status=503), Reply(status=502), Reply(b"at last")])
        server.routes["/x"] = lambda _: next(replies)
        assert fetch(session(), f"{server.url}/x") == b"at last"


def test_a_failure_that_stays_is_returned_after_a_few_tries() -> None:
    with serve() as server:
        server.routes["/x"] = lambda _: Reply(status=503)
        assert session().get(f"{server.url}/x").status_code == 503
        assert len(server.log) == 4


def test_a_name_that_does_not_resolve_is_final_and_named() -> None:
    with pytest.raises(InfrastructureError, match=r"the name no-such-host\.invalid can't be resolved") as failed:
        fetch(session(), "https://ann:pw@no-such-host.invalid/simple?token=abc")
    assert "pw" not in failed.value.details
    assert "abc" not in failed.value.details
    assert "without a proxy" in failed.value.details


def test_a_proxy_is_used_and_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve() as proxy:
        proxy.routes["http://example.invalid/x"] = lambda _: Reply(b"through the proxy")
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//ann:pw@"))
        assert fetch(session(), "http://example.invalid/x") == b"through the proxy"
        monkeypatch.setenv("NO_PROXY", "example.invalid")
        with pytest.raises(InfrastructureError, match="can't be resolved"):
            fetch(session(), "http://example.invalid/x")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTPS_PROXY", f"http://ann:pw@127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(InfrastructureError, match=r"the proxy http://127\.0\.0\.1:\d+ does not") as failed:
            fetch(session(), "https://example.org/")
    assert "pw" not in f"{failed.value} {failed.value.details}"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_servers_on_this_machine_are_never_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    with serve() as server, serve() as proxy:
        server.add("/x", b"from here")
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        url = server.url.replace("127.0.0.1", host)
        assert fetch(session(), f"{url}/x") == b"from here"
        assert not proxy.log


@pytest.mark.parametrize("url", ["ftp://ann:pw@example.org/x", "nowhere", "https://ann:pw@[half"])
def test_what_is_no_http_url_is_a_usage_error_without_the_password(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        fetch(session(), url)
    assert "pw" not in str(refused.value)


def test_answers_without_an_age_are_kept_but_not_those_to_credentials(tmp_path: Path) -> None:
    def body(server: Server) -> None:
        server.add("/x", b"page")

    with serve() as server:
        body(server)
        for _ in range(2):
            assert fetch(session(cache=tmp_path / "open"), f"{server.url}/x") == b"page"
        assert len(server.log) == 1
        for _ in range(2):
            fetch(session(cache=tmp_path / "closed"), server.url.replace("//", "//ann:pw@") + "/x")
        assert len(server.log) == 3
    assert not [path for path in (tmp_path / "closed").rglob("*") if path.is_file()]


def test_what_the_server_says_of_an_answers_age_counts(tmp_path: Path) -> None:
    with serve() as server:
        server.routes["/x"] = lambda _: Reply(b"fresh", headers={"Cache-Control": "no-store"})
        for _ in range(2):
            fetch(session(cache=tmp_path), f"{server.url}/x")
    assert len(server.log) == 2


def test_each_thread_has_a_session_of_its_own_over_shared_connections() -> None:
    seen: list[Session] = []
    with serve() as server:
        url = server.add("/x", b"")
        mine = per_thread(session)

        def ask() -> None:
            fetch(mine(), url)
            seen.extend([mine(), mine()])

        for _ in range(2):
            thread = threading.Thread(target=ask)
            thread.start()
            thread.join()
        assert server.connections == 1
    assert seen[0] is seen[1]
    assert seen[2] is seen[3]
    assert seen[0] is not seen[2]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ann:pw@host:8080/simple/", "https://host:8080/simple/"),
        ("https://token@host/simple", "https://host/simple"),
        ("https://host/t/abc-def/channel/x.whl", "https://host/t/***/channel/x.whl"),
        ("https://host/x.whl?X-Amz-Signature=1&X-Amz-Date=2&part=%2F3", "https://host/x.whl?part=%2F3"),
        ("https://host/x.whl?sig=1&sv=2", "https://host/x.whl?sv=2"),
        ("https://host/x.whl?access_token=1", "https://host/x.whl"),
        ("https://host/a%20b.whl?part=a%20b#frag", "https://host/a%20b.whl?part=a%20b#frag"),
        ("git+ssh://git@host/repo.git", "git+ssh://git@host/repo.git"),
        ("https://ann:pw@[half", "https://[half"),
    ],
)
def test_redacted_urls_keep_everything_but_the_secrets(url: str, shown: str) -> None:
    assert redact(url) == shown
