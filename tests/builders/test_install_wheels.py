"""What is installed in the image, tried out in this Python."""

import json
import sys
import zipfile
from pathlib import Path

import pytest
from repro_docker import install_wheels
from repro_docker.install_wheels import Claims, PlanError, install_wheel

from repro.digest import Digest

ENVIRONMENT = "/opt/env"
MINOR = f"python{sys.version_info.major}.{sys.version_info.minor}"
SITE = f"opt/env/lib/{MINOR}/site-packages"


def wheel(folder: Path, files: dict[str, str], *, name: str = "demo", modes: dict[str, int] | None = None) -> Path:
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    everything = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},,\n" for file in [*everything, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {**everything, f"{info}/RECORD": record}.items():
            item = zipfile.ZipInfo(file)
            item.external_attr = (modes or {}).get(file, 0o100600) << 16
            archive.writestr(item, text)
    return path


def installed(path: Path, root: Path, prefix: str = ENVIRONMENT, claims: Claims | None = None) -> dict[str, Path]:
    install_wheel(path, root, prefix, ENVIRONMENT, claims or Claims(ENVIRONMENT))
    return {str(file.relative_to(root)): file for file in root.rglob("*") if file.is_file()}


def test_every_kind_of_file_goes_where_pip_puts_it(tmp_path: Path) -> None:
    path = wheel(
        tmp_path,
        {
            "demo/__init__.py": "",
            "demo/__pycache__/__init__.cpython-311.pyc": "stale",
            "demo-1.0.data/scripts/run": "#!python\nprint(1)\n",
            "demo-1.0.data/data/share/demo.txt": "data",
            "demo-1.0.data/headers/demo.h": "int x;",
            "demo-1.0.data/platlib/_demo.so": "binary",
            "demo-1.0.dist-info/entry_points.txt": "[console_scripts]\ndemo = demo:main\n",
        },
        modes={"demo-1.0.data/scripts/run": 0o100775, "demo/__init__.py": 0o100666},
    )
    files = installed(path, tmp_path / "root")
    assert set(files) == {
        "opt/env/bin/demo",
        "opt/env/bin/run",
        "opt/env/share/demo.txt",
        f"opt/env/include/site/{MINOR}/demo/demo.h",
        f"{SITE}/_demo.so",
        f"{SITE}/demo/__init__.py",
        *(
            f"{SITE}/demo-1.0.dist-info/{name}"
            for name in ("METADATA", "WHEEL", "RECORD", "INSTALLER", "entry_points.txt")
        ),
    }
    assert files["opt/env/bin/run"].read_text() == "#!/opt/env/bin/python\nprint(1)\n"
    assert files["opt/env/bin/demo"].read_text().startswith("#!/opt/env/bin/python\n")
    modes = {name: file.stat().st_mode & 0o777 for name, file in files.items()}
    assert {name for name, mode in modes.items() if mode == 0o755} == {"opt/env/bin/demo", "opt/env/bin/run"}
    assert set(modes.values()) == {0o755, 0o644}
    assert files[f"{SITE}/demo-1.0.dist-info/INSTALLER"].read_text() == "repro\n"
    record = files[f"{SITE}/demo-1.0.dist-info/RECORD"].read_text()
    assert "../../../bin/demo,sha256=" in record
    assert "__pycache__" not in record


def test_a_plain_directory_takes_libraries_only(tmp_path: Path) -> None:
    path = wheel(
        tmp_path,
        {
            "demo.py": "",
            "demo-1.0.data/scripts/run": "#!python\n",
            "demo-1.0.data/data/x": "",
            "demo-1.0.dist-info/entry_points.txt": "[console_scripts]\ndemo = demo:main\n",
        },
    )
    files = installed(path, tmp_path / "root", "/opt/repro/site-packages")
    assert {name.removeprefix("opt/repro/site-packages/").partition("/")[0] for name in files} == {
        "demo.py",
        "demo-1.0.dist-info",
    }
    record = files["opt/repro/site-packages/demo-1.0.dist-info/RECORD"].read_text()
    assert "run" not in record
    assert "bin/" not in record


