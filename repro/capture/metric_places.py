"""Where metrics are looked for, which of these places the lock names, and what trackers write for themselves alone."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from repro.capture.config import Config
from repro.capture.snapshot import Snapshot
from repro.runner.documents import MeasuredMetric
from repro.runner.found import MLFLOW, left_out, yields
from repro.runner.metrics_printed import REPORTS, is_printed, pattern_entry
from repro.words import few

_FILES = (*(f"metrics.{ending}" for ending in ("json", "yaml", "yml", "toml")), "dvclive/metrics.json", "dvc.yaml")
_MLFLOW = ("mlruns", "mlflow.db")
_TENSORBOARD = ("runs", "logs", "lightning_logs")
_KEPT_BY_TRACKERS = frozenset({"mlflow.db", "dvc.yaml"})
_OF_THE_INSTALLATION = ("**/mlflow/telemetry.json", "**/iterative/telemetry*")
"""Random identifiers in the user's home, by which MLflow and DVCLive count installations."""
_LIKELY = re.compile(r".*(?:metric|score|result|eval|report|summary).*\.(?:json|ya?ml|toml)", re.IGNORECASE)
_DATED = re.compile(r"\d{4}-?\d\d-?\d\d|\d\d-\d\d-\d\d")
_MOST_NAMED = 3
_EXPERIMENT = re.compile(r"(?:.*/)?mlruns/[^/]+/meta\.yaml")
_FOR_A_NEW_STORE = re.compile(r"mlflow\.store\.db_migrations(?:\..*)?")
_NAMED_AT_RANDOM = re.compile(r"(?:.*/)?mlruns/.*|.*\.tfevents\.[^/]*")


def metric_places(config: Config, subject: str) -> tuple[str, ...]:
    """Entries for the runner: those of repro.toml, else the usual ones beside the subject and in the root."""
    if config.metrics_files is not None:
        return (*config.metrics_files, *_printed(config))
    folders = dict.fromkeys([PurePosixPath(subject).parent, PurePosixPath()])
    usual = [str(folder / name) for group in (_FILES, _MLFLOW, _TENSORBOARD) for folder in folders for name in group]
    return (*usual, *_printed(config))


def unread_places(config: Config, outputs: Iterable[str]) -> Iterator[str]:
    """What to say, where there is no metric, of files that the run wrote and that look as if they held some."""
    if config.metrics_files is None:
        likely = [path for path in outputs if _LIKELY.fullmatch(PurePosixPath(path).name)]
        found = [path for path in likely if not _DATED.search(path)]
        if len(found) < len(likely):
            moving = next(path for path in likely if path not in found)
            yield f"the run wrote {moving}, whose path is another with every run: write it where the next run does, too"
        if found:
            named = ", ".join(f'"{path}"' for path in found[:_MOST_NAMED])
            cure = f"[metrics] files = [{named}] in repro.toml"
            yield f"the run wrote {few(found, _MOST_NAMED)}: if metrics are there, {cure}"


def locked_places(config: Config, places: Iterable[str], metrics: Iterable[MeasuredMetric]) -> tuple[str, ...]:
    """Entries for the lock: those that the author names, else those where the metrics that count were found.

    A `dvc.yaml` is replaced by the files that it named, because it doesn't have to be in the image. Which of its two
    stores MLflow uses depends on what is there already, so both are named.
    """
    sources = {metric.source for metric in metrics}
    entries: dict[str, None] = {}
    for place in places:
        named = config.metrics_files is not None and PurePosixPath(place).name != "dvc.yaml"
        if named or is_printed(place) or sources & set(_sources(place)):
            entries[place] = None
    known = {source for place in entries for source in _sources(place)}
    more = sorted(source for source in sources - known if ":" not in source)  # files that a dvc.yaml named
    return (*more, *entries)


def choose_metrics(measured: Iterable[MeasuredMetric], config: Config) -> tuple[MeasuredMetric, ...]:
    """The metrics that become the baseline.

    Where the author names no places, what trackers logged counts only if nothing else was reported: it is often more
    than anyone wants to be held to.
    """
    metrics = tuple(metric for metric in measured if not is_excluded(metric.name, config))
    if config.metrics_files is None and any(not is_tracked(metric) for metric in metrics):
        return tuple(metric for metric in metrics if not is_tracked(metric))
    return metrics


def is_tracked(metric: MeasuredMetric) -> bool:
    """Whether it comes from MLflow or TensorBoard."""
    return yields(metric.source) and not is_printed(metric.source)


def is_excluded(name: str, config: Config) -> bool:
    """Whether the author leaves a metric out: `*` stands for anything, `?` for one character."""
    return left_out(name, config.metric_excludes)


def tracker_files(before: Snapshot, after: Snapshot) -> Iterator[str]:
    """Globs for what trackers read and rewrite as they log: records of all runs ever, no input of this one."""
    yield from _OF_THE_INSTALLATION
    for path, state in after.files.items():
        if PurePosixPath(path).name in _KEPT_BY_TRACKERS and state != before.files.get(path):
            yield from (path, f"{path}-*")
        elif _EXPERIMENT.fullmatch(path):
            yield path


def lasting_outputs(outputs: Iterable[str]) -> tuple[str, ...]:
    """Outputs but those whose names trackers make up anew for every run."""
    return tuple(path for path in outputs if not _NAMED_AT_RANDOM.fullmatch(path))


def lasting_modules(modules: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Modules by package, but those that a tracker runs only where its store isn't there yet, or is an old one."""
    lasting = {
        package: tuple(name for name in names if not _FOR_A_NEW_STORE.fullmatch(name))
        for package, names in modules.items()
    }
    return {package: names for package, names in lasting.items() if names}


def lasting_folders(folders: Iterable[str]) -> tuple[str, ...]:
    """Folders but those that trackers have for their runs."""
    return tuple(folder for folder in folders if not _NAMED_AT_RANDOM.fullmatch(f"{folder}/"))


def _printed(config: Config) -> Iterator[str]:
    yield from (pattern_entry(name, pattern) for name, pattern in config.metric_patterns.items())
    if config.metric_reports:
        yield REPORTS


def _sources(place: str) -> tuple[str, ...]:
    """What metrics from there may have as their source."""
    pure = PurePosixPath(place)
    siblings = [str(pure.with_name(name)) for name in _MLFLOW] if pure.name in _MLFLOW else [place]
    return (place, f"tensorboard:{place}", *(f"{MLFLOW}{one}" for one in siblings))
