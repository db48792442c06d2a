"""repro.toml: every field has a default, every fault is named with its path, all at once."""

from pathlib import Path

import pytest

from repro.capture.config import (
    CondaConfig,
    Config,
    FileRules,
    IndexConfig,
    MetricPolicy,
    SystemConfig,
    load_config,
    parse_memory,
    project_root,
)
from repro.errors import UsageError
from repro.lock import Gates, ImageOptions, Tolerance

FULL = """
[run]
kernel = "python3"
timeout = 60
cell-timeout = 5.5
args = ["--fold", "3"]
env = ["MODE"]
threads = 2
[files]
include = ["config/*.yaml"]
exclude = ["scratch/**"]
mount = ["data/big/**"]
model = ["weights/*"]
[metrics]
files = ["results.yaml"]
[metrics.policy."test.auc"]
direction = "higher"
absolute = 1e-9
accept-improvement = true
[metrics.policy.n]
samples = 9
flips = 2
min = 1
max = 8.5
[metrics.policy.exactly]
exact = true
[metrics.policy.drawn]
band = true
[metrics.policy.near]
relative = 1e-4
ulp = 3
[metrics.policy.gated]
min = 0.9
[index]
url = "https://pypi.example.org/simple"
extra = ["https://extra.example.org/simple"]
[base]
image = "python:3.11.7-slim-bookworm"
[python]
supply = "base"
allow-patch-drift = true
[limits]
memory = "2g"
[image]
encoding = "zstd"
bytecode = "all"
[system]
apt = ["libgomp1", "g++-12=12.2.0-14+deb12u1", "libxrender1=1:0.9.10-1.1"]
skip-scripts = ["libgl1"]
[conda]
skip-scripts = ["nb_conda_kernels"]
run-scripts = ["font-ttf-ubuntu"]
may-differ = ["libcxx"]
[sources]
"data/" = "s3://bucket/data/"
[packages]
allow-patched = ["six"]
allow-loose = ["sitecustomize"]
[findings]
allow = ["unused-import", "wall-clock"]
"""


def test_no_settings_are_needed(tmp_path: Path) -> None:
    assert load_config(tmp_path) == Config()


def test_every_field_is_read(tmp_path: Path) -> None:
    (tmp_path / "repro.toml").write_text(FULL, encoding="utf-8")
    assert load_config(tmp_path) == Config(
        kernel="python3",
        timeout=60.0,
        cell_timeout=5.5,
        args=("--fold", "3"),
        env=("MODE",),
        threads=2,
        files=FileRules(("config/*.yaml",), ("scratch/**",), {"model": ("weights/*",)}, mount=("data/big/**",)),
        metrics_files=("results.yaml",),
        metric_policies={
            "test.auc": MetricPolicy("higher", Tolerance(1e-9, None), accept_improvement=True),
            "n": MetricPolicy(tolerance=Tolerance(samples=9, flips=2), gates=Gates(1.0, 8.5)),
            "exactly": MetricPolicy(tolerance=Tolerance()),
            "drawn": MetricPolicy(tolerance=Tolerance(band=True)),
            "near": MetricPolicy(tolerance=Tolerance(relative=1e-4, ulp=3)),
            "gated": MetricPolicy(gates=Gates(0.9)),
        },
        index=IndexConfig("https://pypi.example.org/simple", ("https://extra.example.org/simple",)),
        base="python:3.11.7-slim-bookworm",
        supply="base",
        allow_patch_drift=True,
        memory=2 << 30,
        image=ImageOptions("zstd", "all"),
        system=SystemConfig(("libgomp1", "g++-12=12.2.0-14+deb12u1", "libxrender1=1:0.9.10-1.1"), ("libgl1",)),
        conda=CondaConfig(("nb_conda_kernels",), ("font-ttf-ubuntu",), ("libcxx",)),
        sources={"data/": "s3://bucket/data/"},
        allow_patched=("six",),
        allow_loose=("sitecustomize",),
        allowed_findings=("unused-import", "wall-clock"),
    )


