"""A conda environment of files that are only described: records with hashes, what pip adds, and an interpreter."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from repro.capture.conda.installed import with_conda
from repro.capture.model import Distribution, Interpreter
from repro.progress import Progress, Silent, Task

SITE = "lib/python3.11/site-packages"


class Laptop:
    """An environment; `python` is in it from the start."""

    def __init__(self, home: Path) -> None:
        self.prefix = home / "envs" / "work"
        self.site = self.prefix / SITE
        self.distributions: list[Distribution] = []
        self.install("python", {"bin/python3.11": b"\x7fELF\0", "lib/python3.11/os.py": "", f"{SITE}/README.txt": "hi"})
        (self.prefix / "bin/python").symlink_to("python3.11")

    def install(self, name: str, files: Mapping[str, str | bytes], version: str = "3.11.7", /, **more: Any) -> Path:
        """Files by their paths below the prefix, and the record of the package that brought them."""
        rows = [self._write(path, content) for path, content in files.items()]
        record = {
            "name": name,
            "version": version,
            "build": "h0_0",
            "subdir": "linux-64",
            "fn": f"{name}-{version}-h0_0.conda",
            "url": f"https://conda.anaconda.org/conda-forge/linux-64/{name}-{version}-h0_0.conda",
            "channel": "https://conda.anaconda.org/conda-forge/linux-64",
            "depends": [],
            "sha256": hashlib.sha256(name.encode()).hexdigest(),
            "md5": hashlib.md5(name.encode()).hexdigest(),
            "size": 1000,
            "files": list(files),
            "paths_data": {"paths_version": 1, "paths": rows},
            **more,
        }
        path = self.prefix / "conda-meta" / f"{name}-{version}-h0_0.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(record), encoding="utf-8")
        return path

    def install_python(self, name: str, version: str, files: Mapping[str, str], installer: str = "conda") -> None:
        """A conda package with a distribution in it."""
        brought = {**files, **self._metadata(name, version, files, installer)}
        self.install(name, {f"{SITE}/{path}": content for path, content in brought.items()}, version)
        self._add(name, version, installer)

    def pip(self, name: str, version: str, files: Mapping[str, str]) -> None:
        """A distribution that pip put on top; what it had before is removed as pip does."""
        for old in [one for one in self.distributions if one.name == name]:
            for line in (old.metadata / "RECORD").read_text().splitlines():
                (self.site / line.partition(",")[0]).unlink(missing_ok=True)
            self.distributions.remove(old)
        for path, content in {**files, **self._metadata(name, version, files, "pip")}.items():
            self._write(f"{SITE}/{path}", content)
        self._add(name, version, "pip")

    def interpreter(self, progress: Progress | None = None) -> Interpreter:
        """As capture sees it."""
        return with_conda(self.seen(), progress or Silent())

    def seen(self) -> Interpreter:
        """As the probe sees it."""
        return Interpreter(
            executable=self.prefix / "bin/python",
            base_executable=self.prefix / "bin/python",
            prefix=self.prefix,
            base_prefix=self.prefix,
            implementation="cpython",
            version="3.11.7",
            system="Linux",
            machine="x86_64",
            platform="linux-x86_64",
            soabi="cpython-311-x86_64-linux-gnu",
            glibc="2.36",
            paths={
                "purelib": str(self.site),
                "platlib": str(self.site),
                "stdlib": str(self.prefix / "lib/python3.11"),
            },
            sys_path=(str(self.prefix / "lib/python3.11"), str(self.site)),
            distributions=tuple(sorted(self.distributions, key=lambda one: one.name)),
        )

    def edit(self, path: str, content: str | bytes) -> None:
        """Change a file after everything was installed."""
        self._write(path, content)
        later = (self.prefix / "conda-meta").stat().st_mtime_ns + 10**9
        os.utime(self.prefix / path, ns=(later, later))

    def _add(self, name: str, version: str, installer: str) -> None:
        metadata = self.site / f"{name}-{version}.dist-info"
        self.distributions.append(Distribution(name, version, self.site, metadata, installer=installer))

    def _metadata(self, name: str, version: str, files: Mapping[str, str], installer: str) -> dict[str, str]:
        info = f"{name}-{version}.dist-info"
        head = {
            f"{info}/METADATA": f"Name: {name}\nVersion: {version}\n",
            f"{info}/INSTALLER": installer,
        }
        lines = [f"{path},," for path in [*files, *head, f"{info}/RECORD"]]
        return {**head, f"{info}/RECORD": f"{os.linesep.join(lines)}{'' if installer == 'conda' else os.linesep}"}

    def _write(self, path: str, content: str | bytes) -> dict[str, object]:
        data = content.encode() if isinstance(content, str) else content
        file = self.prefix / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        return {
            "_path": path,
            "path_type": "hardlink",
            "sha256": digest,
            "sha256_in_prefix": digest,
            "size_in_bytes": len(data),
        }


class Told(Silent):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def warn(self, text: str) -> None:
        self.lines.append(text)

    def note(self, text: str) -> None:
        self.lines.append(text)

    def start(self, title: str, total: float | None = None, unit: str = "items") -> Task:
        self.lines.append(title)
        return super().start(title, total, unit)
