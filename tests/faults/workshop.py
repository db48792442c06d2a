"""Real projects, captured, built and verified in this process, and the ways to spoil one of them.

Images are files, and bubblewrap runs them: a whole round costs about two seconds of one CPU.
"""

import base64
import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import nbformat

from repro.build import BuildRequest, Output, Sources, build
from repro.capture.capture import capture
from repro.capture.request import CaptureRequest
from repro.digest import Digest
from repro.engines.model import Engine, EngineInfo, ImageInfo, RunOutcome, RunSpec
from repro.http import per_thread, session
from repro.lock import Lock, load_lock, render_lock
from repro.progress import Silent
from repro.registry import Registry
from repro.verify.model import Verdict
from repro.verify.stage import verify

_STEERING = re.compile(r"(OMP|OPENBLAS|MKL|BLIS|NPY|KMP|GOMP|TF|PYTHON|VIRTUAL|CONDA)_?\w*")
SETTINGS = "[base]\nimage = 'repro-base:bookworm'\n"
Config = dict[str, Any]
Edit = Callable[[Lock], Lock]


@contextlib.contextmanager
def variables(more: Mapping[str, str]) -> Iterator[None]:
    """This process's variables without any that steer numbers, and with these."""
    kept = dict(os.environ)
    for name in [name for name in os.environ if _STEERING.fullmatch(name)]:
        del os.environ[name]
    os.environ.update({"JUPYTER_DATA_DIR": os.devnull, **more})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


def make_environment(home: Path, *packages: str | Path) -> Path:
    """The interpreter of a new environment with these packages."""
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "-q", "--python", sys.executable, home], check=True)
    python = home / "bin" / "python"
    install(python, *packages)
    return python


def install(python: Path, *packages: str | Path) -> None:
    """Install into an environment, in place of other versions."""
    if packages:
        command = [sys.executable, "-m", "uv", "pip", "install", "-q", "--python", python, *packages]
        subprocess.run(command, check=True)


@dataclass(frozen=True)
class Captured:
    """A project as captured: nobody changes it."""

    place: Path
    lock: Lock
    body: bytes

    @property
    def root(self) -> Path:
        """The project."""
        return self.place.parent


@dataclass(frozen=True)
class Run:
    """What a run gets otherwise than `repro verify` gives it."""

    env: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None


@dataclass(frozen=True)
class Altered:
    """An engine, such as a cluster's, that runs images with more variables, or as another user."""

    engine: Engine
    run_with: Run

    def info(self) -> EngineInfo:
        return self.engine.info()

    def image(self, reference: str) -> ImageInfo | None:
        return self.engine.image(reference)

    def images_with_label(self, label: str) -> list[ImageInfo]:
        return self.engine.images_with_label(label)

    def read_files(self, image: str, path: PurePosixPath) -> dict[str, bytes]:
        return self.engine.read_files(image, path)

    def run(self, spec: RunSpec, on_output: Callable[[str], None] | None = None) -> RunOutcome:
        changed = replace(spec, env={**spec.env, **self.run_with.env}, user=self.run_with.user or spec.user)
        return self.engine.run(changed, on_output)


