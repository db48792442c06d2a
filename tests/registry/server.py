"""A real registry (Debian's docker-registry, distribution 2.8) on the loopback interface, open or locked."""

import base64
import contextlib
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from repro.digest import Digest
from repro.oci.image import INDEX, MANIFEST
from tests.oci import places
from tests.oci.forged import Forged

USER, PASSWORD = "reader", "open sesame"
HTPASSWD = f"{USER}:$2y$05$v9kTcIMW0E8phy52M2uGs.uTT5XhLVJxpHZXJrhCrBYTZjTQEQp.C\n"  # made with `htpasswd -nbB`
REFRESH_TOKEN = "a refresh token"
SERVICE, ISSUER = "the registry", "the tests"
_LISTENING = re.compile(r'msg="listening on 127\.0\.0\.1:(\d+)"')


@dataclass(frozen=True)
class RunningRegistry:
    host: str
    storage: Path
    process: subprocess.Popen[bytes]

    def blob(self, digest: Digest) -> Path:
        return self.storage / "docker/registry/v2/blobs/sha256" / digest.hex[:2] / digest.hex / "data"


def find_program(scratch: Path) -> Path:
    """docker-registry: installed, or unpacked from Debian's package without installing it."""
    found = shutil.which("docker-registry")
    if found:
        return Path(found)
    try:
        subprocess.run(["apt-get", "download", "docker-registry"], cwd=scratch, check=True, capture_output=True)
        (package,) = scratch.glob("docker-registry_*.deb")
        subprocess.run(["dpkg", "-x", package, scratch], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.fail(f"docker-registry is needed; on Debian and Ubuntu: apt-get install docker-registry ({error})")
    return scratch / "usr/bin/docker-registry"


@contextlib.contextmanager
def running(scratch: Path, settings: Mapping[str, str] | None = None) -> Iterator[RunningRegistry]:
    storage = scratch / "storage"
    config = scratch / "config.yml"
    config.write_text(f"version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {storage}}}}}\n")
    env = {**os.environ, "REGISTRY_HTTP_ADDR": "127.0.0.1:0", **(settings or {})}
    with (scratch / "log").open("wb") as log:
        process = subprocess.Popen([find_program(scratch), "serve", config], env=env, stdout=log, stderr=log)
    try:
        yield RunningRegistry(f"localhost:{_port(process, scratch / 'log')}", storage, process)
    finally:
        process.terminate()
        process.wait()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    """Where it listens, as it says itself: a port that was free a moment ago may be somebody else's by now."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        found = _LISTENING.search(log.read_text())
        if found:
            return int(found[1])
        time.sleep(0.05)
    pytest.fail(f"docker-registry did not start: {log.read_text()}")


def with_password(scratch: Path) -> contextlib.AbstractContextManager[RunningRegistry]:
    """A registry that takes HTTP basic authentication."""
    htpasswd = scratch / "htpasswd"
    htpasswd.write_text(HTPASSWD)
    settings = {"REGISTRY_AUTH": "htpasswd", "REGISTRY_AUTH_HTPASSWD_REALM": "here"}
    return running(scratch, {**settings, "REGISTRY_AUTH_HTPASSWD_PATH": str(htpasswd)})


@contextlib.contextmanager
def with_tokens(scratch: Path) -> Iterator[tuple[RunningRegistry, list[str]]]:
    """A registry that takes tokens (as Docker Hub does), and the scopes that its issuer was asked for."""
    key, certificate = scratch / "key.pem", scratch / "certificate.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=tests",
            "-keyout",
            key,
            "-out",
            certificate,
        ],
        check=True,
        capture_output=True,
    )
    with _issuer(key, certificate) as (realm, asked):
        settings = {
            "REGISTRY_AUTH": "token",
            "REGISTRY_AUTH_TOKEN_REALM": realm,
            "REGISTRY_AUTH_TOKEN_SERVICE": SERVICE,
            "REGISTRY_AUTH_TOKEN_ISSUER": ISSUER,
            "REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE": str(certificate),
        }
        with running(scratch, settings) as registry:
            yield registry, asked


@contextlib.contextmanager
def _issuer(key: Path, certificate: Path) -> Iterator[tuple[str, list[str]]]:
    """Where tokens are fetched, by password or by refresh token, and which scopes were asked for."""
    asked: list[str] = []
    expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(parse_qs(urlsplit(self.path).query), known=self.headers.get("Authorization") == expected)

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self._answer(form, known=form.get("refresh_token") == [REFRESH_TOKEN])

        def _answer(self, query: dict[str, list[str]], *, known: bool) -> None:
            asked.append(" ".join(query["scope"]))
            self.send_response(200 if known else 401)
            self.end_headers()
            if known:
                self.wfile.write(json.dumps({"token": _token(asked[-1], key, certificate)}).encode())

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://localhost:{listener.server_port}/token", asked
        finally:
            listener.shutdown()
            thread.join()


def _token(scopes: str, key: Path, certificate: Path) -> str:
    """A JSON Web Token as distribution's token authentication wants it."""
    wanted = [re.fullmatch(r"(\w+):(.+):([\w,]+)", scope).groups() for scope in scopes.split()]  # type: ignore[union-attr]
    der = "".join(line for line in certificate.read_text().splitlines() if "-----" not in line)
    now = int(time.time())
    header = {"typ": "JWT", "alg": "RS256", "x5c": [der]}
    access = [{"type": kind, "name": name, "actions": actions.split(",")} for kind, name, actions in wanted]
    claims = {
        "iss": ISSUER,
        "sub": USER,
        "aud": SERVICE,
        "exp": now + 300,
        "nbf": now - 60,
        "iat": now,
        "access": access,
    }
    signed = b".".join(map(_base64, (json.dumps(header).encode(), json.dumps(claims).encode())))
    signature = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", key], input=signed, check=True, capture_output=True
    ).stdout
    return (signed + b"." + _base64(signature)).decode()


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def login(scratch: Path, host: str, user: str = USER, password: str = PASSWORD) -> dict[str, str]:
    """Variables under which Docker's configuration knows a password."""
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    return docker_config(scratch, {"auths": {host: {"auth": auth}}})


