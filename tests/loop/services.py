"""Services in containers of their own, from images that are built here: a registry, and a company's package index."""

import contextlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from tests.conftest import BASE

testcontainers_config.ryuk_disabled = True  # its image can't be had everywhere; every container here ends with its test

INDEX = """\
import base64, http.server, pathlib, ssl, sys

LOGIN = "Basic " + base64.b64encode(b"anna:s3cret").decode()

class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.headers.get("Authorization") != LOGIN:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="company"')
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            super().do_GET()

    do_HEAD = do_GET

server = http.server.ThreadingHTTPServer(("", 8443), lambda *a: Handler(*a, directory="/srv/index"))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/srv/server.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
print("listening", flush=True)
server.serve_forever()
"""


@contextlib.contextmanager
def image(tag: str, dockerfile: str, files: dict[str, bytes]) -> Iterator[str]:
    """An image from a Dockerfile and files beside it, removed at the end."""
    client = docker.from_env()
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        for name, data in {"Dockerfile": dockerfile.encode(), **files}.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            archive.addfile(entry, io.BytesIO(data))
    context.seek(0)
    try:
        client.images.build(fileobj=context, custom_context=True, tag=tag, rm=True, forcerm=True, network_mode="none")
        yield tag
    finally:
        client.images.remove(tag, force=True)
        client.close()


@contextlib.contextmanager
def registry(program: Path) -> Iterator[str]:
    """A registry (distribution); yields `localhost:<port>`."""
    config = (
        b"version: 0.1\nlog: {level: info}\nstorage: {filesystem: {rootdirectory: /tmp/r}}\nhttp: {addr: ':5000'}\n"
    )
    dockerfile = f"""\
FROM {BASE}
COPY registry config.yml /srv/
USER 10001:0
ENTRYPOINT ["/srv/registry", "serve", "/srv/config.yml"]
"""
    files = {"registry": program.read_bytes(), "config.yml": config}
    with image("repro-test/registry:1", dockerfile, files) as tag:
        ready = LogMessageWaitStrategy("listening on").with_startup_timeout(60)
        with DockerContainer(tag).with_exposed_ports(5000).waiting_for(ready) as container:
            yield f"localhost:{container.get_exposed_port(5000)}"


@contextlib.contextmanager
def package_index(certificate: bytes, wheels: dict[str, list[Path]]) -> Iterator[str]:
    """An index over TLS that wants a login (anna, s3cret); yields its URL, `https://localhost:<port>/simple`."""
    files = {"server.pem": certificate, "serve.py": INDEX.encode()}
    for name, paths in wheels.items():
        links = "".join(f'<a href="{path.name}">{path.name}</a>\n' for path in paths)
        files[f"index/simple/{name}/index.html"] = f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
        files |= {f"index/simple/{name}/{path.name}": path.read_bytes() for path in paths}
    dockerfile = f'FROM {BASE}\nCOPY . /srv/\nUSER 10001:0\nENTRYPOINT ["python3", "/srv/serve.py"]\n'
    with image("repro-test/index:1", dockerfile, files) as tag:
        ready = LogMessageWaitStrategy("listening").with_startup_timeout(60)
        with DockerContainer(tag).with_exposed_ports(8443).waiting_for(ready) as container:
            yield f"https://localhost:{container.get_exposed_port(8443)}/simple"
