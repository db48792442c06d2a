"""A laptop's conda environment, pip's packages on top, locked for both processors in one capture."""

import os
from dataclasses import replace
from pathlib import Path

from repro.capture.conda.installed import with_conda
from repro.capture.conda.mixed import provided_distributions
from repro.capture.conda.stage import CondaStage
from repro.capture.config import CondaConfig
from repro.capture.probe import probe
from repro.http import per_thread, session
from repro.store import ObjectStore
from tests.capture.conda.platforms import Told
from tests.lock.samples import full_lock


def test_each_processor_gets_its_builds_of_the_same_versions(conda_environment: Path, tmp_path: Path) -> None:
    told = Told()
    seen = probe(conda_environment / "bin" / "python", cwd=tmp_path, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    interpreter = with_conda(seen, told)
    stage = CondaStage(
        interpreter=interpreter,
        config=CondaConfig(),
        store=ObjectStore(tmp_path / "objects"),
        sessions=per_thread(session),
        environ={"HOME": str(tmp_path)},
        progress=told,
    )

    found = stage.packages(stage.review(()), ("linux/amd64", "linux/arm64"), full_lock().base)

    here, there = (
        {one.name: one for one in found if one.target == target} for target in ("linux/amd64", "linux/arm64")
    )
    assert {name: one.version for name, one in here.items()} == {
        name: one.version for name, one in there.items() if one.captured != ""
    }
    assert {name for name, one in there.items() if one.captured == ""} == {"libgcc"}
    assert {one.captured for one in here.values()} == {None}
    numpy = there["numpy"]
    assert (numpy.subdir, numpy.captured) == ("linux-aarch64", f"{here['numpy'].version} {here['numpy'].build}")
    assert there["joblib"] == replace(here["joblib"], target="linux/arm64")
    assert len(told.warnings) == 1
    assert told.warnings[0].startswith("linux/arm64 adds 1 conda package that never ran here: libgcc ")
    provided = provided_distributions(interpreter, there.values())
    assert provided["scikit-learn"] == there["scikit-learn"].version
