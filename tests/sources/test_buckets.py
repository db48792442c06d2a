"""S3 as moto's server speaks it, and Google's storage as its JSON API answers, through s3fs and gcsfs."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from repro.errors import ExitCode
from tests.http.servers import serve
from tests.sources.projects import BODY, fetch, locked, statuses

LARGE = BODY * 9  # more than one request


@dataclass
class Storage:
    url: str
    client: Any

    def put(self, key: str, body: bytes) -> str:
        return str(self.client.put_object(Bucket="bucket", Key=key, Body=body)["VersionId"])


@pytest.fixture(scope="module")
def started() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(started: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Storage:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(tmp_path / "no"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=started)
    with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou):
        client.create_bucket(Bucket="bucket")
    client.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    return Storage(started, client)


def test_an_object_is_fetched_in_ranges_from_the_service_that_its_source_names(root: Path, s3: Storage) -> None:
    s3.put("data/x ü.csv", LARGE)
    file = locked("x.csv", LARGE, f"s3://bucket/data/x ü.csv?endpoint={s3.url}")
    assert statuses(fetch(root, file)) == {"x.csv": "fetched"}
    assert (root / "x.csv").read_bytes() == LARGE


def test_the_environment_may_name_the_service(root: Path, s3: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.put("x", BODY)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.url)
    assert statuses(fetch(root, locked("x", BODY, "s3://bucket/x"))) == {"x": "fetched"}


def test_a_version_is_fetched_though_there_is_a_newer_one(root: Path, s3: Storage) -> None:
    old = s3.put("v", BODY)
    s3.put("v", b"newer")
    newest = locked("x", BODY, f"s3://bucket/v?endpoint={s3.url}")
    report = fetch(root, newest)
    assert (statuses(report), report.exit_code) == ({"x": "failed"}, ExitCode.TAMPERED)
    file = locked("x", BODY, f"s3://bucket/v?versionId={old}&endpoint={s3.url}")
    assert statuses(fetch(root, file)) == {"x": "fetched"}


def test_a_cut_off_object_is_gone_on_with(root: Path, s3: Storage) -> None:
    s3.put("big", LARGE)
    file = locked("x", LARGE, f"s3://bucket/big?endpoint={s3.url}")
    begun = root / ".repro" / "pull" / "partial" / file.sha256.hex
    begun.parent.mkdir(parents=True)
    begun.write_bytes(LARGE[:-10])
    assert statuses(fetch(root, file)) == {"x": "fetched"}


def test_what_is_not_there_is_named(root: Path, s3: Storage) -> None:
    for key in ("bucket/none", "no-bucket/none"):
        report = fetch(root, locked("x", BODY, f"s3://{key}?endpoint={s3.url}"))
        assert key in (report.files[0].problem or "")
        assert report.exit_code == ExitCode.INFRASTRUCTURE


def test_without_a_login_it_is_tried_as_anybody(root: Path, s3: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.put("open", BODY)
    s3.client.put_object_acl(Bucket="bucket", Key="open", ACL="public-read")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    import s3fs  # noqa: PLC0415 - for its cache, which would hold the login of the tests before

    s3fs.S3FileSystem.clear_instance_cache()
    file = locked("x", BODY, f"s3://bucket/open?endpoint={s3.url}")
    assert statuses(fetch(root, file)) == {"x": "fetched"}


def test_googles_storage_is_read_by_generation(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve() as server:
        base = "/download/storage/v1/b/bucket/o/data%2Fx.csv?alt=media"
        server.add(base, b"newer")
        server.add(f"{base}&generation=17", BODY)
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        file = locked("x", BODY, "gs://bucket/data/x.csv#17")
        assert statuses(fetch(root, file)) == {"x": "fetched"}
        assert statuses(fetch(root, locked("y", b"newer", "gs://bucket/data/x.csv"))) == {"y": "fetched"}


@pytest.mark.parametrize(("source", "extra"), [("s3://bucket/x", "repro[s3]"), ("gs://bucket/x", "repro[gs]")])
def test_a_library_that_is_not_installed_is_asked_for(root: Path, source: str, extra: str) -> None:
    code = (
        "import sys\nsys.modules['s3fs'] = sys.modules['gcsfs'] = sys.modules['gcsfs.core'] = None\n"
        "from pathlib import Path\nfrom tests.sources.projects import fetch, locked\n"
        "print(fetch(Path(sys.argv[1]), locked('x', source=sys.argv[2])).files[0].fix)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(root), source], capture_output=True, text=True, check=True)
    assert extra in done.stdout
