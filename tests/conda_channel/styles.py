"""The records of one environment as other tools than rattler write them.

conda, mamba and rattler (pixi) agree on conda-meta's fields but not on what stands in them: paths of noarch Python
packages, channels, what was asked for. conda and mamba also compile these packages, and record that.
"""

import importlib.util
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.conda_channel.compiled import SITE_PACKAGES


def rewrite_as_conda(prefix: Path) -> None:
    """As conda writes records, since 4.4."""
    compiled = _compile(prefix)
    for path in _records(prefix):
        record = json.loads(path.read_bytes())
        package = _package_paths(record)
        made = _made(record, compiled)
        paths = [{**entry, **_conda_hash(entry, _by_path(record))} for entry in package]
        channel = record["url"].rpartition("/")[0]
        further = {"features": "", "track_features": record.get("track_features", ""), "constrains": []}
        if record.get("noarch"):
            further["package_type"] = f"noarch_{record['noarch']}"
        asked = record["requested_specs"]
        requested = {"requested_spec": asked[0], "requested_specs": asked} if asked else {"requested_spec": "None"}
        archive = {"package_tarball_full_path": f"{Path(record['extracted_package_dir']).parent / record['fn']}"}
        files = [*(_installed(entry["_path"]) for entry in package), *(entry["_path"] for entry in made)]
        _write(path, {**further, **record, "channel": channel, **requested, **archive}, files, [*paths, *made])


def rewrite_as_mamba(prefix: Path) -> None:
    """As mamba and micromamba 2 write records. The archive is said to be .tar.bz2 whatever it was."""
    compiled = _compile(prefix)
    for path in _records(prefix):
        record = json.loads(path.read_bytes())
        package, installed = _package_paths(record), _by_path(record)
        made = _made(record, compiled)
        paths = [_mamba_path(prefix, entry, installed) for entry in package]
        archive = {"package_tarball_full_path": f"{record['extracted_package_dir']}.tar.bz2"}
        named = {"channel": record["channel"].strip("/").rpartition("/")[2], "build_string": record["build"]}
        named["requested_spec"] = next(iter(record["requested_specs"]), "")
        files = [entry["_path"] for entry in [*paths, *made]]
        _write(path, {"arch": None, **record, **named, **archive}, files, [*paths, *made])


def _records(prefix: Path) -> list[Path]:
    return sorted((prefix / "conda-meta").glob("*.json"))


def _write(path: Path, record: Mapping[str, Any], files: list[str], paths: list[dict[str, Any]]) -> None:
    kept = {key: value for key, value in record.items() if key != "indexed_timestamp"}
    whole = {**kept, "files": files, "paths_data": {"paths": paths, "paths_version": 1}}
    path.write_text(json.dumps(whole, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _package_paths(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the package itself says of its files, before anything was replaced in them."""
    listed = Path(record["extracted_package_dir"]) / "info" / "paths.json"
    found: list[dict[str, Any]] = json.loads(listed.read_bytes())["paths"]
    return found


def _by_path(record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["_path"]: entry for entry in record["paths_data"]["paths"]}


def _installed(path: str) -> str:
    """Where a package's path is in the environment (CEP 17)."""
    top, _, rest = path.partition("/")
    return {"site-packages": f"{SITE_PACKAGES}/{rest}", "python-scripts": f"bin/{rest}"}.get(top, path)


def _conda_hash(entry: Mapping[str, Any], installed: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    if entry["path_type"] != "hardlink":
        return {}
    return {"sha256_in_prefix": installed[_installed(entry["_path"])].get("sha256_in_prefix", entry["sha256"])}


def _mamba_path(prefix: Path, entry: Mapping[str, Any], installed: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Without the placeholder, and with a hash of what a link leads to."""
    place = _installed(entry["_path"])
    target = (prefix / place).resolve().relative_to(prefix.resolve()) if entry["path_type"] == "softlink" else place
    hashed = installed.get(str(target), installed[place]).get("sha256_in_prefix", entry["sha256"])
    kept = {key: entry[key] for key in ("path_type", "sha256", "size_in_bytes")}
    return {"_path": place, "sha256_in_prefix": hashed, **kept}


def _made(record: Mapping[str, Any], compiled: Mapping[str, str]) -> list[dict[str, Any]]:
    """What isn't in a noarch Python package: its compiled files and its programs. No tool hashes them."""
    if record.get("noarch") != "python":
        return []
    caches = [{"_path": compiled[name], "path_type": "pyc_file"} for name in record["files"] if name in compiled]
    programs = [entry for entry in record["paths_data"]["paths"] if entry["path_type"] == "unix_python_entry_point"]
    return [*caches, *({"_path": entry["_path"], "path_type": entry["path_type"]} for entry in programs)]


def _compile(prefix: Path) -> dict[str, str]:
    """Compile what noarch Python packages brought, and return the compiled file of each source that compiles."""
    found = [json.loads(path.read_bytes()) for path in _records(prefix)]
    files = [name for record in found if record.get("noarch") == "python" for name in record["files"]]
    sources = [name for name in files if name.endswith(".py") and name.startswith(SITE_PACKAGES)]
    if not sources:
        return {}
    command = [str(prefix / "bin/python"), "-m", "compileall", "-q", "-i", "-"]
    listed = "".join(f"{prefix / source}\n" for source in sources)
    subprocess.run(command, input=listed, text=True, check=False, stdout=subprocess.DEVNULL)
    caches = {source: importlib.util.cache_from_source(source) for source in sources}
    return {source: cache for source, cache in caches.items() if (prefix / cache).exists()}
