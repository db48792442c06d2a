"""`repro capture` in real conda environments: the locks that come of them, and what builds fetch by those."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from repro.capture.capture import capture
from repro.capture.request import CaptureRequest, CaptureResult
from repro.engines import ImageInfo
from repro.errors import CaptureError
from repro.http import per_thread, session
from repro.plan import make_plan, runner_sources
from repro.plan.supplies import LockedSupplies
from repro.progress import Silent
from repro.store import ObjectStore, project_store
from tests.capture.conda.laptop import SITE, Told
from tests.capture.plain_wheels import plain_wheel
from tests.conda_channel.environments import make_environment, pip_install
from tests.conda_channel.server import serving
from tests.conda_channel.shared import Channels

pytestmark = pytest.mark.base

SCORES = """\
import json, os
import numpy as np
from sklearn.linear_model import LogisticRegression
data = np.random.default_rng(5).normal(size=(200, 4))
model = LogisticRegression().fit(data, data[:, 0] > 0)
assert os.environ["LIBDEMO_DATA"].endswith("/share/libdemo"), os.environ["CONDA_PREFIX"]
json.dump({"accuracy": float(model.score(data, data[:, 1] > 0))}, open("metrics.json", "w"))
"""
PLAIN = """\
import json, joblib, threadpoolctl
json.dump({"version": threadpoolctl.__version__}, open("metrics.json", "w"))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root, home = tmp_path / "project", tmp_path / "home"
    root.mkdir()
    home.mkdir()
    (root / "repro.toml").touch()
    monkeypatch.setenv("HOME", str(home))
    return root


def run(
    root: Path, prefix: Path, source: str, base: ImageInfo, told: Told | None = None, allowed: Sequence[str] = ()
) -> CaptureResult:
    (root / "work.py").write_text(source)
    request = CaptureRequest(
        root / "work.py", python=prefix, base=base.tags[0], predict=False, allow_patched=tuple(allowed)
    )
    return capture(request, told or Silent())


def test_everything_is_locked_from_records_and_the_same_again(
    conda_environment: Path, project: Path, base_image: ImageInfo
) -> None:
    told = Told()
    first = run(project, conda_environment, SCORES, base_image, told)
    lock = first.lock
    assert any(f"with {len(lock.conda)} conda packages and 0 pip packages" in line for line in told.lines)
    assert (lock.python.supply, lock.python.packed, lock.packages) == ("conda", None, ())
    assert lock.environment.variables["LIBDEMO_DATA"] == "/opt/env/share/libdemo"
    numpy = next(one for one in lock.conda if one.name == "numpy")
    assert numpy.url is not None
    assert numpy.url.endswith(f"/main/linux-64/{numpy.file}")
    assert {one.name for one in lock.conda if one.requested} >= {"python", "scikit-learn", "pandas", "pip"}
    assert not [one.name for one in lock.conda if one.without or one.patched]
    assert "numpy.linalg" in lock.modules["conda:numpy"]
    assert "json" in lock.modules["python"]
    assert {"conda:scikit-learn", "conda:scipy", "conda:joblib"} <= set(lock.modules)
    assert not run(project, conda_environment, SCORES, base_image).changed


def test_a_mess_behind_a_token_is_told_locked_and_fetched(
    conda_channel: Channels, project: Path, base_image: ImageInfo, tmp_path: Path
) -> None:
    prefix = tmp_path / "envs" / "mess"
    with serving(conda_channel.folder, token="tk-1") as server:
        specs = ("python", "pip", "joblib", "threadpoolctl", "clash-one", "clash-two")
        make_environment(server.url(), specs, prefix, conda_channel.cache, copy=True)
        wheel = plain_wheel(tmp_path, "threadpoolctl", {"threadpoolctl.py": "__version__ = '99.0'\n"}, "99.0")
        pip_install(prefix, "--no-index", "--root-user-action=ignore", str(wheel))
        with (prefix / SITE / "joblib" / "hashing.py").open("a") as stream:
            stream.write("# edited\n")
        (tmp_path / "home" / ".condarc").write_text(f"channels: [{server.url()}]\n")

        with pytest.raises(CaptureError, match=r"joblib/hashing\.py was edited"):
            run(project, prefix, PLAIN, base_image)
        done = run(project, prefix, PLAIN, base_image, allowed=["joblib"])

        lock = done.lock
        assert [(one.name, one.version) for one in lock.packages] == [("threadpoolctl", "99.0")]
        conda = {one.name: one for one in lock.conda}
        assert "threadpoolctl" not in conda
        assert sum(name.startswith("clash-") for name in conda) == 1
        assert [patch.path for patch in conda["joblib"].patched] == [f"{SITE}/joblib/hashing.py"]
        assert any("pip then put threadpoolctl 99.0 in its place" in line for line in done.warnings)
        assert "tk-1" not in done.path.read_text()
        assert str(prefix) not in done.path.read_text()

        plan = make_plan(lock, done.lock_bytes, runner_sources())
        supplies = LockedSupplies(
            plan,
            {},
            objects=project_store(project),
            cache=ObjectStore(tmp_path / "fresh"),
            sessions=per_thread(session),
            progress=Silent(),
        )
        wanted = [conda["joblib"].sha256, conda["joblib"].patched[0].sha256]
        assert set(supplies.bring(wanted)) == set(wanted)


def test_threads_and_time_zone_of_the_environment_hold_on_the_laptop_and_in_the_image(
    conda_channel: Channels, project: Path, base_image: ImageInfo, tmp_path: Path
) -> None:
    """As `conda env config vars set` gives them, with the environment activated or not."""
    prefix = tmp_path / "envs" / "tokyo"
    make_environment(conda_channel.url, ("python",), prefix, conda_channel.cache)
    given = {"env_vars": {"OMP_NUM_THREADS": "3", "TZ": "Asia/Tokyo", "MODE": "fast"}}
    (prefix / "conda-meta" / "state").write_text(json.dumps(given))
    source = "import json, os\njson.dump({'threads': os.environ['OMP_NUM_THREADS']}, open('metrics.json', 'w'))\n"
    lock = run(project, prefix, source, base_image).lock
    assert [metric.value for metric in lock.metrics] == ["3"]
    assert (lock.environment.threads, lock.environment.timezone) == (3, "Asia/Tokyo")
    assert lock.environment.variables["MODE"] == "fast"
    assert not {"OMP_NUM_THREADS", "TZ"} & lock.environment.variables.keys()


def test_a_channel_that_lost_a_package_is_named_before_anything_runs(
    conda_channel: Channels, project: Path, base_image: ImageInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPRO_CACHE_DIR", str(tmp_path / "cache"))
    prefix = tmp_path / "envs" / "lost"
    with serving(conda_channel.folder) as server:
        make_environment(server.url(), ("python", "joblib"), prefix, conda_channel.cache, copy=True)
        lost = next(path.name for path in (conda_channel.main / "noarch").glob("joblib-*"))
        server.lost.add(lost)
        with pytest.raises(CaptureError) as caught:
            run(project, prefix, PLAIN, base_image)
        (problem,) = caught.value.problems
    assert problem.startswith("joblib=")
    assert f"{server.address}/main/noarch/{lost}" in problem
    assert not (project / "repro.lock").exists()
