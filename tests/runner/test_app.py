"""The program in the image, laid out as in an image and run by the interpreter alone."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import repro.plan
from repro.plan import runner_sources
from repro.runner import app
from repro.runner.documents import Evaluation, ExpectedMetric, RunRecord, StagedFile
from repro.runner.experiment import Experiment

LOCK = Path(repro.plan.__file__).parent / "runner_lock.toml"
METRICS = "import json; json.dump({'auc': 0.1 + 0.2, 'n': 3}, open('metrics.json', 'w'))"
GATED = (ExpectedMetric("auc", 0.1 + 0.2, minimum=0.3), ExpectedMetric("n", 3, maximum=2.5))
RIGHT = (ExpectedMetric("auc", 0.1 + 0.2), ExpectedMetric("n", 3))


def oldest_python() -> str:
    """The oldest interpreter of 3.9 and later that this machine has, else the one that runs the tests."""
    found = (Path.home() / ".pyenv" / "versions").glob("3.9.*/bin/python")
    return str(next(iter(sorted(found)), sys.executable))


@pytest.fixture(scope="session")
def installed_runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """/opt/repro with its locked packages, for the oldest Python."""
    root = tmp_path_factory.mktemp("opt") / "repro"
    for name, data in runner_sources().items():
        path = root / "repro_runner" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    lock = root.parent / "pylock.runner.toml"
    shutil.copyfile(LOCK, lock)
    uv = [sys.executable, "-m", "uv", "--no-config", "--quiet", "pip", "install", "--only-binary", ":all:"]
    target = ["--python", oldest_python(), "--target", str(root / "site-packages")]
    subprocess.run([*uv, *target, "--require-hashes", "--requirements", str(lock)], check=True)
    return root


@pytest.fixture
def image(installed_runner, kernel_python, tmp_path, bench):
    """Bakes an evaluation and runs it as the image's entrypoint would."""

    class Image:
        root, project, out = tmp_path / "opt", tmp_path / "opt-project", tmp_path / "out"

        def bake(self, *cells: str, **settings: object) -> None:
            shutil.copytree(installed_runner, self.root, copy_function=os.link)
            self.project.mkdir()
            bench.root = self.project
            bench.write_notebook(*cells)
            content = (self.project / "work.ipynb").read_bytes()
            (self.root / "repro.lock").write_bytes(b"the lock")
            evaluation = Evaluation(
                **{
                    "kind": "notebook",
                    "path": "work.ipynb",
                    "python": kernel_python,
                    "python_version": ".".join(map(str, sys.version_info[:3])),
                    "lock_digest": "sha256:" + hashlib.sha256(b"the lock").hexdigest(),
                    "metrics": RIGHT,
                    "files": (StagedFile("work.ipynb", "notebook", hashlib.sha256(content).hexdigest(), len(content)),),
                    **settings,
                }
            )
            (self.root / "evaluation.json").write_bytes(evaluation.to_json())

        def start(self, *options: str) -> subprocess.Popen[str]:
            paths = ["--root", self.root, "--project", self.project, "--work", tmp_path / "work", "--out", self.out]
            command = [oldest_python(), "-I", "-S", "-B", self.root / "repro_runner", *paths, *options]
            environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C"}
            if "WORK_MARK" in os.environ:
                environment["WORK_MARK"] = os.environ["WORK_MARK"]
            return subprocess.Popen(
                list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
                env=environment, cwd="/",
            )  # fmt: skip

        def run(self, *options: str) -> tuple[int, list[str]]:
            process = self.start(*options)
            output, errors = process.communicate(timeout=120)
            assert errors == ""
            return process.returncode, output.splitlines()

        def record(self) -> RunRecord:
            return RunRecord.from_json((self.out / "record.json").read_bytes())

    return Image()


def test_verified(image):
    image.bake("x = 1", METRICS)
    code, lines = image.run("--json")
    record = json.loads(lines[-1])
    assert code == 0, lines
    assert lines[0].startswith("work.ipynb from lock sha256:")
    assert lines[1] == "kernel ready, 2 code cells"
    assert lines[2].startswith("[1/2] x = 1… ")
    assert "metric  baseline             measured             difference  tolerance  verdict" in lines
    assert "auc     0.30000000000000004  0.30000000000000004  0           exact      same" in lines
    assert lines[-2] == "VERIFIED: 2 of 2 metrics agree with the baseline, all bit for bit"
    assert record["schema"] == "repro.run/1"
    assert image.record().to_json().decode() == lines[-1] + "\n"
    assert image.record().warnings == ()
    assert (image.out / "executed.ipynb").exists()
    assert not (image.project / "metrics.json").exists()


