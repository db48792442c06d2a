"""What MLflow 3.17 leaves: a run with an artifact, a logged model, and two versions of a registered one."""

import sqlite3
from pathlib import Path

RUN = "0e7480330d504ab097e17f6f84dfd6d7"
MODEL = "m-6e5363fa5b534549a68f95ebf58d6641"


def file_store(folder: Path, artifacts: str) -> None:
    """An `mlruns` whose artifacts are below a place."""
    documents = {
        f"1/{RUN}/meta.yaml": f"artifact_uri: {artifacts}/1/{RUN}/artifacts\nrun_id: {RUN}\nstatus: 1\n",
        f"1/models/{MODEL}/meta.yaml": f"artifact_location: {artifacts}/1/models/{MODEL}/artifacts\nname: lm\n",
        "models/churn/version-1/meta.yaml": (
            f"source: runs:/{RUN}/model\nstorage_location: runs:/{RUN}/model\nversion: 1\n"
        ),
        "models/churn/version-2/meta.yaml": f"source: models:/{MODEL}\nstorage_location: null\nversion: 2\n",
        "models/churn/aliases/champion": "2",
    }
    for name, text in documents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def database(path: Path, artifacts: str) -> None:
    """The same in MLflow's SQLite file, as far as its columns matter."""
    connection = sqlite3.connect(path)
    connection.executescript(
        f"""
        CREATE TABLE runs (run_uuid VARCHAR(32), artifact_uri VARCHAR(200));
        CREATE TABLE logged_models (model_id VARCHAR(36), artifact_location VARCHAR(1000));
        CREATE TABLE model_versions (name VARCHAR(256), version INTEGER, source VARCHAR(500), storage_location VARCHAR);
        CREATE TABLE registered_model_aliases (name VARCHAR(256), alias VARCHAR(256), version INTEGER);
        INSERT INTO runs VALUES ('{RUN}', '{artifacts}/1/{RUN}/artifacts');
        INSERT INTO logged_models VALUES ('{MODEL}', '{artifacts}/1/models/{MODEL}/artifacts');
        INSERT INTO model_versions VALUES ('churn', 1, 'runs:/{RUN}/model', 'runs:/{RUN}/model');
        INSERT INTO model_versions VALUES ('churn', 2, 'models:/{MODEL}', NULL);
        INSERT INTO registered_model_aliases VALUES ('churn', 'champion', 2);
        """
    )
    connection.close()