def docker_config(scratch: Path, config: object) -> dict[str, str]:
    folder = scratch / "docker-config"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    return {"DOCKER_CONFIG": str(folder), "HOME": str(scratch), "PATH": f"{scratch}:{os.environ['PATH']}"}


def push(
    host: str, name: str, platforms: Mapping[str, tuple[str, ...]], *, index: bool = True, login: bool = False
) -> Digest:
    """Upload an image without layers for each platform with its variables; returns what `repository:tag` points to."""
    repository, _, tag = name.partition(":")
    client = requests.Session()
    client.auth = (USER, PASSWORD) if login else None
    root = f"http://{host}/v2/{repository}"
    listed: list[dict[str, object]] = []
    for platform, env in platforms.items():
        system, machine = platform.split("/")
        rootfs = {"type": "layers", "diff_ids": []}
        settings = {"Env": list(env), "Labels": {"of": platform}}
        config = {"os": system, "architecture": machine, "config": settings, "rootfs": rootfs}
        document = {"config": _upload(client, root, json.dumps(config).encode()), "layers": []}
        pushed = _manifest(client, root, "manifest", document, None if index else tag)
        listed.append({**pushed, "platform": {"os": system, "architecture": machine}})
    if index:
        pushed = _manifest(client, root, "index", {"manifests": listed}, tag)
    return Digest.parse(str(pushed["digest"]))


def push_image(host: str, name: str, *images: Forged) -> Digest:
    """Upload images with all their layers, under an index when there are several; returns what the tag points to."""
    repository, _, tag = name.partition(":")
    client = requests.Session()
    root = f"http://{host}/v2/{repository}"
    for data in (blob for image in images for blob in (image.config, *image.blobs)):
        _upload(client, root, data)
    for image in images:
        _put_manifest(client, root, MANIFEST, image.manifest, tag if len(images) == 1 else None)
    if len(images) == 1:
        return images[0].digest
    index = places.index(images)
    _put_manifest(client, root, INDEX, index, tag)
    return Digest.of(index)


def _upload(client: requests.Session, root: str, data: bytes) -> dict[str, object]:
    digest = str(Digest.of(data))
    place = client.post(f"{root}/blobs/uploads/", timeout=60).headers["Location"]
    client.put(place, params={"digest": digest}, data=data, timeout=60).raise_for_status()
    return {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": len(data)}


def _manifest(
    client: requests.Session, root: str, kind: str, document: Mapping[str, object], tag: str | None
) -> dict[str, object]:
    media_type = f"application/vnd.oci.image.{kind}.v1+json"
    data = json.dumps({"schemaVersion": 2, "mediaType": media_type, **document}).encode()
    _put_manifest(client, root, media_type, data, tag)
    return {"mediaType": media_type, "digest": str(Digest.of(data)), "size": len(data)}


def _put_manifest(client: requests.Session, root: str, media_type: str, data: bytes, tag: str | None) -> None:
    place = f"{root}/manifests/{tag or Digest.of(data)}"
    client.put(place, data=data, headers={"Content-Type": media_type}, timeout=60).raise_for_status()
