"""MLflow's own URIs (`models:/…`, `runs:/…`) → where an artifact is stored, by a tracking server or MLflow's files.

Nothing of MLflow is run. `models:/name/version`, `models:/name@alias`, `models:/m-<id>` and `runs:/<run id>` may each
be followed by a path (mlflow.org, "Referencing Artifacts").
"""

import contextlib
import os
import re
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

import yaml

from repro.errors import InfrastructureError, UsageError
from repro.http import Session, network_errors
from repro.sources.uri import local_source, problem_of, scheme_of
from repro.urls import redact

SCHEMES = ("models", "runs")
_VERSION = re.compile(r"models:/(?P<name>[^/@]+)/(?P<version>\d+)(?P<path>/.*)?")
_ALIAS = re.compile(r"models:/(?P<name>[^/@]+)@(?P<alias>[^/]+)(?P<path>/.*)?")
_LOGGED = re.compile(r"models:/(?P<id>m-[\w-]+)(?P<path>/.*)?")
_RUN = re.compile(r"runs:/(?P<id>[^/]+)(?P<path>/.*)?")
_DEEPEST = 5
_API = "api/2.0/mlflow"


class Store(Protocol):
    """A place where MLflow keeps what it knows."""

    def version(self, name: str, version: str) -> str | None:
        """Where a version of a registered model is; may be another URI of MLflow's."""

    def alias(self, name: str, alias: str) -> str | None:
        """The version that an alias of a registered model stands for."""

    def model(self, model_id: str) -> str | None:
        """Where a logged model is."""

    def run(self, run_id: str) -> str | None:
        """Where the artifacts of a run are."""


def resolve(uri: str, root: Path, sessions: Callable[[], Session], environ: Mapping[str, str] = os.environ) -> str:
    """The source, in a form of `repro.sources.uri`, that an URI of MLflow's stands for today.

    Args:
        uri: `models:/…` or `runs:/…`.
        root: Project root, where `mlruns` and `mlflow.db` are looked for without MLFLOW_TRACKING_URI.
        sessions: Gives a session for a tracking server.
        environ: MLFLOW_TRACKING_URI and MLFLOW_REGISTRY_URI.

    Raises:
        UsageError: There is no such model or run, or it is where `repro pull` can't go.
        InfrastructureError: The tracking server can't be asked.
    """
    tracking = _place(environ.get("MLFLOW_TRACKING_URI"), root)
    registry = _place(environ.get("MLFLOW_REGISTRY_URI"), root) if environ.get("MLFLOW_REGISTRY_URI") else tracking
    stores = (_store(tracking, sessions), _store(registry, sessions))
    place = uri
    for _ in range(_DEEPEST):
        if scheme_of(place) not in SCHEMES:
            return _source(place, tracking, root, uri)
        place = _one_step(place, *stores) or _unknown(uri, tracking)
    raise UsageError(f"{uri} leads from one MLflow URI to the next without end", where="[sources]")


def _one_step(uri: str, tracking: Store, registry: Store) -> str | None:
    if found := _RUN.fullmatch(uri):
        place = tracking.run(found["id"])
    elif found := _LOGGED.fullmatch(uri):
        place = tracking.model(found["id"])
    elif found := _VERSION.fullmatch(uri):
        place = registry.version(found["name"], found["version"])
    elif found := _ALIAS.fullmatch(uri):
        version = registry.alias(found["name"], found["alias"])
        place = version and f"models:/{found['name']}/{version}"
    else:
        raise UsageError(
            f"not an URI of MLflow's that stays: {uri!r}",
            where="[sources]",
            fix="Write models:/NAME/VERSION, models:/NAME@ALIAS or runs:/RUN/PATH.",
        )
    return place and place.rstrip("/") + (found["path"] or "")


def _unknown(uri: str, tracking: str) -> str:
    raise UsageError(
        f"MLflow knows nothing of {uri}",
        where=redact(tracking),
        fix="Correct it in [sources], or set MLFLOW_TRACKING_URI to where it is.",
    )


def _place(named: str | None, root: Path) -> str:
    """The tracking URI: what is set, else what is in the project."""
    if named:
        return named
    if (root / "mlruns").is_dir():
        return str(root / "mlruns")
    if (root / "mlflow.db").is_file():
        return f"sqlite:///{root / 'mlflow.db'}"
    raise UsageError(
        "where MLflow's models and runs are recorded isn't known", where="[sources]", fix="Set MLFLOW_TRACKING_URI."
    )


def _store(uri: str, sessions: Callable[[], Session]) -> Store:
    scheme = scheme_of(uri) if "://" in uri else ""
    if scheme in {"http", "https"}:
        return _Server(uri, sessions)
    if scheme == "sqlite":
        return _Database(Path(uri.removeprefix("sqlite:///")))
    if scheme in {"", "file"}:
        return _Folder(Path(url2pathname(urlsplit(uri).path)) if scheme else Path(uri.removeprefix("file:")))
    raise UsageError(
        f"MLflow's records can't be read from {redact(uri)}",
        where="MLFLOW_TRACKING_URI",
        fix="Use a tracking server, a SQLite file or a folder; or write the storage's own URL into [sources].",
    )


