"""The record of a linked package says what conda's readers want to know, and nothing of the machine that linked it."""

import json
import tarfile
from pathlib import Path
from typing import Any

from repro.conda.link import link_entries
from repro.digest import Digest
from tests.conda.forged_packages import PLACEHOLDER, Forged, Item, entry, with_prefix
from tests.conda.test_link import PREFIX, SITE, lock

TEXT = Item("etc/demo.conf", PLACEHOLDER.encode() + b"\n")
LINK = Item("etc/link", kind=tarfile.SYMTYPE, target="demo.conf")
FOLDER = Item("var/empty", kind=tarfile.DIRTYPE)
FORGED = Forged(
    (TEXT, LINK, FOLDER, Item("lib/__pycache__/x.pyc")),
    (with_prefix(TEXT), entry(LINK), entry(FOLDER, sha256=None), entry(Item("lib/__pycache__/x.pyc"))),
    index={"constrains": ["other >1"], "license": "MIT", "timestamp": 1, "depends": ["stale"]},
)


def record(forged: Forged, folder: Path, **changes: Any) -> tuple[dict[str, Any], bytes]:
    path = forged.write(folder)
    package = lock(path, **{"depends": ("python",), **changes})
    entries = link_entries(path, package, prefix=PREFIX, site_packages=SITE, patched={})
    found = next(one for one in entries if one.path == "opt/env/conda-meta/demo-1.0-h0_0.json")
    assert found.body is not None
    data = b"".join(found.body.plain())
    return json.loads(data), data


def test_a_record_has_what_the_lock_and_the_package_say(tmp_path: Path) -> None:
    document, _ = record(FORGED, tmp_path, md5="0" * 32, requested=True)
    archive = tmp_path / "demo-1.0-h0_0.conda"
    paths = document.pop("paths_data")
    assert document == {
        "name": "demo",
        "version": "1.0",
        "build": "h0_0",
        "build_number": 0,
        "channel": "conda-forge",
        "subdir": "linux-64",
        "fn": archive.name,
        "url": f"https://conda.anaconda.org/conda-forge/linux-64/{archive.name}",
        "md5": "0" * 32,
        "sha256": Digest.of_file(archive).hex,
        "size": archive.stat().st_size,
        "depends": ["python"],
        "constrains": ["other >1"],
        "license": "MIT",
        "timestamp": 1,
        "requested_spec": "demo",
        "requested_specs": ["demo"],
        "files": ["etc/demo.conf", "etc/link", "var/empty"],
    }
    assert paths == {
        "paths_version": 1,
        "paths": [
            {
                "_path": "etc/demo.conf",
                "path_type": "hardlink",
                "sha256": Digest.of(TEXT.data).hex,
                "sha256_in_prefix": Digest.of(b"/opt/env\n").hex,
                "size_in_bytes": 9,
                "file_mode": "text",
                "prefix_placeholder": PLACEHOLDER,
            },
            {
                "_path": "etc/link",
                "path_type": "softlink",
                "sha256": Digest.of(b"").hex,
                "sha256_in_prefix": Digest.of(b"demo.conf").hex,
                "size_in_bytes": 9,
            },
            {"_path": "var/empty", "path_type": "directory"},
        ],
    }


def test_a_package_that_nobody_published_has_a_url_that_leads_nowhere(tmp_path: Path) -> None:
    document, _ = record(FORGED, tmp_path, url=None)
    assert document["url"] == "file:///linux-64/demo-1.0-h0_0.conda"
    assert "requested_spec" not in document


def test_the_text_is_the_same_again(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert record(FORGED, tmp_path)[1] == record(FORGED, tmp_path / "other")[1]