@pytest.mark.parametrize(
    ("cells", "settings", "code", "words"),
    [
        ([METRICS], {"metrics": (ExpectedMetric("auc", 0.3), ExpectedMetric("n", 3))}, 1, "1 of 2 metrics differ: auc"),
        ([METRICS], {"metrics": (ExpectedMetric("auc", 0.3, absolute=1e-9),)}, 0, "0 bit for bit, the others within"),
        (
            [METRICS],
            {"metrics": GATED},
            1,
            "as on the laptop, all bit for bit, but n 3 is over its gate ≤ 2.5",
        ),
        ([METRICS], {"metrics": (ExpectedMetric("auc", 0.3, band=(0.3, 0.31, 0.29)),)}, 0, "the others within"),
        ([METRICS], {"metrics": (ExpectedMetric("f1", 0.3),)}, 6, "missing or of another type: f1"),
        ([METRICS], {"metrics": (ExpectedMetric("n", 3.0),)}, 6, "missing or of another type: n"),
        ([METRICS], {"metrics": ()}, 6, "the lock has no metric to compare with"),
        (["1 / 0"], {}, 3, "the evaluation failed"),
        (["import os; os._exit(1)"], {}, 3, "ended from outside or crashed"),
        (["while True: pass"], {"cell_timeout": 1.0}, 8, "ran out of time"),
        ([METRICS], {"python": "/no/python"}, 3, "could not be started"),
        ([METRICS], {"lock_digest": "sha256:" + "0" * 64}, 5, "not what the lock says"),
        (["open('metrics.json', 'w').write('{')"], {}, 6, "the metrics can't be read"),
    ],
)
def test_outcomes(image, cells, settings, code, words):
    image.bake(*cells, **settings)
    found, lines = image.run()
    assert (found, words in lines[-1]) == (code, True), lines
    assert lines[-1].startswith("VERIFIED" if code == 0 else "NOT VERIFIED")
    assert image.record().lock_digest == Evaluation.from_json((image.root / "evaluation.json").read_bytes()).lock_digest


def test_what_flipped_and_gates_are_shown_below_the_table(image):
    image.bake(METRICS, metrics=(ExpectedMetric("n", 5, "lower", samples=8, minimum=2.0, maximum=2.5),))
    code, lines = image.run()
    assert code == 1
    assert lines[-6:] == [
        "n: 2 of 8 samples flipped",
        "n: better than the baseline, beyond its tolerance: make sure that it isn't leakage",
        "gate: n ≥ 2.0: kept",
        "gate: n ≤ 2.5: NOT kept",
        "",
        "NOT VERIFIED: 1 of 1 metrics differ: n; n 3 is over its gate ≤ 2.5 (exit code 1)",
    ]


def test_metrics_that_the_author_leaves_out_are_not_extra(image):
    image.bake(METRICS, metrics=RIGHT[:1], metrics_exclude=("n*",))
    code, lines = image.run()
    assert code == 0
    assert not any("not in the lock" in line for line in lines)
    assert [metric.name for metric in image.record().metrics] == ["auc"]


def test_an_experiment_verifies_nothing(image):
    image.bake("import os", METRICS.replace("0.1", "float(os.environ['TENTH'])"), environment={"TENTH": "0.5"})
    code, lines = image.run("--experiment", Experiment({"TENTH": "0.1"}).to_json())
    assert code == 6
    assert lines[-1] == "EXPERIMENT: something was set otherwise than the lock says, so nothing is verified"
    record = image.record()
    assert record.metrics[0].value == RIGHT[0].value
    assert record.experiment["environment"] == {"TENTH": "0.1"}


def test_what_is_no_experiment_runs_nothing(image):
    image.bake(METRICS)
    process = image.start("--experiment", "{}")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 4
    assert "not an experiment" in errors
    assert not image.out.exists()


def test_a_failing_cell_is_shown(image):
    image.bake("x = 1", "raise ValueError('no data')")
    _, lines = image.run()
    assert "cell 2: ValueError: no data" in lines
    assert [line for line in lines[4:] if "raise ValueError" in line] == ["    ----> 1 raise ValueError('no data')"]


def test_one_flipped_byte(image):
    image.bake(METRICS)
    notebook = image.project / "work.ipynb"
    notebook.write_bytes(notebook.read_bytes().replace(b"0.2", b"0.3"))
    code, lines = image.run()
    assert code == 5
    assert any(line.startswith("  - work.ipynb: expected sha256 ") for line in lines)
    assert not any(line.startswith("[1/") for line in lines)
    assert image.record().failure.kind == "tampered"


def test_nothing_baked_in(image):
    image.bake(METRICS)
    (image.root / "evaluation.json").unlink()
    process = image.start()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 4
    assert "the evaluation can't be set up" in errors


def test_a_mounted_project_is_not_erased(image, tmp_path):
    image.bake(METRICS)
    thesis = tmp_path / "work" / "thesis.ipynb"
    thesis.parent.mkdir()
    thesis.write_text("years of work")
    process = image.start()
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 4
    assert "work is not empty" in errors
    assert "tampered" not in output + errors
    assert thesis.read_text() == "years of work"


def test_a_fault_of_the_runner_is_not_a_moved_metric(tmp_path, monkeypatch, capsys):
    """The last resort: a traceback would end with 1, which says that a metric moved."""

    def fail(_: bytes) -> Evaluation:
        raise LookupError("no\nway")

    monkeypatch.setattr(Evaluation, "from_json", fail)
    (tmp_path / "evaluation.json").write_text("{}")
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert app.main(["--root", str(tmp_path)]) == 4
    finally:
        signal.signal(signal.SIGTERM, before)
    assert capsys.readouterr().err == "the runner failed: LookupError: no way\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(image, survivors, number):
    image.bake("x = 1", "while True: pass")
    process = image.start()
    for line in iter(process.stdout.readline, ""):
        if line.startswith("[1/2]"):
            break
    assert process.stdout.read(len("[2/2]")) == "[2/2]"
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted: nothing was judged" in output
    assert survivors() == []