def _source(place: str, tracking: str, root: Path, uri: str) -> str:
    scheme = scheme_of(place) if re.match(r"[A-Za-z][\w+.-]+:", place) else ""  # not C:\…
    if scheme == "mlflow-artifacts":
        parts = urlsplit(place)
        server = f"https://{parts.netloc}" if parts.netloc else redact(tracking).rstrip("/")
        found = f"{server}/api/2.0/mlflow-artifacts/artifacts/{quote(parts.path.lstrip('/'))}"
    elif scheme in {"", "file"}:
        path = Path(url2pathname(urlsplit(place).path)) if scheme else Path(place)
        found = local_source(root / path, root)
    else:
        found = place
    problem = problem_of(found)
    if problem:
        raise UsageError(f"{uri} is at {redact(found)}, which can't be a source: it {problem}", where="[sources]")
    return found


class _Server:
    """A tracking server (MLflow REST API)."""

    def __init__(self, url: str, sessions: Callable[[], Session]) -> None:
        self._url = url.rstrip("/")
        self._sessions = sessions

    def version(self, name: str, version: str) -> str | None:
        return _text(self._ask("model-versions/get-download-uri", name=name, version=version), "artifact_uri")

    def alias(self, name: str, alias: str) -> str | None:
        return _text(self._ask("registered-models/alias", name=name, alias=alias), "model_version", "version")

    def model(self, model_id: str) -> str | None:
        return _text(self._ask(f"logged-models/{quote(model_id)}"), "model", "info", "artifact_uri")

    def run(self, run_id: str) -> str | None:
        return _text(self._ask("runs/get", run_id=run_id), "run", "info", "artifact_uri")

    def _ask(self, what: str, **fields: str) -> Any:
        url = f"{self._url}/{_API}/{what}"
        session = self._sessions()
        with network_errors(url, session.trust):
            answer = session.get(url, params=fields)
        if answer.status_code == 404:  # noqa: PLR2004 - not found, and MLflow's word for an unknown name
            return {}
        try:
            answer.raise_for_status()
            return answer.json()
        except (OSError, ValueError) as error:
            raise InfrastructureError(
                f"MLflow's server answered {answer.status_code} {answer.reason or ''}".rstrip(),
                where=redact(url),
                fix="Check MLFLOW_TRACKING_URI, and give a login for its host in netrc.",
            ) from error


class _Folder:
    """MLflow's file store, `mlruns`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def version(self, name: str, version: str) -> str | None:
        found = _yaml(self._folder / "models" / name / f"version-{version}" / "meta.yaml")
        return _text(found, "storage_location") or _text(found, "source")

    def alias(self, name: str, alias: str) -> str | None:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            return (self._folder / "models" / name / "aliases" / alias).read_text(encoding="utf-8").strip()
        return None

    def model(self, model_id: str) -> str | None:
        return self._anywhere(f"*/models/{model_id}/meta.yaml", "artifact_location")

    def run(self, run_id: str) -> str | None:
        return self._anywhere(f"*/{run_id}/meta.yaml", "artifact_uri")

    def _anywhere(self, pattern: str, key: str) -> str | None:
        return next((_text(_yaml(path), key) for path in sorted(self._folder.glob(pattern))), None)


class _Database:
    """MLflow's SQLite file, opened for reading only."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def version(self, name: str, version: str) -> str | None:
        asked = "SELECT coalesce(storage_location, source) FROM model_versions WHERE name = ? AND version = ?"
        return self._one(asked, name, version)

    def alias(self, name: str, alias: str) -> str | None:
        return self._one("SELECT version FROM registered_model_aliases WHERE name = ? AND alias = ?", name, alias)

    def model(self, model_id: str) -> str | None:
        return self._one("SELECT artifact_location FROM logged_models WHERE model_id = ?", model_id)

    def run(self, run_id: str) -> str | None:
        return self._one("SELECT artifact_uri FROM runs WHERE run_uuid = ?", run_id)

    def _one(self, query: str, *values: str) -> str | None:
        try:
            with contextlib.closing(self._connected()) as connection:
                row = connection.execute(query, values).fetchone()
        except sqlite3.Error as error:
            raise UsageError(
                f"MLflow's database can't be read: {error}", where=str(self._path), fix="Correct MLFLOW_TRACKING_URI."
            ) from error
        return None if row is None or row[0] is None else str(row[0])

    def _connected(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)


def _yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_bytes())
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}


def _text(found: Any, *keys: str) -> str | None:
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) and found else None
