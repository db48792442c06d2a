"""Tokens and logins of private channels: from where people keep them, to their servers only, never into messages."""

import json
from pathlib import Path

import pytest
import requests

from repro.conda.credentials import Credential, authenticated, known_credentials, with_own_credentials
from repro.http import session
from tests.conda_channel.server import serving


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def channel(tmp_path: Path) -> Path:
    folder = tmp_path / "served" / "main" / "noarch"
    folder.mkdir(parents=True)
    (folder / "x-1-0.conda").write_bytes(b"archive")
    return tmp_path / "served"


def sent(url: str, credentials: tuple[Credential, ...]) -> requests.PreparedRequest:
    made = authenticated(session, credentials)()
    return made.prepare_request(requests.Request("GET", url))


def test_settings_of_conda_name_tokens_and_passwords(home: Path) -> None:
    (home / ".condarc").write_text(
        "channel_alias: https://alias.example/t/tk-alias\n"
        "channels:\n  - https://ann:pw@login.example/team\n  - conda-forge\n"
        "default_channels: [https://host.example/t/tk-default/main]\n"
        "custom_channels:\n  ours: https://custom.example/t/${OUR_TOKEN}/get\n"
        "custom_multichannels:\n  all: [https://multi.example/t/tk-multi/a]\n",
        encoding="utf-8",
    )
    found = {one.place: one for one in known_credentials({"OUR_TOKEN": "tk-env"})}
    assert (found["alias.example"].kind, found["alias.example"].secret) == ("token", "tk-alias")
    login = found["login.example/team"]
    assert (login.kind, login.user, login.secret) == ("login", "ann", "pw")
    assert found["host.example/main"].secret == "tk-default"
    assert found["custom.example/get/ours"].secret == "tk-env"
    assert found["multi.example/a"].secret == "tk-multi"


def test_settings_are_read_from_everywhere_that_conda_looks(home: Path, tmp_path: Path) -> None:
    places = [home / ".conda" / ".condarc", home / ".config" / "conda" / "condarc.d" / "own.yml", home / ".mambarc"]
    places += [tmp_path / "env" / ".condarc", tmp_path / "given.yml", tmp_path / "root" / ".condarc"]
    for number, path in enumerate(places):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"channels: [https://h{number}.example/t/tk/c]\n", encoding="utf-8")
    environ = {"CONDARC": str(tmp_path / "given.yml"), "CONDA_EXE": str(tmp_path / "root" / "bin" / "conda")}
    found = known_credentials(environ, prefix=tmp_path / "env")
    assert {one.place for one in found} == {f"h{number}.example/c" for number in range(len(places))}


@pytest.mark.parametrize("text", ["channels: [", "- 3", "channels: 3", "\xff", "custom_channels: [a]"])
def test_settings_that_make_no_sense_say_nothing(home: Path, text: str) -> None:
    (home / ".condarc").write_bytes(text.encode("latin-1"))
    assert known_credentials({}) == ()


def test_what_pixi_keeps_is_known(home: Path, tmp_path: Path) -> None:
    (home / ".rattler").mkdir()
    (home / ".rattler" / "credentials.json").write_text(
        json.dumps({"*.prefix.dev": {"BearerToken": "tk-b"}, "host.example": {"CondaToken": "tk-c"}, "odd": 3})
    )
    given = tmp_path / "auth.json"
    given.write_text(json.dumps({"https://login.example": {"BasicHTTP": {"username": "ann", "password": "pw"}}}))
    found = {one.place: one for one in known_credentials({"RATTLER_AUTH_FILE": str(given)})}
    assert {place: one.kind for place, one in found.items()} == {
        "*.prefix.dev": "bearer",
        "host.example": "token",
        "login.example": "login",
    }


def test_what_mamba_keeps_is_known(home: Path) -> None:
    (home / ".mamba" / "auth").mkdir(parents=True)
    (home / ".mamba" / "auth" / "authentication.json").write_text(
        json.dumps(
            {
                "a.example": {"type": "CondaToken", "token": "tk-a"},
                "b.example": {"type": "BearerToken", "token": "tk-b"},
                "c.example:8443": {"type": "BasicHTTPAuthentication", "user": "ann", "password": "cHc="},
                "d.example": {"type": "BasicHTTPAuthentication", "user": "ann", "password": "not base64"},
            }
        )
    )
    found = {one.place: (one.kind, one.secret) for one in known_credentials({})}
    assert found == {
        "a.example": ("token", "tk-a"),
        "b.example": ("bearer", "tk-b"),
        "c.example:8443": ("login", "pw"),
    }


def test_what_anaconda_login_keeps_is_known(home: Path) -> None:
    folder = home / ".continuum" / "anaconda-client" / "tokens"
    folder.mkdir(parents=True)
    (folder / "https%3A%2F%2Fapi.anaconda.org.token").write_text("an-token\n")
    (one,) = known_credentials({})
    assert (one.place, one.kind, one.secret) == ("conda.anaconda.org", "token", "an-token")


def test_each_kind_reaches_its_server_in_its_own_way() -> None:
    known = (
        Credential("token.example/c", "token", "tk/1"),
        Credential("*.bearer.example", "bearer", "tk-2"),
        Credential("login.example", "login", "pw", "ann"),
    )
    assert (
        sent("https://token.example/c/noarch/x.conda", known).url == "https://token.example/t/tk%2F1/c/noarch/x.conda"
    )
    assert sent("https://a.bearer.example/noarch/x", known).headers["Authorization"] == "Bearer tk-2"
    assert sent("https://login.example/noarch/x", known).headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    "url",
    ["https://token.example/cc/noarch/x", "https://token.example.evil/c/noarch/x", "https://token.example/c/simple/x"],
)
def test_nobody_else_gets_them(url: str) -> None:
    request = sent(url, (Credential("token.example/c", "token", "tk-1"),))
    assert request.url == url
    assert "Authorization" not in request.headers


def test_an_address_that_says_who_we_are_is_left_alone() -> None:
    known = (Credential("host.example", "token", "tk-1"),)
    assert sent("https://host.example/t/tk-2/c/noarch/x", known).url == "https://host.example/t/tk-2/c/noarch/x"


def test_the_narrowest_place_wins(home: Path) -> None:
    (home / ".condarc").write_text(
        "channels: [https://host.example/t/tk-wide, https://host.example/t/tk-narrow/c]\n", encoding="utf-8"
    )
    assert (
        sent("https://host.example/c/noarch/x", known_credentials({})).url
        == "https://host.example/t/tk-narrow/c/noarch/x"
    )
    assert (
        sent("https://host.example/d/noarch/x", known_credentials({})).url
        == "https://host.example/t/tk-wide/d/noarch/x"
    )


def test_secrets_are_in_no_repr() -> None:
    assert "tk-1" not in repr(Credential("host.example", "token", "tk-1"))


def test_a_server_that_wants_token_and_password_gives_its_files(home: Path, channel: Path) -> None:
    with serving(channel, token="tk-1") as server:
        (home / ".condarc").write_text(f"channels: [{server.url()}]\n", encoding="utf-8")
        sessions = with_own_credentials(session)
        assert sessions().get(f"{server.address}/main/noarch/x-1-0.conda").content == b"archive"
        assert session().get(f"{server.address}/main/noarch/x-1-0.conda").status_code == 403
    with serving(channel, login=("ann", "pw")) as server:
        address = server.address.replace("//", "//ann:pw@")
        (home / ".condarc").write_text(f"channels: ['{address}/main']\n", encoding="utf-8")
        answer = with_own_credentials(session)().get(f"{server.address}/main/noarch/x-1-0.conda")
        assert answer.content == b"archive"
