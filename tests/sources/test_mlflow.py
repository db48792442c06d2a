"""MLflow's URIs become the place of the artifact, by MLflow's files, its database, or its server."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from repro.errors import InfrastructureError, UsageError
from repro.sources import mlflow
from tests.http.servers import Reply, Server, serve
from tests.sources.mlflow_store import MODEL, RUN, database, file_store
from tests.sources.projects import SESSIONS, fetch, locked, sources, statuses, written

S3 = "s3://bucket/mlflow"
EXPECTED = {
    f"runs:/{RUN}/model/model.pkl": f"{S3}/1/{RUN}/artifacts/model/model.pkl",
    f"models:/{MODEL}": f"{S3}/1/models/{MODEL}/artifacts",
    "models:/churn/1/model.pkl": f"{S3}/1/{RUN}/artifacts/model/model.pkl",
    "models:/churn/2": f"{S3}/1/models/{MODEL}/artifacts",
    "models:/churn@champion/sub/x": f"{S3}/1/models/{MODEL}/artifacts/sub/x",
}


def resolve(root: Path, uri: str, **environ: str) -> str:
    return mlflow.resolve(uri, root, SESSIONS, environ)


@pytest.mark.parametrize("make", [file_store, database])
@pytest.mark.parametrize("uri", EXPECTED)
def test_the_projects_own_records_are_read(root: Path, uri: str, make: Callable[[Path, str], None]) -> None:
    make(root / ("mlruns" if make is file_store else "mlflow.db"), S3)
    assert resolve(root, uri) == EXPECTED[uri]


def test_records_elsewhere_are_named_by_mlflows_own_variables(root: Path, tmp_path: Path) -> None:
    file_store(tmp_path / "runs here", S3)
    database(tmp_path / "models.db", "s3://bucket/registry")
    tracking = {"MLFLOW_TRACKING_URI": (tmp_path / "runs here").as_uri()}
    assert resolve(root, "models:/churn/1", **tracking) == f"{S3}/1/{RUN}/artifacts/model"
    registry = {**tracking, "MLFLOW_REGISTRY_URI": f"sqlite:///{tmp_path / 'models.db'}"}
    assert resolve(root, "models:/churn/1", **registry) == f"{S3}/1/{RUN}/artifacts/model"


def test_artifacts_of_this_machine_are_relative_to_the_project(root: Path) -> None:
    file_store(root / "mlruns", str(root / "mlruns"))
    assert resolve(root, f"runs:/{RUN}/model.pkl") == f"file:mlruns/1/{RUN}/artifacts/model.pkl"


def answering(server: Server, artifacts: str) -> str:
    """The server's part of MLflow's REST API."""

    def add(path: str, **answer: object) -> None:
        server.routes[f"/base/api/2.0/mlflow/{path}"] = lambda _: Reply(json.dumps(answer).encode())

    add(f"runs/get?run_id={RUN}", run={"info": {"artifact_uri": f"{artifacts}/1/{RUN}/artifacts"}})
    add(f"logged-models/{MODEL}", model={"info": {"artifact_uri": f"{artifacts}/1/models/{MODEL}/artifacts"}})
    add("model-versions/get-download-uri?name=churn&version=1", artifact_uri=f"runs:/{RUN}/model")
    add("model-versions/get-download-uri?name=churn&version=2", artifact_uri=f"models:/{MODEL}")
    add("registered-models/alias?name=churn&alias=champion", model_version={"version": "2"})
    return f"{server.url}/base"


@pytest.mark.parametrize("uri", EXPECTED)
def test_a_tracking_server_is_asked(root: Path, uri: str) -> None:
    with serve() as server:
        assert resolve(root, uri, MLFLOW_TRACKING_URI=answering(server, S3)) == EXPECTED[uri]


def test_artifacts_that_the_server_hands_out_are_fetched_from_it(root: Path) -> None:
    with serve() as server:
        tracking = answering(server, "mlflow-artifacts:")
        source = resolve(root, f"runs:/{RUN}/my model.pkl", MLFLOW_TRACKING_URI=tracking)
        path = f"/base/api/2.0/mlflow-artifacts/artifacts/1/{RUN}/artifacts/my%20model.pkl"
        assert source == server.url + path
        server.add(path, b"model")
        assert statuses(fetch(root, locked("m.pkl", b"model", source))) == {"m.pkl": "fetched"}


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("runs:/unknown/x", "knows nothing"),
        ("models:/other/1", "knows nothing"),
        ("models:/churn@nobody", "knows nothing"),
        ("models:/churn/Production", "that stays"),
        ("models:/churn", "that stays"),
    ],
)
@pytest.mark.parametrize("make", [file_store, database])
def test_what_is_unknown_or_moves_is_refused(
    root: Path, uri: str, reason: str, make: Callable[[Path, str], None]
) -> None:
    make(root / ("mlruns" if make is file_store else "mlflow.db"), S3)
    with pytest.raises(UsageError, match=reason):
        resolve(root, uri)


def test_storage_that_can_not_be_pulled_from_is_refused(root: Path) -> None:
    file_store(root / "mlruns", "dbfs:/mlflow")
    with pytest.raises(UsageError, match="can't be a source"):
        resolve(root, f"runs:/{RUN}/x")


def test_records_that_can_not_be_read_are_named(root: Path) -> None:
    with pytest.raises(UsageError, match="isn't known"):
        resolve(root, f"runs:/{RUN}")
    with pytest.raises(UsageError, match="databricks"):
        resolve(root, f"runs:/{RUN}", MLFLOW_TRACKING_URI="databricks://profile")
    with pytest.raises(UsageError, match="database"):
        resolve(root, f"runs:/{RUN}", MLFLOW_TRACKING_URI=f"sqlite:///{root}/none.db")
    with serve() as server:
        server.routes[f"/api/2.0/mlflow/runs/get?run_id={RUN}"] = lambda _: Reply(b"", 401)
        with pytest.raises(InfrastructureError, match="401"):
            resolve(root, f"runs:/{RUN}", MLFLOW_TRACKING_URI=server.url)


def test_a_folder_may_come_from_a_model(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file_store(root / "mlruns", S3)
    files = [written(root, "models/churn/MLmodel", b"m"), written(root, "models/churn/sub/x.pkl", b"x")]
    assert sources(root, files, {"models/churn/": "models:/churn/1"}) == {
        "models/churn/MLmodel": f"{S3}/1/{RUN}/artifacts/model/MLmodel",
        "models/churn/sub/x.pkl": f"{S3}/1/{RUN}/artifacts/model/sub/x.pkl",
    }
