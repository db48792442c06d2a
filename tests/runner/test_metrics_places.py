"""Metrics where trackers keep them; MLflow 3, DVCLive 3, tensorboardX, TensorBoard and torch wrote the fixtures."""

import json
import shutil
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from repro.runner.crc32c import masked_crc
from repro.runner.found import Found, merge
from repro.runner.metrics_places import marks, read_places
from repro.runner.protobuf import Message

FIXTURES = Path(__file__).parent / "fixtures"
LOGGED = {"inf": "inf", "loss": "0.30000000000000004", "nan": "nan", "training_accuracy_score": "1.0"}
Run = Callable[..., Found]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Puts fixtures into the project as a run would, and reads what it left."""

    def go(write: Callable[[Path], object], *entries: str) -> Found:
        before = marks(tmp_path, entries)
        write(tmp_path)
        return read_places(tmp_path, entries, before)

    return go


def shown(found: Found) -> dict[str, str]:
    assert found.problems == []
    return {metric.name: repr(metric.value) for metric in found.metrics}


def mlruns(root: Path) -> None:
    shutil.copytree(FIXTURES / "mlruns", root / "mlruns", dirs_exist_ok=True)


def mlflow_db(root: Path) -> None:
    with sqlite3.connect(root / "mlflow.db") as connection:
        connection.executescript((FIXTURES / "mlflow.sql").read_text())
    connection.close()


def database(root: Path, *statements: str) -> None:
    with sqlite3.connect(root / "mlflow.db") as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def copied(name: str, to: str) -> Callable[[Path], object]:
    return lambda root: shutil.copytree(FIXTURES / "events" / name, root / to, dirs_exist_ok=True)


def test_mlflow_files(run):
    found = run(mlruns, "mlruns")
    assert shown(found) == {**LOGGED, "valid/auc": "0.91"}
    assert {metric.source for metric in found.metrics} == {"mlflow:mlruns"}
    assert found.warnings == [
        "mlruns: 1 of MLflow's runs are nested in another one and were not taken; log what counts to the outer one"
    ]


def test_mlflow_database(run):
    found = run(mlflow_db, "mlflow.db")
    assert shown(found) == {**LOGGED, "valid/auc": "0.91", "inf": "1.7976931348623157e+308"}
    assert {metric.source for metric in found.metrics} == {"mlflow:mlflow.db"}
    assert len(found.warnings) == 1


def test_earlier_runs_of_mlflow_do_not_count(run, tmp_path):
    mlruns(tmp_path)
    mlflow_db(tmp_path)
    assert run(lambda _: None, "mlruns", "mlflow.db") == Found()
    outer = next((tmp_path / "mlruns").glob("*/*/metrics/loss"))

    def resumed(root: Path) -> None:
        with outer.open("a") as stream:
            stream.write("1795273313999 0.25 2\n")
        database(root, "UPDATE latest_metrics SET value = 0.5, timestamp = 1795273399999 WHERE key = 'loss'")

    found = run(resumed, "mlruns", "mlflow.db")
    assert [(metric.name, metric.value, metric.source) for metric in found.metrics] == [
        ("loss", 0.25, "mlflow:mlruns"),
        ("loss", 0.5, "mlflow:mlflow.db"),
    ]


@pytest.mark.parametrize(
    ("names", "prefixes"),
    [
        (("base", "tuned"), ("base.", "tuned.")),
        (("calm-owl-12", "shy-fox-3"), ("run[0].", "run[1].")),
        (("a", "a"), None),
    ],
)
def test_several_runs_of_mlflow_are_told_apart_by_names_that_last(run, names, prefixes):
    def write(root: Path) -> None:
        mlflow_db(root)
        database(
            root,
            "DELETE FROM tags",
            f"UPDATE runs SET name = '{names[0]}' WHERE run_uuid LIKE '1e94%'",
            f"UPDATE runs SET name = '{names[1]}' WHERE run_uuid LIKE '5649%'",
        )

    first, second = prefixes or ("run[0].", "run[1].")
    values = shown(run(write, "mlflow.db"))
    assert (values[f"{first}loss"], values[f"{second}mean_test_score"]) == ("0.30000000000000004", "0.7")


def test_deleted_runs_of_mlflow_do_not_count(run):
    def files(root: Path) -> None:
        mlruns(root)
        for meta in root.glob("mlruns/*/*/meta.yaml"):
            meta.write_text(meta.read_text().replace("lifecycle_stage: active", "lifecycle_stage: deleted"))

    def rows(root: Path) -> None:
        mlflow_db(root)
        database(root, "UPDATE runs SET lifecycle_stage = 'deleted'")

    assert run(files, "mlruns").metrics == run(rows, "mlflow.db").metrics == []


def test_without_a_run_the_newest_of_mlflow_counts(tmp_path):
    mlflow_db(tmp_path)
    database(tmp_path, "DELETE FROM tags")
    found = read_places(tmp_path, ["mlflow.db"], None)
    assert shown(found) == {"mean_test_score": "0.7"}
    assert found.warnings == ["mlflow.db: nothing was run, so MLflow's newest run was taken, mysterious-sloth-816"]


@pytest.mark.parametrize("content", [b"", b"no database" * 99])
def test_a_database_that_is_not_mlflows_is_a_warning(run, content):
    found = run(lambda root: (root / "mlflow.db").write_bytes(content), "mlflow.db")
    (warning,) = found.warnings
    assert warning.startswith("mlflow.db can't be read as MLflow's database: ")
    assert (found.metrics, found.problems) == ([], [])


def test_a_damaged_metric_of_mlflow_is_a_warning(run):
    def write(root: Path) -> None:
        mlruns(root)
        next(root.glob("mlruns/*/*/metrics/nan")).write_text("1795273313842 what 0\n")

    found = run(write, "mlruns")
    assert "nan" not in shown(found)
    assert "the metric nan of run aa51052f88274de3b2f45f52bd0decf7 can't be read" in " ".join(found.warnings)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tensorboardx", {"Loss/train": 0.1 * 3, "nan": float("nan")}),
        ("tensors", {"train.epoch_loss": 0.1 * 3, "validation.epoch_loss": 0.75}),
        (
            "torch",
            {"acc": 0.5, "new": 0.1, "both_a.both": 1.5, "both_b.both": 2.5, "[0].hparam/acc": 0.5},
        ),
    ],
)
def test_tensorboard(run, name, expected):
    found = run(copied(name, "logs"), "logs")
    wide = {key: repr(struct.unpack("<f", struct.pack("<f", value))[0]) for key, value in expected.items()}
    doubles = {"dbl": "0.1"} if name == "torch" else {}
    assert shown(found) == {**wide, **doubles}
    assert found.warnings == []
    assert {metric.source for metric in found.metrics} == {"tensorboard:logs"}


def test_only_event_files_of_this_run_count(run, tmp_path):
    copied("tensors", "logs")(tmp_path)
    assert run(copied("tensorboardx", "logs/later"), "logs").metrics[0].name == "Loss/train"
    assert read_places(tmp_path, ["logs"], None).warnings == [
        "logs: nothing was run, and no one can tell which of TensorBoard's files belong to one run: not taken"
    ]


def test_folders_named_by_time_are_numbered_by_time(run):
    def write(root: Path) -> None:
        copied("tensors/validation", "runs/version_7")(root)
        copied("tensors/train", "runs/version_10")(root)

    assert shown(run(write, "runs")) == {"[0].epoch_loss": "0.30000001192092896", "[1].epoch_loss": "0.75"}


def test_event_files_that_a_killed_writer_left_torn_count_as_far_as_they_go(run):
    def write(root: Path) -> None:
        copied("tensors/train", "logs")(root)
        (file,) = (root / "logs").iterdir()
        file.write_bytes(file.read_bytes()[:-5])

    found = run(write, "logs")
    assert (shown(found), found.warnings) == ({"epoch_loss": "0.20000000298023224"}, [])


@pytest.mark.parametrize("offset", [-6, -70])
def test_damaged_event_files_are_a_warning(run, offset):
    def write(root: Path) -> None:
        copied("tensors/train", "logs")(root)
        (file,) = (root / "logs").iterdir()
        data = bytearray(file.read_bytes())
        data[offset] ^= 0xFF
        file.write_bytes(data)

    found = run(write, "logs")
    (warning,) = found.warnings
    assert warning.startswith(
        "logs: events.out.tfevents.1795273255.host.1.0 can't be read to its end: damaged at byte "
    )
    assert found.problems == []


def test_crc32c():
    """RFC 3720, B.4: 32 bytes of ones give 62a8ab43; the mask undone here."""
    turned = (masked_crc(b"\xff" * 32) - 0xA282EAD8) & 0xFFFFFFFF
    assert (turned << 15 | turned >> 17) & 0xFFFFFFFF == 0x62A8AB43


@pytest.mark.parametrize("data", [b"\x08", b"\x0a\x05ab", b"\x0b", b"\xff" * 12, b"\x0d\x00\x00"])
def test_what_is_no_protocol_buffer_is_refused(data):
    with pytest.raises(ValueError, match=r"."):
        Message(data)


def test_dvc_files_of_the_top_and_of_stages(run):
    def write(root: Path) -> None:
        for path in ("a.json", "stage/b.yaml", "c.toml", "deep/d.json"):
            (root / path).parent.mkdir(exist_ok=True)
        (root / "a.json").write_text('{"a": 1}')
        (root / "stage/b.yaml").write_text("b: 2")
        (root / "c.toml").write_text("c = 3")
        (root / "deep/d.json").write_text('{"d": 4}')
        (root / "plot.json").write_text('{"p": 5}')
        (root / "dvc.yaml").write_text(
            "metrics: [a.json]\nplots: [plot.json]\nstages:\n  one:\n    wdir: stage\n    metrics:\n"
            "      - b.yaml: {cache: false}\n    plots: [../plot.json]\n  many:\n    foreach: [1]\n    do:\n"
            "      metrics: [c.toml, './deep/d.json', '${path}.json', ../out.json]\n"
        )

    found = run(write, "dvc.yaml")
    assert shown(found) == {"a": "1", "b": "2", "c": "3", "d": "4"}
    assert {metric.source for metric in found.metrics} == {"a.json", "stage/b.yaml", "c.toml", "deep/d.json"}
    assert found.warnings == [
        "dvc.yaml: ${path}.json has a variable; name the file in repro.toml, [metrics] files",
        "dvc.yaml: ../out.json lies outside the project, so it was not looked for",
    ]


def test_dvclive(run):
    def write(root: Path) -> None:
        shutil.copytree(FIXTURES / "dvclive", root / "dvclive")
        shutil.move(root / "dvclive/dvc.yaml", root)

    found = run(write, "dvclive/metrics.json", "dvc.yaml")
    assert shown(found) == {"train.loss": "0.16666666666666666", "step": "2", "auc": "0.30000000000000004"}


@pytest.mark.parametrize("text", ["metrics: {", "- 1", "metrics: 3\nstages: [1]", "stages: {a: 1, b: {metrics: x}}"])
def test_any_dvc_yaml_can_be_looked_at(run, text):
    found = run(lambda root: (root / "dvc.yaml").write_text(text), "dvc.yaml")
    assert (found.metrics, found.problems) == ([], [])


def test_what_was_declared_counts_before_what_trackers_logged(run):
    def write(root: Path) -> None:
        mlruns(root)
        (root / "metrics.json").write_text(json.dumps({"loss": 0.3, "training_accuracy_score": 1}))

    collected = merge(run(write, "mlruns", "metrics.json"))
    assert collected.failure is None
    values = {metric.name: (metric.value, metric.source) for metric in collected.metrics}
    assert values["loss"] == (0.3, "metrics.json")
    assert values["training_accuracy_score"] == (1, "metrics.json")
    assert values["valid/auc"] == (0.91, "mlflow:mlruns")
    assert collected.warnings[1:] == (
        "loss is 0.3 in metrics.json but 0.30000000000000004 in mlflow:mlruns: the first counts",
    )


def test_a_file_with_the_name_of_a_trackers_folder_is_passed_over(run):
    assert run(lambda root: (root / "logs").write_text("no JSON"), "logs") == Found()


def test_a_folder_with_neither_is_no_place_for_metrics(run):
    assert run(lambda root: (root / "logs").mkdir(), "logs", "runs", "printed:reports") == Found()
