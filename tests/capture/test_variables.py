"""Which variables sources read, and which of them the image won't have."""

from pathlib import Path

import pytest

from repro.capture.variables import secret_warnings, variable_warnings, variables_read
from repro.digest import Digest
from repro.lock import LockedFile


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import os\nos.environ['A']", {"A"}),
        ("import os as o\no.environ.get('A', 'x')", {"A"}),
        ("import os.path\nos.getenv('A')", {"A"}),
        ("import os\nos.getenv(key='A')", {"A"}),
        ("from os import environ, getenv\nenviron['A'] + getenv('B')", {"A", "B"}),
        ("from os import environ as e, getenv as g\ne.get('A'); g('B')", {"A", "B"}),
        ("import os\nenv = os.environ\nenv.get('A')", {"A"}),
        ("import os\nKEY = 'A'\nos.environ[KEY]", {"A"}),
        ("import os\n'A' in os.environ and 'B' not in os.environ", {"A", "B"}),
        ("import os\nos.path.expandvars('$A/x/${B}')", {"A", "B"}),
        ("import os\nos.environ['A'] = '1'; del os.environ['B']; os.environ.update(C='1')", set()),
        ("d = {}\nd['A']; d.get('B'); getenv('C'); environ['D']", set()),
        ("%env A", {"A"}),
        ("x = %env A\n%matplotlib inline\nimport os\nos.environ['B']", {"A", "B"}),
        ("%env A=1\n%env B 2\n%env", set()),
        ("!ls\nimport os\nos.environ['A']", {"A"}),
        ("text = '''\n%env A\n'''", set()),
        ("%%bash\nos.environ['A']", set()),
        ("os.environ['A' this is (not Python", set()),
    ],
)
def test_names_that_a_source_reads(source: str, names: set[str]) -> None:
    assert variables_read([source]) == names


def test_cells_share_their_imports() -> None:
    assert variables_read(["from os import environ as e", "e['A']"]) == {"A"}


def test_a_variable_that_is_read_and_set_is_told_without_its_value() -> None:
    source = "import os\n[os.environ.get(n) for n in ()]\n"
    source += "".join(
        f"os.environ.get('{name}')\n" for name in ("TOKEN", "UNSET", "PINNED", "HOME", "PATH", "MKL_CBWR")
    )
    environ = dict.fromkeys(("TOKEN", "PINNED", "HOME", "PATH", "UNRELATED", "MKL_CBWR"), "hidden value")
    (warning,) = variable_warnings([source], environ, {}, ["PINNED"])
    assert "MKL_CBWR, TOKEN, which are set on this laptop" in warning
    assert '[run] env = ["MKL_CBWR", "TOKEN"]' in warning
    assert not any(name in warning for name in ("UNSET", "PINNED", "HOME", "PATH", "UNRELATED", "hidden value"))


def test_variables_of_the_kernelspec_are_told_once() -> None:
    kernel = {"MODE": "fast", "OMP_DYNAMIC": "1", "PINNED": "x"}
    (warning,) = variable_warnings(["import os; os.getenv('MODE')"], {"MODE": "slow"}, kernel, {"PINNED"})
    assert warning.startswith("the kernelspec sets MODE, OMP_DYNAMIC, which are not carried into the image")
    assert '[run] env = ["MODE", "OMP_DYNAMIC"]' in warning


@pytest.mark.parametrize(
    "name",
    [
        *("MKL_CBWR", "OPENBLAS_CORETYPE", "BLIS_NUM_THREADS", "NPY_DISABLE_CPU_FEATURES", "KMP_AFFINITY"),
        *("GOMP_SPINCOUNT", "OMP_SCHEDULE", "CUDA_VISIBLE_DEVICES", "CUBLAS_WORKSPACE_CONFIG", "TF_DETERMINISTIC_OPS"),
        *("XLA_FLAGS", "TORCH_HOME", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY"),
        *("NUMBA_DISABLE_JIT", "PYTHONPATH", "PYTHONOPTIMIZE", "LD_LIBRARY_PATH", "LD_PRELOAD"),
    ],
)
def test_inherited_variables_that_move_numbers_or_imports(name: str) -> None:
    (warning,) = variable_warnings([], {name: "hidden value", "EDITOR": "vi"}, {}, ["OMP_NUM_THREADS"])
    assert warning.startswith(f"this laptop sets {name}, which is not carried into the image")
    assert f'[run] env = ["{name}"]' in warning
    assert "hidden value" not in warning
    assert variable_warnings([], {name: "x"}, {}, [name]) == ()
    assert variable_warnings([], {name: ""}, {}, []) == ()


@pytest.mark.parametrize("name", ["TF_CLI_CONFIG_FILE", "TF_VAR_region", "TF_LOG"])
def test_terraforms_variables_move_nothing(name: str) -> None:
    assert variable_warnings([], {name: "1"}, {}, ()) == ()


@pytest.mark.parametrize("path", [".env", "conf/.env.local", "conf/dev.env"])
def test_secrets_in_files_of_variables_are_named_never_told(path: str, tmp_path: Path) -> None:
    text = "STAGE=dev\nexport HF_TOKEN = 'hf_123'\nDB_PASSWORD=\n# API_KEY=old\nOPENAI_API_KEY=sk-1\n"
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text(text)
    (warning,) = secret_warnings(tmp_path, [_locked(path, text)])
    assert warning.startswith(f"{path} goes into the image with HF_TOKEN, OPENAI_API_KEY, which ")
    assert "hf_123" not in warning
    assert "sk-1" not in warning


def test_settings_without_secrets_and_other_files_are_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("STAGE=dev\n")
    (tmp_path / "notes.txt").write_text("API_KEY=1\n")
    files = [_locked(".env", "STAGE=dev\n"), _locked("notes.txt", "API_KEY=1\n")]
    assert secret_warnings(tmp_path, files) == ()


def _locked(path: str, text: str) -> LockedFile:
    return LockedFile(path, "config", Digest.of(text.encode()), len(text))
