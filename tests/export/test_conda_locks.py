"""conda-lock.yml and explicit files, read by conda-lock and by the library of pixi."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from rattler.explicit_environment import ExplicitEnvironmentSpec

from repro.cli import main
from repro.errors import ExitCode, UsageError
from repro.export import conda_explicit, conda_lock, left_out
from repro.lock import CondaPatch, Lock, render_lock
from tests.export.conda_locks import AMD, ARM, built, conda_lock_lock, read_by_conda_lock
from tests.lock.samples import digest, plain_lock

LOCK = conda_lock_lock()


def lines(text: str) -> list[str]:
    """Without comments."""
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_conda_lock_reads_it_and_would_write_and_install_the_same(tmp_path: Path) -> None:
    path = tmp_path / "conda-lock.yml"
    path.write_text(conda_lock(LOCK), encoding="utf-8")
    read = read_by_conda_lock(path)
    assert yaml.safe_load(read["again"]) == yaml.safe_load(path.read_text(encoding="utf-8"))
    assert "\n".join(lines(path.read_text(encoding="utf-8"))).strip() == read["again"].strip()
    for target, platform in ((AMD, "linux-64"), (ARM, "linux-aarch64")):
        rendered = read["explicit"][platform]
        assert lines("\n".join(rendered)) == lines(conda_explicit(LOCK, target))
        assert f"# platform: {platform}" in rendered
        [six] = [line for line in rendered if line.startswith("# pip ")]
        assert six == f"# pip six @ https://files.example.org/six-1.10-py3-none-any.whl#sha256={digest('six1.10').hex}"


def test_its_metadata_is_what_conda_lock_and_micromamba_ask_for() -> None:
    """micromamba takes no file without sources, content hashes, and the variables of every channel."""
    document = yaml.safe_load(conda_lock(LOCK))
    assert document["version"] == 1
    metadata = document["metadata"]
    assert metadata["platforms"] == ["linux-64", "linux-aarch64"]
    assert metadata["sources"] == ["repro.lock"]
    assert metadata["channels"] == [
        {"url": "conda-forge", "used_env_vars": []},
        {"url": "bioconda", "used_env_vars": []},
    ]
    assert set(metadata["content_hash"]) == {"linux-64", "linux-aarch64"}
    assert len(set(metadata["content_hash"].values())) == 2


def test_packages_are_there_for_each_platform_with_both_hashes() -> None:
    entries = yaml.safe_load(conda_lock(LOCK))["package"]
    [numpy] = [one for one in entries if one["name"] == "numpy" and one["platform"] == "linux-aarch64"]
    assert numpy == {
        "name": "numpy",
        "version": "1.26.4",
        "manager": "conda",
        "platform": "linux-aarch64",
        "dependencies": {"libblas": ">=3.9.0,<4.0a0", "python_abi": "3.11.* *_cp311"},
        "url": "https://conda.anaconda.org/conda-forge/linux-aarch64/numpy-1.26.4-py311h_0.conda",
        "hash": {
            "md5": digest("md5 of numpy-1.26.4-py311h_0.conda").hex[:32],
            "sha256": digest("numpy-1.26.4-py311h_0.conda").hex,
        },
        "category": "main",
        "optional": False,
    }
    [pip, _] = [one for one in entries if one["name"] == "pip"]
    assert pip["dependencies"] == {"python": ">=3.9,<3.13"}
    assert [(one["name"], one["version"]) for one in entries if one["manager"] == "pip"] == [("six", "1.10")] * 2
    assert len(entries) == 2 * 11 + 2


def test_the_same_lock_gives_the_same_bytes_and_another_gives_another_content_hash() -> None:
    backwards = replace(LOCK, conda=LOCK.conda[::-1], packages=LOCK.packages[::-1], targets=LOCK.targets[::-1])
    assert conda_lock(backwards) == conda_lock(LOCK)
    other = replace(LOCK, conda=tuple(replace(one, sha256=digest("x")) for one in LOCK.conda))
    hashes = [yaml.safe_load(conda_lock(one))["metadata"]["content_hash"]["linux-64"] for one in (LOCK, other)]
    assert hashes[0] != hashes[1]


def test_an_explicit_file_is_in_the_order_of_installation_and_pixi_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "linux.txt"
    path.write_text(conda_explicit(LOCK, AMD), encoding="utf-8")
    read = ExplicitEnvironmentSpec.from_path(path)
    assert str(read.platform) == "linux-64"
    assert [f"{one.url}" for one in read.packages] == lines(conda_explicit(LOCK, AMD))[1:]
    order = [str(one.url).rpartition("/")[2].rsplit("-", 2)[0] for one in read.packages]
    assert sorted(order) == sorted(one.name for one in LOCK.conda if one.target == AMD)
    for before, after in (("_libgcc_mutex", "libgcc"), ("libgcc", "python"), ("python", "pip"), ("libblas", "numpy")):
        assert order.index(before) < order.index(after)


def test_packages_that_cannot_be_named_there_are_all_told() -> None:
    lost = built("ours", "1.0", "0", url=None, channel="file")
    old = built("old", "2.0", "1", md5=None)
    for export in (conda_lock, lambda lock: conda_explicit(lock, AMD)):
        with pytest.raises(UsageError) as caught:
            export(replace(LOCK, conda=(*LOCK.conda, lost, old)))
        assert caught.value.problems == (
            "ours=1.0=0 for linux/amd64 is published nowhere: only this project's objects have it",
            "old=2.0=1 for linux/amd64 has no MD5, which they ask for: its channel states none",
        )
        assert caught.value.fix


def test_what_one_platform_lacks_does_not_keep_the_other_from_its_file() -> None:
    lost = built("ours", "1.0", "0", url=None, channel="file")
    lock = replace(LOCK, conda=(*LOCK.conda, lost))
    assert lines(conda_explicit(lock, ARM)) == lines(conda_explicit(LOCK, ARM))


def test_a_lock_without_conda_or_without_the_platform_is_refused() -> None:
    with pytest.raises(UsageError, match="no conda packages") as caught:
        conda_lock(plain_lock())
    assert "pylock" in str(caught.value.fix)
    with pytest.raises(UsageError, match="not for linux/s390x"):
        conda_explicit(LOCK, "linux/s390x")


def test_what_is_left_out_is_told() -> None:
    [mine] = left_out(LOCK, "conda-lock", AMD)
    assert mine.startswith("mine is not in it, because no index has the wheel: install it on top")
    [pip] = left_out(LOCK, "conda-explicit", AMD)
    assert "so mine, six are not in it: export them with --format requirements --platform linux/amd64" in pip
    for kind in ("requirements", "pylock"):
        [conda] = left_out(LOCK, kind, AMD)  # type: ignore[arg-type]
        assert "the lock's 11 conda packages can be exported with --format conda-lock or conda-explicit" in conda
        assert list(left_out(plain_lock(), kind, AMD)) == []  # type: ignore[arg-type]
    assert list(left_out(replace(LOCK, packages=()), "conda-lock", AMD)) == []


def test_packages_edited_by_hand_are_told_where_they_are() -> None:
    patch = CondaPatch("lib/x.py", digest("x"), 1)
    edited = [
        replace(one, patched=(patch,)) if one.name == "numpy" and one.target == ARM else one for one in LOCK.conda
    ]
    lock = replace(LOCK, conda=tuple(edited), packages=())
    [told] = left_out(lock, "conda-explicit", ARM)
    assert told == "files of numpy were edited by hand here; the file brings them as they are published"
    assert list(left_out(lock, "conda-explicit", AMD)) == []
    assert list(left_out(lock, "conda-lock", AMD)) == [told]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "repro.lock").write_bytes(render_lock(LOCK))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_writes_both_and_warns_on_standard_error(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--format", "conda-lock", "-o", "conda-lock.yml"]) == ExitCode.OK
    assert (project / "conda-lock.yml").read_text(encoding="utf-8") == conda_lock(LOCK)
    assert "warning: mine is not in it" in capsys.readouterr().err
    assert main(["export", "--format", "conda-explicit", "--platform", ARM]) == ExitCode.OK
    shown = capsys.readouterr()
    assert shown.out == conda_explicit(LOCK, ARM)
    assert "explicit files have no place for pip's packages" in shown.err
    assert main(["export", "--format", "conda-lock", "--platform", ARM]) == ExitCode.USAGE
    assert "every platform" in capsys.readouterr().err
    assert main(["export", "--format", "requirements"]) == ExitCode.OK
    shown = capsys.readouterr()
    assert "six==1.10" in shown.out
    assert "conda packages can be exported" in shown.err


def test_nothing_is_written_of_what_cannot_be_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lost: Lock = replace(LOCK, conda=(*LOCK.conda, built("ours", "1.0", "0", url=None, channel="file")))
    (project / "repro.lock").write_bytes(render_lock(lost))
    assert main(["export", "--format", "conda-lock", "-o", "conda-lock.yml"]) == ExitCode.USAGE
    assert "ours=1.0=0" in capsys.readouterr().err
    assert not (project / "conda-lock.yml").exists()
