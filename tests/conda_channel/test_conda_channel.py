"""The channel and the environments made from it are what conda's are: other tests stand on that."""

import base64
import csv
import hashlib
import importlib.util
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests
from rattler.exceptions import InstallerError

from tests.conda_channel import demo
from tests.conda_channel.archives import Format, write_package
from tests.conda_channel.channel import without_sha256
from tests.conda_channel.compiled import SITE_PACKAGES
from tests.conda_channel.environments import installed_records, make_environment, pip_install
from tests.conda_channel.package import PLACEHOLDER, CondaPackage
from tests.conda_channel.server import ChannelServer, serving
from tests.conda_channel.shared import Channels
from tests.conda_channel.styles import rewrite_as_conda, rewrite_as_mamba


def run(prefix: Path, code: str) -> str:
    done = subprocess.run([prefix / "bin/python", "-B", "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def sha256(path: Path) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest())
    return "sha256=" + digest.rstrip(b"=").decode()


def test_the_environments_python_runs_what_data_scientists_run(conda_environment: Path) -> None:
    code = "import sys, numpy, sklearn.linear_model, pandas, ipykernel, ssl, sqlite3; print(sys.prefix, numpy.__file__)"
    prefix, numpy = run(conda_environment, code).split()
    assert Path(prefix) == conda_environment
    assert Path(numpy).is_relative_to(conda_environment)


def test_every_record_can_be_read_and_names_its_url_and_hashes(
    conda_environment: Path, conda_server: ChannelServer
) -> None:
    found = installed_records(conda_environment)
    assert {"python", "numpy", "scikit-learn", "libblas", "libdemo", "ipykernel", "pip"} <= found.keys()
    assert all(record.url.startswith(conda_server.url()) and record.sha256 and record.md5 for record in found.values())
    assert str(found["libblas"].build).endswith("_openblas")
    asked = {name for name, record in found.items() if record.requested_spec != "None"}
    assert asked == {"ipykernel", "pandas", "pip", "python", "scikit-learn"}


def test_all_listed_files_are_there_and_nothing_else_is(conda_environment: Path) -> None:
    listed = {str(path) for record in installed_records(conda_environment).values() for path in record.files}
    present = {str(path.relative_to(conda_environment)) for path in conda_environment.rglob("*") if not path.is_dir()}
    assert {path for path in present - listed if not path.startswith("conda-meta/")} <= {"CACHEDIR.TAG"}
    assert listed <= present


def test_the_prefix_is_in_texts_and_binaries_and_no_placeholder_is_left(conda_environment: Path) -> None:
    binary = (conda_environment / "lib/libdemo.bin").read_bytes()
    assert PLACEHOLDER.encode() not in binary
    assert binary.count(bytes(conda_environment)) == 2
    assert (conda_environment / "lib/libdemo.bin.1").is_symlink()
    shown = subprocess.run([conda_environment / "bin/libdemo-show"], check=True, capture_output=True, text=True)
    assert shown.stdout == "data of libdemo\n"
    built = "import sysconfig; print(sysconfig.get_config_var('prefix'))"
    assert run(conda_environment, built) == str(conda_environment)


def test_packages_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    packages: list[tuple[CondaPackage, Format]] = [(demo.libdemo(), ".conda"), (demo.old_format(), ".tar.bz2")]
    for package, form in packages:
        one, two = (write_package(tmp_path / name, package, form) for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_an_environment_of_small_packages_is_its_own(conda_channel: Channels, tmp_path: Path) -> None:
    specs = ["python", "pip", "postlinked", "clash-one", "clash-two", "bz2demo", "ourlib"]
    prefix = tmp_path / "mixed"
    channels = [conda_channel.url, conda_channel.private.as_uri()]
    make_environment(channels, specs, prefix, conda_channel.cache, copy=True)
    assert run(prefix, "import ourlib; print(ourlib.answer())") == "42"
    assert (prefix / "lib/libdemo.bin").stat().st_nlink == 1
    assert (prefix / "conda-meta/history").read_text().endswith(f"# update specs: {specs!r}\n")
    assert not (prefix / "postlinked-was-here").exists()
    pip_install(prefix, "--no-deps", "six==1.17.0")
    assert run(prefix, "import six; print(six.__version__)") == "1.17.0"


def test_another_blas_is_another_build(conda_channel: Channels, tmp_path: Path) -> None:
    records = make_environment(
        conda_channel.url, ["libblas * *mkl", "liblapack"], tmp_path / "mkl", conda_channel.cache
    )
    assert {record.name.normalized for record in records} == {"libblas", "liblapack", "mkl"}


def test_an_environment_of_a_mac(conda_channel: Channels, tmp_path: Path) -> None:
    specs = ["scikit-learn", "metaldemo", "unevendemo"]
    make_environment(conda_channel.url, specs, tmp_path / "mac", conda_channel.cache, subdir="osx-arm64")
    found = installed_records(tmp_path / "mac")
    assert {found[name].subdir for name in ("python", "numpy", "libcxx", "metaldemo")} == {"osx-arm64"}
    assert str(found["unevendemo"].version) == "2.1"


def test_a_token_is_needed_where_one_is_asked_for(conda_channel: Channels, tmp_path: Path) -> None:
    with serving(conda_channel.folder, token="tk-1234") as server:
        make_environment(server.url(), ["libdemo"], tmp_path / "env", tmp_path / "cache")
        assert "/t/tk-1234/main/" in installed_records(tmp_path / "env")["libdemo"].url
        assert requests.get(f"{server.address}/main/noarch/repodata.json", timeout=60).status_code == 403


def test_a_password_is_needed_where_one_is_asked_for(conda_channel: Channels) -> None:
    with serving(conda_channel.folder, login=("ann", "secret")) as server:
        url = f"{server.url()}/noarch/repodata.json"
        assert requests.get(url, timeout=60).status_code == 401
        assert "pip" in requests.get(url, auth=("ann", "secret"), timeout=60).text


def test_a_package_can_get_lost(conda_channel: Channels, tmp_path: Path) -> None:
    with serving(conda_channel.folder) as server:
        name = next(conda_channel.main.glob("linux-64/libdemo-*.conda")).name
        server.lost.add(name)
        with pytest.raises(InstallerError, match="404"):
            make_environment(server.url(), ["libdemo"], tmp_path / "env", tmp_path / "cache")
        assert f"GET /main/linux-64/{name}" in server.requests


def test_an_index_may_have_md5_only(conda_channel: Channels, tmp_path: Path) -> None:
    without_sha256(conda_channel.main, tmp_path / "old")
    make_environment((tmp_path / "old").as_uri(), ["libdemo"], tmp_path / "env", tmp_path / "cache")
    [record] = installed_records(tmp_path / "env").values()
    assert (record.sha256, len(record.md5 or b"")) == (None, 16)


def entries(prefix: Path, name: str) -> dict[str, Any]:
    [path] = prefix.glob(f"conda-meta/{name}-*.json")
    record = json.loads(path.read_bytes())
    assert len(record["files"]) == len(record["paths_data"]["paths"])
    return {"channel": record["channel"], **{entry["_path"]: entry for entry in record["paths_data"]["paths"]}}


def test_each_tool_writes_records_in_its_own_way(conda_channel: Channels, tmp_path: Path) -> None:
    prefixes = {name: tmp_path / name for name in ("pixi", "conda", "mamba")}
    for prefix in prefixes.values():
        make_environment(conda_channel.url, ["python", "pip"], prefix, conda_channel.cache)
    rewrite_as_conda(prefixes["conda"])
    rewrite_as_mamba(prefixes["mamba"])
    pip = {name: entries(prefix, "pip") for name, prefix in prefixes.items()}
    module = f"{SITE_PACKAGES}/pip/__init__.py"
    compiled = importlib.util.cache_from_source(module)
    assert {name: module in found for name, found in pip.items()} == {"pixi": True, "conda": False, "mamba": True}
    assert {name: compiled in found for name, found in pip.items()} == {"pixi": False, "conda": True, "mamba": True}
    assert "site-packages/pip/__init__.py" in pip["conda"]
    assert (
        pip["conda"]["bin/pip"]
        == pip["mamba"]["bin/pip"]
        == {"_path": "bin/pip", "path_type": "unix_python_entry_point"}
    )
    assert [found["channel"].removeprefix(conda_channel.url) for found in pip.values()] == ["/", "/noarch", "main"]
    text = {name: entries(prefix, "libdemo")["etc/libdemo.conf"] for name, prefix in prefixes.items()}
    content = (prefixes["conda"] / "etc/libdemo.conf").read_bytes()
    assert text["conda"]["sha256_in_prefix"] == hashlib.sha256(content).hexdigest()
    assert text["conda"]["size_in_bytes"] > text["pixi"]["size_in_bytes"]
    for prefix in prefixes.values():
        assert installed_records(prefix)["pip"].files


def test_wheels_records_name_every_file_and_its_hash(conda_environment: Path) -> None:
    for name in ("numpy", "pip"):
        [record] = conda_environment.glob(f"lib/python3.*/site-packages/{name}-*.dist-info/RECORD")
        rows = list(csv.reader(record.read_text().splitlines()))
        hashed = {place: digest for place, digest, _ in rows if digest and not place.startswith("../")}
        assert len(hashed) > 300
        assert [place for place, digest in hashed.items() if digest != sha256(record.parents[1] / place)] == []
