"""Lock → the evaluation that is baked into the image and that verify expects to find there."""

from pathlib import PurePosixPath

from repro.digest import Digest
from repro.lock import Environment, Lock, Metric, cell_number
from repro.plan import layout
from repro.runner.documents import Evaluation, ExpectedMetric, StagedFile

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""Every variable by which OpenMP and the BLAS libraries size their thread pools."""


def make_evaluation(lock: Lock, lock_digest: Digest) -> Evaluation:
    """What the runner in the image is told. Pure."""
    return Evaluation(
        kind=lock.subject.kind,
        path=lock.subject.path,
        args=lock.subject.args,
        python=str(layout.ENVIRONMENT / "bin" / "python"),
        python_version=lock.python.version,
        lock_digest=str(lock_digest),
        environment=environment_variables(lock.environment),
        timeout=lock.policy.timeout,
        cell_timeout=lock.policy.cell_timeout,
        metrics_files=lock.policy.metrics_files,
        metrics_exclude=lock.policy.metrics_exclude,
        metrics=tuple(map(expected_metric, lock.metrics)),
        files=tuple(
            StagedFile(file.path, file.role, file.sha256.hex, file.size, file.executable, file.mount)
            for file in lock.files
        ),
        directories=tuple(sorted({*_output_folders(lock), *lock.subject.directories})),
        outputs=tuple(output.path for output in lock.compared if cell_number(output.path) is None),
    )


def _output_folders(lock: Lock) -> set[str]:
    return {str(PurePosixPath(path).parent) for path in lock.outputs} - {"."}


def expected_metric(metric: Metric) -> ExpectedMetric:
    """A locked metric as the runner compares it."""
    tolerance = metric.tolerance
    return ExpectedMetric(
        name=metric.name,
        value=metric.value,
        direction=metric.direction,
        absolute=tolerance.absolute,
        relative=tolerance.relative,
        accept_improvement=metric.accept_improvement,
        ulp=tolerance.ulp,
        digits=tolerance.digits,
        samples=tolerance.samples,
        flips=tolerance.flips,
        band=metric.band,
        minimum=metric.gates.minimum,
        maximum=metric.gates.maximum,
    )


def environment_variables(environment: Environment) -> dict[str, str]:
    """The variables that an environment sets, the same on the laptop and in the image."""
    return {
        "TZ": environment.timezone,
        "LC_ALL": environment.locale,
        **dict.fromkeys(THREAD_VARIABLES, str(environment.threads)),
        **environment.variables,
    }
