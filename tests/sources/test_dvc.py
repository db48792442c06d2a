"""Files that DVC tracks get the place in its remote. Documents are as DVC 3.67 writes them; older ones lack `hash`."""

import hashlib
from pathlib import Path

import pytest

from repro.lock import LockedFile
from repro.sources import find_sources
from tests.sources.projects import SESSIONS, fetch, locked, plain, sources, statuses, written

CSV = b"a,b\r\n1,2\r\n"
MD5 = "b202f333fba4fd38d4b8e5e693077aab"
IMAGES = "a080a1c9aae0a805ea1322bf381d3bb7.dir"
LISTING = (
    '[{"md5": "5bbf5a52328e7439ae6e719dfe712200", "relpath": "1.txt"}, '
    '{"md5": "c193497a1a06b2c72230e6146ff47080", "relpath": "sub/2.txt"}]'
)
LOCK = """schema: '2.0'
stages:
  train@1:
    cmd: mkdir -p ../models && echo m > ../models/m.pkl
    outs:
    - path: ../models/m.pkl
      hash: md5
      md5: 69b64623f86def16ce17d454b8be41ae
      size: 2
  wd:
    cmd: echo w > w.bin
    outs:
    - path: w.bin
      hash: md5
      md5: b938b801a0bfbd5ca4825715039e7574
      size: 2
"""
PIPELINE = """stages:
  train:
    foreach: [1]
    do:
      cmd: mkdir -p ../models && echo m > ../models/m.pkl
      outs:
      - ../models/m.pkl
  wd:
    wdir: ../data
    cmd: echo w > w.bin
    outs:
    - w.bin
"""
VERSIONED = """outs:
- hash: md5
  path: images
  files:
  - relpath: sub/2.txt
    md5: c193497a1a06b2c72230e6146ff47080
    size: 4
    cloud:
      mine:
        etag: c193497a1a06b2c72230e6146ff47080
        version_id: 3c7cef39-cb53-4111-a715-3416eb16c61f
"""


def tracking(root: Path, config: str, **documents: str) -> None:
    """A DVC repository; names of documents have `_` for `/`, `-` for `.`."""
    (root / ".dvc").mkdir(exist_ok=True)
    (root / ".dvc" / "config").write_text(config)
    for name, text in documents.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def remote(url: str, *options: str) -> str:
    """As `dvc remote add -d storage` writes it."""
    lines = [f"url = {url}", *options]
    return "[core]\n    remote = storage\n['remote \"storage\"']\n" + "".join(f"    {line}\n" for line in lines)


def track_csv(root: Path, config: str, *, legacy: bool = False, extra: str = "") -> LockedFile:
    hash_line = "" if legacy else "  hash: md5\n"
    document = f"outs:\n- md5: {MD5}\n  size: 10\n{hash_line}  path: x.csv\n{extra}"
    tracking(root, config, **{"data__x.csv.dvc": document})
    return written(root, "data/x.csv", CSV)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (remote("s3://bucket/prefix"), f"s3://bucket/prefix/files/md5/{MD5[:2]}/{MD5[2:]}"),
        (remote("gs://bucket/"), f"gs://bucket/files/md5/{MD5[:2]}/{MD5[2:]}"),
        (remote("https://anna:pw@host/dvc"), f"https://host/dvc/files/md5/{MD5[:2]}/{MD5[2:]}"),
        (remote("../../store"), f"file:../store/files/md5/{MD5[:2]}/{MD5[2:]}"),
        (remote("/mnt/nas/dvc"), f"file:///mnt/nas/dvc/files/md5/{MD5[:2]}/{MD5[2:]}"),
        (
            remote("s3://bucket/p", "endpointurl = https://m.example.org", "access_key_id = AK"),
            f"s3://bucket/p/files/md5/{MD5[:2]}/{MD5[2:]}?endpoint=https://m.example.org",
        ),
        (
            remote("remote://base/sub") + "['remote \"base\"']\n    url = s3://bucket/base\n",
            f"s3://bucket/base/sub/files/md5/{MD5[:2]}/{MD5[2:]}",
        ),
    ],
    ids=["s3", "gs", "https", "relative", "absolute", "endpoint", "nested"],
)
def test_a_tracked_file_is_where_the_default_remote_has_it(root: Path, config: str, expected: str) -> None:
    file = track_csv(root, config)
    assert sources(root, [file]) == {"data/x.csv": expected}


def test_local_settings_come_before_shared_ones(root: Path) -> None:
    file = track_csv(root, remote("s3://bucket/shared"))
    (root / ".dvc" / "config.local").write_text(
        "['remote \"storage\"']\n    url = s3://bucket/own\n    secret_access_key = S\n"
    )
    source = sources(root, [file])["data/x.csv"] or ""
    assert source.startswith("s3://bucket/own/files/")


def test_a_file_may_have_its_own_remote(root: Path) -> None:
    config = remote("s3://bucket/default") + "['remote \"other\"']\n    url = s3://bucket/other\n"
    file = track_csv(root, config, extra="  remote: other\n")
    assert (sources(root, [file])["data/x.csv"] or "").startswith("s3://bucket/other/")


def test_files_of_older_versions_lie_elsewhere_and_hash_text_otherwise(root: Path) -> None:
    md5 = hashlib.md5(CSV.replace(b"\r\n", b"\n"), usedforsecurity=False).hexdigest()
    tracking(root, remote("s3://bucket/p"), **{"data__x.csv.dvc": f"outs:\n- md5: {md5}\n  path: x.csv\n"})
    file = written(root, "data/x.csv", CSV)
    assert sources(root, [file]) == {"data/x.csv": f"s3://bucket/p/{md5[:2]}/{md5[2:]}"}


