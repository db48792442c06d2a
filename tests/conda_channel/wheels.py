"""Wheels as conda packages: compiled ones for one platform and Python, pure ones for all.

What conda-forge's builds leave behind is there: INSTALLER `conda`, REQUESTED, a direct_url.json that names a build
folder, and compiled Python in packages for one platform.
"""

import base64
import configparser
import hashlib
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.conda_channel.compiled import MINOR, SITE_PACKAGES, with_compiled
from tests.conda_channel.package import PLACEHOLDER, CondaPackage, Member, build_string

CONDA_NAMES = {
    "ipython-pygments-lexers": "ipython_pygments_lexers",
    "jupyter-client": "jupyter_client",
    "jupyter-core": "jupyter_core",
    "pure-eval": "pure_eval",
    "stack-data": "stack_data",
    "typing-extensions": "typing_extensions",
    "tzdata": "python-tzdata",
}
"""Projects whose packages on conda-forge have another name."""
_TESTED = {"joblib", "numpy", "pandas", "psutil", "scikit-learn", "scipy", "tornado"}
"""Projects whose tests are left out, for size."""
_TESTS = re.compile(r"/tests?/")
_KEPT_TESTS = re.compile(r"numpy/_core/tests/_natype\.py|numpy/_core/tests/__init__\.py")
_INSTALLED_FROM = "file:///home/conda/feedstock_root/build_artifacts/{}_1767225600/work"