def test_pyproject_serves_where_there_is_no_repro_toml(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.repro.run]\ntimeout = 7\n", encoding="utf-8")
    assert load_config(tmp_path).timeout == 7
    (tmp_path / "repro.toml").write_text("[run]\ntimeout = 8\n", encoding="utf-8")
    assert load_config(tmp_path).timeout == 8


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[run]\ntimeout = -1", "run.timeout: must be a finite number"),
        ("[run]\ntimeout = inf", "run.timeout: must be a finite number"),
        ("[run]\ntimeouts = 1", "run.timeouts: unknown field"),
        ("[ran]\ntimeout = 1", "ran: unknown field"),
        ("[metrics]\nfiles = ['../m.json']", "metrics.files[0]: must be a relative path"),
        ("[metrics.policy.auc]\nabsolute = -1", "metrics.policy.auc.absolute: must be a finite number"),
        ("[metrics.policy.auc]\ndirection = 'up'", "metrics.policy.auc.direction: must be one of higher, lower"),
        ("[metrics.policy.m]\naccept-improvement = true", "metrics.policy.m.accept-improvement: needs a direction"),
        ("[metrics.policy.m]\nexact = true\nulp = 1", "metrics.policy.m.exact: can't be combined with ulp"),
        ("[metrics.policy.m]\nband = true\nabsolute = 1", "metrics.policy.m.band: can't be combined with absolute"),
        ("[metrics.policy.m]\nsamples = 9\nband = true", "metrics.policy.m.band: can't be combined with samples"),
        ("[metrics.policy.m]\nsamples = 0", "metrics.policy.m.samples: must be at least 1"),
        ("[metrics.policy.m]\nflips = 1", "metrics.policy.m.flips: needs samples"),
        ("[metrics.policy.m]\nsamples = 9\nflips = 9", "metrics.policy.m.flips: must be less than samples"),
        ("[metrics.policy.m]\nsamples = 'x'", "metrics.policy.m.samples: must be an integer"),
        ("[metrics.policy.m]\nulp = 1.5", "metrics.policy.m.ulp: must be an integer"),
        ("[metrics.policy.m]\nmin = 2\nmax = 1", "metrics.policy.m.min: is above max"),
        ("[metrics.policy.m]\nmax = inf", "metrics.policy.m.max: must be a finite number"),
        ("[metrics.policy.m]\ndigits = 2", "metrics.policy.m.digits: unknown field"),
        ("[limits]\nmemory = 'infk'", "limits.memory: must be a size"),
        ("[limits]\nmemory = '0g'", "limits.memory: must be a size"),
        ("[limits]\nmemory = 4", "limits.memory: must be a string"),
        ("[limits]\nmemory = ''", "limits.memory: must not be empty"),
        ("[image]\nencoding = 'lzma'", "image.encoding: must be one of splice, gzip, zstd, tar"),
        ("[image]\nbytecode = true", "image.bytecode: must be a string"),
        ("[image]\nbytecode = 'some'", "image.bytecode: must be one of used, all, none"),
        ("[system]\napt = 'libgomp1'", "system.apt: must be an array of strings"),
        ("[system]\napt = ['libgomp1', 'LibGL1']", "system.apt[1]: must be a Debian package"),
        ("[system]\napt = ['libgomp1:arm64']", "system.apt[0]: must be a Debian package"),
        ("[system]\napt = ['libgomp1=']", "system.apt[0]: must be a Debian package"),
        ("[system]\napt = ['libgomp1 (>= 1)']", "system.apt[0]: must be a Debian package"),
        ("[system]\napt = ['-o=Dir::Etc=/tmp']", "system.apt[0]: must be a Debian package"),
        ("[system]\napt = ['libgomp1', 'libgomp1=1.0']", "system.apt[1]: comes twice"),
        ("[system]\nskip-scripts = ['libgl1=1']", "system.skip-scripts[0]: must be the name of a Debian package"),
        ("[system]\nskip-scripts = ['libgl1', 'libgl1']", "system.skip-scripts[1]: comes twice"),
        ("[conda]\nrun-scripts = ['Fonts']", "conda.run-scripts[0]: must be the name of a conda package"),
        ("[conda]\nskip-scripts = ['a']\nrun-scripts = ['b', 'a']", "conda.run-scripts[1]: a is in skip-scripts, too"),
        ("[findings]\nallow = ['wall-clock', 'clock']", "findings.allow[1]: must be one of absolute-path, "),
        ("[findings]\ndeny = []", "findings.deny: unknown field"),
        ("[system]\npackages = ['libgl1']", "system.packages: unknown field"),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "repro.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_config(tmp_path)
    assert [line[: len(problem)] for line in caught.value.problems] == [problem], caught.value.problems


@pytest.mark.parametrize("text", ["tool = 1", "[tool]\nrepro = 1", "[tool", "\x00"])
def test_a_broken_pyproject_is_no_crash(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    if text == "tool = 1":
        assert load_config(tmp_path) == Config()
        return
    with pytest.raises(UsageError):
        load_config(tmp_path)


@pytest.mark.parametrize(("text", "size"), [("512m", 512 << 20), ("4G", 4 << 30), ("1.5k", 1536), ("77", 77)])
def test_sizes_are_written_as_docker_writes_them(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "g", "1x", "-1g", "1e400", "infk", "nan"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - it carries the text only
        parse_memory(text)


def test_the_root_is_the_nearest_marked_directory(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    subject = inner / "x.ipynb"
    subject.touch()
    (tmp_path / ".git").mkdir()
    assert project_root(subject) == tmp_path
    (tmp_path / "a" / "repro.toml").touch()
    assert project_root(subject) == tmp_path / "a"
