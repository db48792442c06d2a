"""Indexes on the loopback interface that serve small real wheels, and the recordings of other laptops."""

import base64
import hashlib
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from repro.capture.model import Distribution, Interpreter
from repro.capture.packages.index import IndexClient
from repro.capture.packages.settings import IndexSettings
from repro.capture.probe import interpreter_of
from repro.digest import Digest
from repro.store import ObjectStore
from tests.http.servers import JSON, Listing, Server, html_page, json_page

RECORDED = Path(__file__).parent.parent / "recorded"
NOWHERE = Path("/nowhere")


def metadata(name: str, version: str, requires: tuple[str, ...]) -> bytes:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    return "\n".join([*lines, *(f"Requires-Dist: {one}" for one in requires), "", "Requires-Dist: not-this\n"]).encode()


def wheel(name: str, version: str, *requires: str, tag: str = "py3-none-any", body: str = "") -> tuple[str, bytes]:
    """File name and bytes of a wheel with one module and an honest RECORD."""
    stem = name.replace("-", "_")
    info = f"{stem}-{version}.dist-info"
    files = {
        f"{stem}.py": f"BODY = {body!r}\n".encode(),
        f"{info}/METADATA": metadata(name, version, requires),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
        archive.writestr(f"{info}/RECORD", record(files, info))
    return f"{stem}-{version}-{tag}.whl", stream.getvalue()


def record(files: dict[str, bytes], info: str) -> str:
    lines = [f"{path},sha256={urlsafe(data)},{len(data)}" for path, data in files.items()]
    return "\n".join([*lines, f"{info}/RECORD,,\n"])


def urlsafe(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


class Index:
    """A simple index in JSON or HTML whose pages grow."""

    def __init__(self, server: Server, path: str = "/simple", *, style: str = "json") -> None:
        self.server = server
        self.path = path
        self.style = style
        self.url = server.url + path
        self.projects: dict[str, list[Listing]] = {}

    def list(self, project: str, listing: Listing) -> None:
        listings = self.projects.setdefault(project, [])
        listings.append(listing)
        if self.style == "json":
            self.server.add(f"{self.path}/{project}/", json_page(project, listings), JSON)
        else:
            self.server.add(f"{self.path}/{project}/", html_page(listings), "text/html")

    def add(self, name: str, body: bytes, *, beside: bool = False, **told: Any) -> str:
        """Publish a file, with its METADATA beside it when asked to (PEP 658); returns its URL."""
        url = self.server.add(f"{self.path}-files/{name}", body)
        digest = None
        if beside:
            with zipfile.ZipFile(io.BytesIO(body)) as archive:
                inside = next(path for path in archive.namelist() if path.endswith(".dist-info/METADATA"))
                document = archive.read(inside)
            self.server.add(f"{self.path}-files/{name}.metadata", document)
            digest = Digest.of(document).hex
        project = canonicalize_name(name.partition("-")[0])
        self.list(project, Listing(name, url, Digest.of(body).hex, len(body), metadata=digest, **told))
        return url

    def client(self, folder: Path, *others: str, **settings: Any) -> IndexClient:
        named = IndexSettings(self.url, others, **settings)
        return IndexClient(named, cache=ObjectStore(folder / "cache"), pages=folder / "pages")


def installed(name: str, version: str = "1.0", *requires: str, **facts: Any) -> Distribution:
    """A distribution as a probe describes it."""
    facts.setdefault("tags", ("py3-none-any",))
    return Distribution(name, version, NOWHERE, NOWHERE / f"{name}.dist-info", requires=requires, **facts)


def recorded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    return found


def laptop(recording: dict[str, Any], *distributions: Distribution) -> Interpreter:
    """The recorded machine, with other packages installed when any are named."""
    found = interpreter_of(recording["probe"])
    if not distributions:
        return found
    return replace(found, distributions=distributions)


def replay(recording: dict[str, Any], index: Index) -> None:
    """Publish what the recording says of the index: every file is listed, only the documents beside them are served."""
    for key, files in recording["index"].items():
        name = key.partition("==")[0]
        for file in files:
            path = f"{index.path}-files/{file['name']}"
            digest = None
            if "requires" in file:
                document = metadata(name, key.partition("==")[2], tuple(file["requires"]))
                index.server.add(f"{path}.metadata", document)
                digest = Digest.of(document).hex
            listing = Listing(
                file["name"],
                index.server.url + path,
                file["sha256"],
                file.get("size"),
                metadata=digest,
                requires_python=file["requires-python"],
            )
            index.list(name, listing)