class _Wheel:
    """A wheel's metadata and files, each by where it belongs."""

    def __init__(self, path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            self.files = {entry.filename: archive.read(entry) for entry in archive.infolist() if not entry.is_dir()}
        self.info = next(name.partition("/")[0] for name in self.files if name.endswith(".dist-info/WHEEL"))
        self.metadata = self._headers("METADATA")
        self.project = canonicalize_name(self.metadata["Name"])
        self.version = str(self.metadata["Version"])
        self.pure = self._headers("WHEEL")["Root-Is-Purelib"] == "true"
        self.scripts = self._entry_points()

    def _headers(self, name: str) -> Message:
        return HeaderParser().parsestr(self.files[f"{self.info}/{name}"].decode())

    def _entry_points(self) -> dict[str, str]:
        parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
        parser.optionxform = str  # type: ignore[assignment] # the case of names counts
        parser.read_string(self.files.get(f"{self.info}/entry_points.txt", b"").decode())
        found = [parser[section] for section in ("console_scripts", "gui_scripts") if parser.has_section(section)]
        return {name: value.partition("[")[0].strip() for section in found for name, value in section.items()}

    def placed(self, site_packages: str, scripts: str) -> Iterator[Member]:
        """All files but RECORD, at their places."""
        for name, data in self.files.items():
            left_out = self.project in _TESTED and _TESTS.search(name) and not _KEPT_TESTS.fullmatch(name)
            if not left_out and name != f"{self.info}/RECORD":
                place = self._place(name, site_packages, scripts)
                script = place.startswith(f"{scripts}/")
                yield Member(place, _own_python(data) if script else data, executable=script)

    def _place(self, name: str, site_packages: str, scripts: str) -> str:
        top, _, rest = name.partition("/")
        if not top.endswith(".data"):
            return f"{site_packages}/{name}"
        kind, _, below = rest.partition("/")
        headers = f"include/python{MINOR}/{self.project}/"
        roots = {"scripts": f"{scripts}/", "data": "", "headers": headers}
        return roots.get(kind, f"{site_packages}/") + below


def _own_python(data: bytes) -> bytes:
    """Scripts in wheels begin `#!python`, for the installer to replace."""
    return re.sub(rb"\A#!pythonw?(?=\s)", f"#!{PLACEHOLDER}/bin/python".encode(), data)


def convert_wheel(path: Path, depends: Sequence[str] = ()) -> CondaPackage:
    """The wheel as a package, with further dependencies."""
    wheel = _Wheel(path)
    return _pure(wheel, depends) if wheel.pure else _compiled(wheel, depends)


def conda_name(project: str) -> str:
    """The package's name on conda-forge of a project on PyPI."""
    return CONDA_NAMES.get(canonicalize_name(project), canonicalize_name(project))


def _pure(wheel: _Wheel, depends: Sequence[str]) -> CondaPackage:
    members = [*wheel.placed("site-packages", "python-scripts"), *_notes(wheel, "site-packages")]
    members.append(_record(wheel, "site-packages", members))
    python = str(SpecifierSet(wheel.metadata["Requires-Python"] or ">=3.8"))
    return CondaPackage(
        conda_name(wheel.project),
        wheel.version,
        "pyhd8ed1ab_0",
        "noarch",
        depends=sorted([*depends, f"python {_conda_specifier(python)}", *_depends(wheel)]),
        noarch="python",
        entry_points=[f"{name} = {value}" for name, value in wheel.scripts.items()],
        members=members,
    )


def _compiled(wheel: _Wheel, depends: Sequence[str]) -> CondaPackage:
    members = [*wheel.placed(SITE_PACKAGES, "bin"), *_notes(wheel, SITE_PACKAGES)]
    members = with_compiled([*members, *(_launcher(name, value) for name, value in wheel.scripts.items())])
    members.append(_record(wheel, SITE_PACKAGES, members))
    tag = f"py{MINOR.replace('.', '')}"
    major, minor = MINOR.split(".")
    fixed = [
        "__glibc >=2.28,<3.0.a0",
        f"python >={MINOR},<{major}.{int(minor) + 1}.0a0",
        f"python_abi {MINOR}.* *_cp{tag.removeprefix('py')}",
    ]
    return CondaPackage(
        conda_name(wheel.project),
        wheel.version,
        build_string(tag, {"project": wheel.project, "python": MINOR, "target_platform": "linux-64"}),
        "linux-64",
        depends=sorted([*depends, *fixed, *_depends(wheel)]),
        members=members,
    )


def _depends(wheel: _Wheel) -> Iterator[str]:
    for text in wheel.metadata.get_all("Requires-Dist", []):
        wanted = Requirement(text)
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            yield f"{conda_name(wanted.name)} {_conda_specifier(str(wanted.specifier))}".strip()


def _conda_specifier(specifier: str) -> str:
    """`==1.*` is `1.*` in conda's match specs; the rest is the same."""
    return ",".join(sorted(re.sub(r"^==(.*\.\*)$", r"\1", part) for part in specifier.split(",")))


def _launcher(name: str, value: str) -> Member:
    """A console script as pip writes it while a package is built."""
    module, _, function = value.partition(":")
    lines = [
        f"#!{PLACEHOLDER}/bin/python{MINOR}",
        "import sys",
        f"from {module} import {function.partition('.')[0]}",
        "if __name__ == '__main__':",
        "    sys.argv[0] = sys.argv[0].removesuffix('.exe')",
        f"    sys.exit({function}())",
    ]
    return Member(f"bin/{name}", ("\n".join(lines) + "\n").encode(), executable=True)


def _notes(wheel: _Wheel, site_packages: str) -> Iterator[Member]:
    """What pip notes when conda-build runs it on a source tree."""
    origin = {"dir_info": {}, "url": _INSTALLED_FROM.format(wheel.project)}
    texts: Mapping[str, str] = {"INSTALLER": "conda", "REQUESTED": "", "direct_url.json": json.dumps(origin)}
    for name, text in texts.items():
        yield Member(f"{site_packages}/{wheel.info}/{name}", text.encode())


def _record(wheel: _Wheel, site_packages: str, members: Sequence[Member]) -> Member:
    up = "../" * (site_packages.count("/") + 1)
    rows = [f"{wheel.info}/RECORD,,"]
    for member in members:
        inside = member.path.startswith(f"{site_packages}/")
        place = member.path.removeprefix(f"{site_packages}/") if inside else f"{up}{member.path}"
        rows.append(f"{place},," if place.endswith(".pyc") else f"{place},{_hash(member.data)},{len(member.data)}")
    return Member(f"{site_packages}/{wheel.info}/RECORD", ("\n".join(sorted(rows)) + "\n").encode())


def _hash(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
