"""Objects of a Git LFS server: the batch API, basic transfers (git-lfs, docs/api), and git's own logins."""

import contextlib
import json
import os
import shlex
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from requests.auth import HTTPBasicAuth

from repro.errors import InfrastructureError
from repro.http import network_errors
from repro.process import run
from repro.sources.bodies import Body, Network, web_body
from repro.sources.uri import LfsObject, parse_lfs
from repro.urls import host_of, redact

_JSON = "application/vnd.git-lfs+json"
_PATIENCE = 60.0


@contextlib.contextmanager
def lfs_body(network: Network, text: str, size: int, offset: int) -> Iterator[Body]:
    """An object, from where the server says that it is.

    Raises:
        InfrastructureError: The server can't be reached, lets us not in, or doesn't have it.
    """
    wanted = parse_lfs(text)
    url, headers = _over_ssh(wanted, network.environ) if wanted.server.startswith("ssh://") else (wanted.server, {})
    answer = _batch(network, url, headers, wanted, size)
    action = answer.get("actions", {}).get("download", {})
    refused = answer.get("error", {}).get("message")
    if "href" not in action:
        raise InfrastructureError(
            f"{redact(url)} doesn't have {wanted.oid[:12]}…: {refused or 'it offers no download'}",
            fix="Let who captured it run `git lfs push --all`, or get the file from them.",
        )
    with web_body(network, action["href"], offset, action.get("header"), "git's credential helper or netrc") as body:
        yield body


def _batch(network: Network, url: str, headers: Mapping[str, str], wanted: LfsObject, size: int) -> dict[str, Any]:
    body = {
        "operation": "download",
        "transfers": ["basic"],
        "objects": [{"oid": wanted.oid, "size": size}],
        "hash_algo": "sha256",
    }
    response = _post(network, url, headers, body, None)
    if response.status_code == 401:  # noqa: PLR2004 - who are you?
        login = _git_login(url, network.environ)
        response = _post(network, url, headers, body, login) if login else response
    try:
        response.raise_for_status()
        found: dict[str, Any] = response.json()["objects"][0]
    except (requests.RequestException, LookupError, ValueError, TypeError) as error:
        raise InfrastructureError(
            f"the Git LFS server {redact(url)} answered {response.status_code} {response.reason or ''}".rstrip(),
            fix=f"Log in to {host_of(url)} by git's credential helper or netrc, or run `git lfs pull` instead.",
        ) from error
    return found


def _post(
    network: Network, url: str, headers: Mapping[str, str], body: object, login: HTTPBasicAuth | None
) -> requests.Response:
    session = network.sessions()
    sent = {**headers, "Accept": _JSON, "Content-Type": _JSON}
    with network_errors(url, session.trust):
        return session.post(f"{url.rstrip('/')}/objects/batch", data=json.dumps(body), headers=sent, auth=login)


def _git_login(url: str, environ: Mapping[str, str]) -> HTTPBasicAuth | None:
    """What git's credential helpers know of a host (gitcredentials(7)); nobody is asked."""
    parts = urlsplit(url)
    asked = f"protocol={parts.scheme}\nhost={parts.netloc}\npath={parts.path.lstrip('/')}\n\n"
    quiet = {**environ, "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true", "GCM_INTERACTIVE": "never"}
    try:
        done = run(["git", "credential", "fill"], env=quiet, stdin=asked, timeout=_PATIENCE, check=False)
    except InfrastructureError:
        return None
    said = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return HTTPBasicAuth(said["username"], said["password"]) if said.get("username") and said.get("password") else None


def _over_ssh(wanted: LfsObject, environ: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
    """Server and headers, as the host of an SSH remote tells (docs/api/server-discovery.md)."""
    parts = urlsplit(wanted.server)
    if any(one.startswith("-") for one in (parts.netloc, parts.hostname or "-")):
        raise InfrastructureError(f"not a host: {wanted.server}", fix="Capture again.")
    ssh = shlex.split(environ.get("GIT_SSH_COMMAND") or "") or [environ.get("GIT_SSH") or "ssh"]
    port = ["-p", str(parts.port)] if parts.port else []
    account = f"{parts.username}@{parts.hostname}" if parts.username else parts.hostname or ""
    question = f"git-lfs-authenticate {shlex.quote(unquote(parts.path).lstrip('/'))} download"
    done = run([*ssh, *port, account, question], env={**os.environ, **environ}, timeout=_PATIENCE)
    try:
        said = json.loads(done.stdout)
        return str(said["href"]), dict(said.get("header") or {})
    except (ValueError, LookupError, TypeError) as error:
        raise InfrastructureError(
            f"{account} did not say where its Git LFS server is", fix="Run `git lfs pull` instead."
        ) from error