def test_files_of_a_tracked_folder_are_found_by_its_listing(root: Path) -> None:
    tracking(
        root,
        remote("s3://bucket/p"),
        **{
            "data__images.dvc": f"outs:\n- md5: {IMAGES}\n  size: 8\n  nfiles: 2\n  hash: md5\n  path: images\n",
            f".dvc__cache__files__md5__{IMAGES[:2]}__{IMAGES[2:]}": LISTING,
        },
    )
    files = [written(root, "data/images/1.txt", b"one\n"), written(root, "data/images/sub/2.txt", b"two\n")]
    assert sources(root, files) == {
        "data/images/1.txt": "s3://bucket/p/files/md5/5b/bf5a52328e7439ae6e719dfe712200",
        "data/images/sub/2.txt": "s3://bucket/p/files/md5/c1/93497a1a06b2c72230e6146ff47080",
    }


def test_a_folder_whose_listing_is_gone_is_told(root: Path) -> None:
    tracking(root, remote("s3://bucket/p"), **{"data__images.dvc": f"outs:\n- md5: {IMAGES}\n  path: images\n"})
    file = written(root, "data/images/1.txt", b"one\n")
    found = find_sources(root, [file], declared={}, sessions=SESSIONS, environ=plain(root))
    assert found.files[0].source is None
    assert "data/images/1.txt" in found.warnings[0]
    assert "dvc fetch" in found.warnings[0]


def test_what_the_author_says_comes_first(root: Path) -> None:
    file = track_csv(root, remote("s3://bucket/p"))
    assert sources(root, [file], {"data/": "https://host/"}) == {file.path: "https://host/x.csv"}


def test_outputs_of_pipelines_are_relative_to_their_stages(root: Path) -> None:
    tracking(root, remote("s3://bucket/p"), **{"pipe__dvc.lock": LOCK, "pipe__dvc.yaml": PIPELINE})
    files = [written(root, "models/m.pkl", b"m\n"), written(root, "data/w.bin", b"w\n")]
    assert sources(root, files) == {
        "models/m.pkl": "s3://bucket/p/files/md5/69/b64623f86def16ce17d454b8be41ae",
        "data/w.bin": "s3://bucket/p/files/md5/b9/38b801a0bfbd5ca4825715039e7574",
    }


def test_a_remote_with_versions_has_files_under_their_names(root: Path) -> None:
    config = remote("s3://bucket/p", "version_aware = true").replace("storage", "mine")
    tracking(root, config, **{"data__images.dvc": VERSIONED})
    file = written(root, "data/images/sub/2.txt", b"two\n")
    expected = "s3://bucket/p/data/images/sub/2.txt?versionId=3c7cef39-cb53-4111-a715-3416eb16c61f"
    assert sources(root, [file]) == {file.path: expected}


def test_a_project_inside_of_a_repository_is_fine(root: Path) -> None:
    above = root.parent
    tracking(
        above, remote("../store"), **{f"{root.name}__x.csv.dvc": f"outs:\n- md5: {MD5}\n  hash: md5\n  path: x.csv\n"}
    )
    file = written(root, "x.csv", CSV)
    found = find_sources(root, [file], declared={}, sessions=SESSIONS, environ=plain(root))
    assert found.files[0].source == f"file:../store/files/md5/{MD5[:2]}/{MD5[2:]}"


def test_a_file_that_changed_since_has_no_source_and_is_told(root: Path) -> None:
    track_csv(root, remote("s3://bucket/p"))
    file = written(root, "data/x.csv", b"a,b\n9,9,9\n")
    found = find_sources(root, [file], declared={}, sessions=SESSIONS, environ=plain(root))
    assert found.files[0].source is None
    assert "dvc commit" in found.warnings[0]
    assert "data/x.csv" in found.warnings[0]


@pytest.mark.parametrize("config", ["", remote("ssh://anna@host/dvc"), remote("azure://container/x")])
def test_a_remote_that_can_not_be_read_is_told(root: Path, config: str) -> None:
    file = track_csv(root, config)
    found = find_sources(root, [file], declared={}, sessions=SESSIONS, environ=plain(root))
    assert found.files[0].source is None
    assert "dvc pull" in found.warnings[0]


def test_what_was_compared_once_is_not_hashed_again(root: Path) -> None:
    file = track_csv(root, remote("s3://bucket/p"))
    before = locked(file.path, CSV, f"s3://bucket/p/files/md5/{MD5[:2]}/{MD5[2:]}")
    (root / file.path).unlink()  # hashing it would fail
    found = find_sources(root, [file], declared={}, sessions=SESSIONS, previous=[before], environ=plain(root))
    assert found.files[0].source == before.source


def test_what_capture_writes_can_be_pulled(root: Path) -> None:
    file = track_csv(root, remote("../../store"))
    stored = written(root.parent, f"store/files/md5/{MD5[:2]}/{MD5[2:]}", CSV)
    assert stored.sha256 == file.sha256
    source = sources(root, [file])[file.path]
    (root / file.path).unlink()
    assert statuses(fetch(root, locked(file.path, CSV, source))) == {file.path: "fetched"}


@pytest.mark.parametrize("text", ["outs: 7", "outs:\n- path: [", "- 1", "\x00", "outs:\n- {md5: x, path: x.csv}"])
def test_what_is_damaged_is_not_believed(root: Path, text: str) -> None:
    tracking(root, remote("s3://bucket/p"), **{"x.csv.dvc": text, "dvc.lock": text})
    assert sources(root, [written(root, "x.csv", CSV)]) == {"x.csv": None}
