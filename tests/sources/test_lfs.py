"""Files that git tracks by pointer: their server at capture, pointers that were never fetched, and the batch API."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from repro.digest import Digest
from repro.errors import CaptureError
from repro.sources import find_sources
from tests.http.servers import Reply, Request, Server, serve
from tests.sources.projects import BODY, SESSIONS, fetch, locked, plain, sources, statuses, written

OID = Digest.of(BODY).hex


def pointer(body: bytes) -> bytes:
    digest = Digest.of(body).hex
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(body)}\n".encode()


def git(root: Path, *args: str, stdin: bytes = b"") -> str:
    done = subprocess.run(["git", *args], cwd=root, input=stdin, capture_output=True, check=True)
    return done.stdout.decode().strip()


def repository(root: Path, remote: str | None = "https://anna:pw@host/org/repo.git") -> None:
    root.mkdir(exist_ok=True)
    git(root, "init", "--quiet", "--initial-branch", "main")
    if remote:
        git(root, "remote", "add", "origin", remote)
    (root / ".gitattributes").write_text("*.csv filter=lfs diff=lfs merge=lfs -text\n")
    git(root, "add", ".gitattributes")


def add(root: Path, path: str, committed: bytes = BODY) -> None:
    """As `git add` leaves it where git-lfs is installed: a pointer in the index, the file itself beside."""
    written(root, path)
    blob = git(root, "hash-object", "-w", "--stdin", stdin=pointer(committed))
    git(root, "update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")


@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        ("https://anna:pw@host/org/repo.git", "git-lfs+https://host/org/repo.git/info/lfs"),
        ("https://host/org/repo", "git-lfs+https://host/org/repo.git/info/lfs"),
        ("git@host:org/repo.git", "git-lfs+ssh://git@host/org/repo.git"),
        ("ssh://git@host:2222/org/repo.git", "git-lfs+ssh://git@host:2222/org/repo.git"),
    ],
)
def test_a_fetched_file_is_where_the_remotes_server_has_it(root: Path, remote: str, expected: str) -> None:
    repository(root, remote)
    add(root, "data/ü 1.csv")
    files = [locked("data/ü 1.csv"), written(root, "plain.txt")]
    assert sources(root, files) == {"data/ü 1.csv": f"{expected}#sha256={OID}", "plain.txt": None}


def test_another_server_may_be_configured(root: Path) -> None:
    repository(root)
    add(root, "x.csv")
    git(root, "config", "--file", ".lfsconfig", "lfs.url", "https://lfs.example.org/store")
    assert sources(root, [locked("x.csv")]) == {"x.csv": f"git-lfs+https://lfs.example.org/store#sha256={OID}"}
    git(root, "config", "lfs.url", "https://mine.example.org/store")
    assert sources(root, [locked("x.csv")]) == {"x.csv": f"git-lfs+https://mine.example.org/store#sha256={OID}"}


def test_the_project_may_be_a_folder_of_the_repository_and_have_submodules(root: Path) -> None:
    repository(root.parent)
    add(root.parent, f"{root.name}/x.csv")
    repository(root / "sub", "https://host/sub.git")
    add(root / "sub", "y.csv")
    assert sources(root, [locked("x.csv"), locked("sub/y.csv")]) == {
        "x.csv": f"git-lfs+https://host/org/repo.git/info/lfs#sha256={OID}",
        "sub/y.csv": f"git-lfs+https://host/sub.git/info/lfs#sha256={OID}",
    }


def test_what_no_server_has_gets_no_source(root: Path) -> None:
    repository(root)
    add(root, "changed.csv", committed=b"before")
    assert sources(root, [locked("changed.csv"), written(root, "untracked.csv")]) == {
        "changed.csv": None,
        "untracked.csv": None,
    }


@pytest.mark.parametrize("remote", [None, "/srv/git/repo.git", "../repo.git"])
def test_a_repository_without_a_server_gives_no_source(root: Path, remote: str | None) -> None:
    repository(root, remote)
    add(root, "x.csv")
    assert sources(root, [locked("x.csv")]) == {"x.csv": None}


def test_pointers_that_were_never_fetched_are_refused_by_name(root: Path) -> None:
    files = [written(root, name, pointer(BODY)) for name in ("a.csv", "b.bin")]
    fine = [written(root, "c.csv", b"version https"), written(root, "d.csv", pointer(BODY) + b"#" * 1024)]
    with pytest.raises(CaptureError) as raised:
        find_sources(root, [*files, *fine], declared={}, sessions=SESSIONS, environ=plain(root))
    assert [problem.split()[0] for problem in raised.value.problems] == ["a.csv", "b.bin"]
    assert all("git lfs pull" in problem for problem in raised.value.problems)


def batch(server: Server, *, login: str | None = None, missing: bool = False) -> list[dict[str, object]]:
    """An LFS server below `/repo.git/info/lfs`; returns what it is asked."""
    asked: list[dict[str, object]] = []

    def answer(request: Request) -> Reply:
        if login and request.headers.get("authorization") != login:
            return Reply(b"{}", 401, {"LFS-Authenticate": 'Basic realm="x"'})
        body = json.loads(request.body)
        asked.append(body)
        one = body["objects"][0]
        found: dict[str, object] = {"oid": one["oid"], "size": one["size"]}
        if missing:
            found["error"] = {"code": 404, "message": "Object does not exist"}
        else:
            action = {"href": f"{server.url}/store/{one['oid']}", "header": {"X-Ticket": "t"}}
            found["actions"] = {"download": action}
        return Reply(json.dumps({"transfer": "basic", "objects": [found]}).encode())

    server.routes["/repo.git/info/lfs/objects/batch"] = answer
    server.add(f"/store/{OID}", BODY)
    return asked


def test_an_object_is_fetched_from_where_the_server_says(root: Path) -> None:
    with serve() as server:
        asked = batch(server)
        file = locked("x.csv", BODY, f"git-lfs+{server.url}/repo.git/info/lfs#sha256={OID}")
        assert statuses(fetch(root, file)) == {"x.csv": "fetched"}
        assert server.log[-1].headers["x-ticket"] == "t"
    assert asked == [
        {
            "operation": "download",
            "transfers": ["basic"],
            "objects": [{"oid": OID, "size": len(BODY)}],
            "hash_algo": "sha256",
        }
    ]


def test_an_object_that_was_never_pushed_is_told(root: Path) -> None:
    with serve() as server:
        batch(server, missing=True)
        report = fetch(root, locked("x.csv", BODY, f"git-lfs+{server.url}/repo.git/info/lfs#sha256={OID}"))
    assert "does not exist" in (report.files[0].problem or "")
    assert "git lfs push" in (report.files[0].fix or "")


def test_gits_own_login_is_used_where_one_is_asked_for(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    login = "Basic " + base64.b64encode(b"anna:geheim").decode()
    home = root.parent / "home"
    home.mkdir()
    with serve() as server:
        batch(server, login=login)
        file = locked("x.csv", BODY, f"git-lfs+{server.url}/repo.git/info/lfs#sha256={OID}")
        report = fetch(root, file)
        assert "401" in (report.files[0].problem or "")
        (home / "credentials").write_text(server.url.replace("://", "://anna:geheim@") + "\n")
        (home / ".gitconfig").write_text(f"[credential]\n\thelper = store --file '{home}/credentials'\n")
        assert statuses(fetch(root, file)) == {"x.csv": "fetched"}


def test_a_server_behind_ssh_is_asked_for_by_the_users_ssh(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = root.parent / "ssh"
    with serve() as server:
        batch(server, login="RemoteAuth ticket")
        said = {"href": f"{server.url}/repo.git/info/lfs", "header": {"Authorization": "RemoteAuth ticket"}}
        log = "open(sys.argv[0] + '.log', 'w').write(repr(sys.argv[1:]))"
        script.write_text(f"#!{sys.executable}\nimport sys\n{log}\nprint({json.dumps(said)!r})\n")
        script.chmod(0o755)
        file = locked("x.csv", BODY, f"git-lfs+ssh://git@host:2222/org/my%20repo.git#sha256={OID}")
        assert statuses(fetch(root, file, GIT_SSH_COMMAND=str(script))) == {"x.csv": "fetched"}
    log = (root.parent / "ssh.log").read_text()
    assert log == repr(["-p", "2222", "git@host", "git-lfs-authenticate 'org/my repo.git' download"])
