"""The order in which a laptop is looked at: what is wrong with a setting is said before anything takes long."""

import os
import sys
from pathlib import Path

import pytest

from repro.capture.probe import probe
from repro.capture.project import open_project
from repro.capture.request import CaptureRequest
from repro.capture.survey import Survey
from repro.errors import UsageError
from repro.progress import Silent


def test_a_wrong_index_is_refused_before_a_base_is_looked_for_or_python_packed(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text("print(1)\n")
    request = CaptureRequest(tmp_path / "work.py", base="no-registry.invalid/base", index_url="htp://host/simple")
    survey = Survey(open_project(request), request, Silent(), os.environ, {})
    with pytest.raises(UsageError, match="htp://host/simple"):
        survey.installed(probe(Path(sys.executable), cwd=tmp_path, env=os.environ))