@pytest.mark.parametrize(
    "name",
    [
        "../../../../../../evil.py",
        "demo/../../../../../../../evil",
        "/evil",
        "demo-1.0.data/data/../../evil",
        "demo-1.0.data/scripts/../../../evil",
    ],
)
def test_a_wheel_can_not_write_outside(tmp_path: Path, name: str) -> None:
    path = wheel(tmp_path, {name: "evil"})
    with pytest.raises(PlanError, match=r"demo-1\.0-py3-none-any\.whl can't be installed"):
        installed(path, tmp_path / "root")
    assert not list(tmp_path.rglob("evil*"))


def test_an_entry_point_can_not_write_outside(tmp_path: Path) -> None:
    path = wheel(tmp_path, {"demo-1.0.dist-info/entry_points.txt": "[console_scripts]\n../../../evil = demo:main\n"})
    with pytest.raises(PlanError):
        installed(path, tmp_path / "root")


def test_links_are_refused(tmp_path: Path) -> None:
    path = wheel(tmp_path, {"demo/link": "/etc/passwd"}, modes={"demo/link": 0o120777})
    with pytest.raises(PlanError, match="symbolic links: demo/link"):
        installed(path, tmp_path / "root")


def test_two_wheels_may_share_equal_files_only(tmp_path: Path) -> None:
    claims = Claims(ENVIRONMENT)
    for name, text in (("one", "same"), ("two", "same")):
        installed(wheel(tmp_path, {"shared/__init__.py": text}, name=name), tmp_path / name, claims=claims)
    claims.check()
    installed(wheel(tmp_path, {"shared/__init__.py": "other"}, name="three"), tmp_path / "three", claims=claims)
    with pytest.raises(PlanError, match=rf"/{SITE}/shared/__init__\.py comes from one-1\.0.* from three-1\.0"):
        claims.check()


@pytest.mark.parametrize("name", ["scripts/python", "data/pyvenv.cfg", f"scripts/{MINOR}"])
def test_the_environment_itself_can_not_be_replaced(tmp_path: Path, name: str) -> None:
    claims = Claims(ENVIRONMENT)
    installed(wheel(tmp_path, {f"demo-1.0.data/{name}": "#!python"}), tmp_path / "root", claims=claims)
    with pytest.raises(PlanError, match="comes from the environment"):
        claims.check()


@pytest.mark.parametrize("content", [b"not a zip", b""])
def test_what_is_no_wheel_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    path.write_bytes(content)
    with pytest.raises(PlanError, match=r"demo-1\.0-py3-none-any\.whl can't be installed: File is not a zip file"):
        installed(path, tmp_path / "root")


def test_another_python_version_is_told_with_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = tmp_path / "install" / "plan.json"
    manifest.parent.mkdir()
    manifest.write_text(json.dumps({"python": "3.11.99", "environment": ENVIRONMENT, "installer": {}, "layers": []}))
    assert install_wheels.main(manifest) == 5
    said = capsys.readouterr().out
    assert said.startswith("repro: the plan wants Python 3.11.99, but ")
    assert f"is Python {sys.version.split()[0]}" in said


def test_a_wheel_with_another_digest_is_refused(tmp_path: Path) -> None:
    path = wheel(tmp_path, {"demo.py": ""})
    good = {"file": path.name, "sha256": Digest.of_file(path).hex}
    assert install_wheels.checked_wheel(tmp_path, good) == path
    with pytest.raises(PlanError, match="the plan says 0000"):
        install_wheels.checked_wheel(tmp_path, {**good, "sha256": "0" * 64})


@pytest.mark.parametrize("version", ["3.11.2", "3.11.2+"])
def test_a_patched_python_is_known_by_its_plain_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """Debian's 3.11.2+ and the like."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\necho \'["3.11.2+", "{tmp_path}"]\'\n')
    python.chmod(0o755)
    monkeypatch.setattr(install_wheels.platform, "python_version", lambda: "3.11.2+")
    install_wheels.check_python(version, str(tmp_path))