@dataclass
class Workshop:
    """Makes projects below one folder; equal ones are captured once."""

    folder: Path
    engine: Engine
    count: int = 0
    captures: dict[object, Captured] = field(default_factory=dict)
    layouts: dict[Path, Path] = field(default_factory=dict)

    def new(self, kind: str) -> Path:
        """A new place."""
        self.count += 1
        return self.folder / f"{kind}-{self.count}"

    def project(self, python: Path, files: Mapping[str, str | bytes], *, place: Path | None = None) -> Path:
        """A project on disk, with a shared environment."""
        root = place or self.new("project")
        for path, content in {"repro.toml": SETTINGS, **files}.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode())
        (root / ".venv").symlink_to(python.parent.parent)
        return root

    def capture(self, root: Path, subject: str, *, laptop: Mapping[str, str], rerun: bool = True) -> Captured:
        """Capture a project's subject on a laptop with more variables."""
        with variables(laptop):
            capture(CaptureRequest(root / subject, rerun=rerun), Silent())
        return _loaded(root / "repro.lock")

    def cloned(self, captured: Captured) -> Captured:
        """The project in another folder, as a colleague has it: without what its runs left."""
        root = self.new("clone")
        shutil.copytree(captured.root, root, ignore=shutil.ignore_patterns(".repro", ".venv"))
        return Captured(root / captured.place.name, captured.lock, captured.body)

    def edited(self, captured: Captured, edit: Edit) -> Captured:
        """The project with another lock, as a bad merge leaves it: its predictions are gone."""
        self.count += 1
        place = captured.root / f"edited-{self.count}.lock"
        place.write_bytes(render_lock(replace(edit(captured.lock), predicted=())))
        return _loaded(place)

    def image(self, captured: Captured) -> Path:
        """The layout of its image, which is built once."""
        if captured.place not in self.layouts:
            self.layouts[captured.place] = self.build(captured)
        return self.layouts[captured.place]

    def retouched(self, captured: Captured, retouch: "Retouch") -> Path:
        """A layout of its image after somebody changed it."""
        target = self.new("retouched")
        layers = len(captured.lock.predicted[0].layers)
        retouch.apply(self.image(captured), target, layers)
        return target

    def build(self, captured: Captured, **options: Any) -> Path:
        """Build its image, in a layout of its own."""
        layout = self.new("image")
        request = BuildRequest(captured.place, tags=("fault:1",), outputs=(Output("layout", layout),), **options)
        with variables({}):
            build(request, _sources(), Silent())
        return layout

    def verify(
        self,
        captured: Captured,
        image: Path | str,
        *,
        run: Run | None = None,
        memory: int | None = None,
        data: Path | None = None,
    ) -> Verdict:
        """What `repro verify` says of an image: of a layout's, or of another place's."""
        return verify(
            f"oci:{image}" if isinstance(image, Path) else image,
            lock=(captured.lock, captured.body),
            engine=self.engine if run is None else Altered(self.engine, run),
            timeout=None,
            memory=memory,
            project=captured.root,
            progress=Silent(),
            data=data,
        )


def _loaded(place: Path) -> Captured:
    return Captured(place, *load_lock(place))


def _sources() -> Sources:
    sessions = per_thread(session)
    return Sources(sessions=sessions, registry=lambda: Registry(session), base=None)


@dataclass(frozen=True)
class Retouch:
    """What somebody does to a finished image.

    Attributes:
        files: Absolute path → content, in a layer of its own.
        below: Whether that layer goes below those of the build.
        config: Changes the configuration.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    below: bool = False
    config: Callable[[Config], None] = lambda _: None

    def apply(self, layout: Path, target: Path, layers: int) -> None:
        """A copy of a layout with its one image changed; `layers` is how many the build put on its base."""
        shutil.copytree(layout, target, copy_function=os.link)
        index = json.loads((target / "index.json").read_bytes())
        manifest = json.loads(_blob(target, index["manifests"][0]["digest"]))
        config = json.loads(_blob(target, manifest["config"]["digest"]))
        if self.files:
            layer = _layer(self.files)
            place = len(manifest["layers"]) - (layers if self.below else 0)
            described = {"mediaType": "application/vnd.oci.image.layer.v1.tar", **_add(target, layer)}
            manifest["layers"].insert(place, described)
            config["rootfs"]["diff_ids"].insert(place, str(Digest.of(layer)))
            config.pop("history", None)
        self.config(config["config"])
        manifest["config"].update(_add(target, json.dumps(config).encode()))
        index["manifests"][0].update(_add(target, json.dumps(manifest).encode()))
        (target / "index.json").unlink()
        (target / "index.json").write_text(json.dumps(index), encoding="ascii")


def _blob(layout: Path, digest: str) -> bytes:
    return (layout / "blobs" / "sha256" / digest.partition(":")[2]).read_bytes()


def _add(layout: Path, data: bytes) -> dict[str, object]:
    digest = Digest.of(data)
    place = layout / "blobs" / "sha256" / digest.hex
    if not place.exists():
        place.write_bytes(data)
    return {"digest": str(digest), "size": len(data)}


def _layer(files: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path, data in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def notebook(*cells: str, counts: tuple[int | None, ...] = (), outputs: Mapping[int, str] | None = None) -> bytes:
    """A notebook; with execution counts and printed outputs as a person left them."""
    made = []
    for number, source in enumerate(cells):
        cell = nbformat.v4.new_code_cell(source)
        cell.execution_count = counts[number] if counts else None
        text = (outputs or {}).get(number + 1)
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)] if text else []
        cell.id = f"cell-{number}"
        made.append(cell)
    whole = nbformat.v4.new_notebook(cells=made)
    whole.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    text = nbformat.writes(whole)
    return str(text).encode()


def wheel(folder: Path, name: str, version: str, module: str, *requires: str) -> Path:
    """A wheel with one module (binary distribution format, PyPA)."""
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    files = {
        f"{name}.py": module,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},{_recorded(text.encode())}\n" for path, text in files.items())
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(place, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(path, text)
    return place


def _recorded(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"sha256={digest},{len(data)}"
