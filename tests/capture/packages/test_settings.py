"""Which indexes are asked: every place that can say so, and their order."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from repro.capture.config import IndexConfig
from repro.capture.packages.pip_config import pip_options
from repro.capture.packages.settings import PYPI, IndexFlags, IndexSettings, load_settings
from repro.errors import UsageError


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A laptop on which nothing is configured but what a test writes below `tmp_path`."""
    home, config = tmp_path / "home", tmp_path / "global"
    for folder in (home, config / "pip"):
        folder.mkdir(parents=True)
    return {"HOME": str(home), "XDG_CONFIG_DIRS": str(config), "PATH": os.environ["PATH"]}


def conf(path: Path, **options: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{name.replace('_', '-')} = {value}\n" for name, value in options.items())
    path.write_text(f"[global]\n{lines}")
    return path


def test_without_any_setting_it_is_pypi(environ: dict[str, str], tmp_path: Path) -> None:
    environ["PIP_CONFIG_FILE"] = os.devnull
    assert load_settings(prefix=tmp_path, environ=environ) == IndexSettings(PYPI, (), (), None)


def test_the_nearer_place_wins_for_each_setting(environ: dict[str, str], tmp_path: Path) -> None:
    prefix = tmp_path / "env"
    conf(Path(environ["HOME"]) / ".config" / "pip" / "pip.conf", index_url="https://file/simple", cert="/file.pem")
    environ |= {"PIP_INDEX_URL": "https://environ/simple", "PIP_EXTRA_INDEX_URL": "https://environ/a https://environ/b"}
    config = IndexConfig(url="https://toml/simple", extra=("https://toml/x",))
    flags = IndexFlags(index_url="https://flag/simple")

    def urls(**given: object) -> tuple[str, ...]:
        return load_settings(prefix=prefix, **given).indexes  # type: ignore[arg-type]

    assert urls(flags=flags, config=config, environ=environ) == ("https://flag/simple", "https://toml/x")
    assert urls(config=config, environ=environ) == ("https://toml/simple", "https://toml/x")
    assert urls(environ=environ) == ("https://environ/simple", "https://environ/a", "https://environ/b")
    bare = {name: value for name, value in environ.items() if not name.startswith("PIP_")}
    assert urls(environ=bare) == ("https://file/simple",)
    assert load_settings(flags=flags, prefix=prefix, environ=bare).ca_cert == Path("/file.pem")


def test_uv_variables_count_with_their_named_logins(environ: dict[str, str]) -> None:
    environ |= {
        "UV_DEFAULT_INDEX": "https://main/simple",
        "UV_INDEX": "my-corp=https://corp/simple https://plain/simple",
        "UV_EXTRA_INDEX_URL": "https://extra/simple",
        "UV_INDEX_MY_CORP_USERNAME": "ann",
        "UV_INDEX_MY_CORP_PASSWORD": "p@ss",
    }
    settings = load_settings(environ=environ)
    assert settings.indexes == (
        "https://main/simple",
        "https://ann:p%40ss@corp/simple",
        "https://plain/simple",
        "https://extra/simple",
    )
    assert str(settings) == "https://main/simple, https://corp/simple, https://plain/simple, https://extra/simple"


def test_pip_itself_reads_its_files_in_the_same_order(environ: dict[str, str], tmp_path: Path) -> None:
    """`pip install --help` shows the defaults that its files set; each option has its last word in another file."""
    home = Path(environ["HOME"])
    prefix = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True)
    first = conf(tmp_path / "global" / "pip" / "pip.conf", index_url="https://global", timeout="1", retries="1")
    first.write_text(first.read_text() + "[install]\nretries = 9\n")
    conf(home / ".pip" / "pip.conf", index_url="https://legacy", timeout="2", retries="2")
    conf(home / ".config" / "pip" / "pip.conf", index_url="https://user", retries="3")
    conf(prefix / "pip.conf", timeout="4")
    explicit = conf(tmp_path / "explicit.conf", retries="5")
    for settings in (environ, {**environ, "PIP_CONFIG_FILE": str(explicit)}):
        command = [sys.executable, "-m", "pip", "--python", str(prefix / "bin" / "python"), "install", "--help"]
        shown = subprocess.run(command, env={**settings, "COLUMNS": "300"}, capture_output=True, text=True, check=True)
        said = dict(re.findall(r"--(index-url|timeout|retries) .*?\(default:?\s+([^\s)]+)", shown.stdout, re.DOTALL))
        ours = pip_options(prefix, settings)
        assert {name: text.removesuffix(".0") for name, text in said.items()} == {name: ours[name] for name in said}
        assert set(said) == {"index-url", "timeout", "retries"}
    assert said["index-url"] == "https://global"


def test_the_install_section_overrides_the_global_one_of_any_file(environ: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "global" / "pip" / "pip.conf"
    path.write_text("[install]\nfind-links = /install\nno_index = yes\n[download]\nfind-links = /download\n")
    conf(Path(environ["HOME"]) / ".config" / "pip" / "pip.conf", find_links="/user")
    options = pip_options(None, environ)
    assert (options["find-links"], options["no-index"]) == ("/install", "yes")


def test_a_named_file_of_nothing_switches_all_files_off(environ: dict[str, str]) -> None:
    conf(Path(environ["HOME"]) / ".config" / "pip" / "pip.conf", index_url="https://user/simple")
    assert pip_options(None, environ)["index-url"] == "https://user/simple"
    assert pip_options(None, {**environ, "PIP_CONFIG_FILE": os.devnull}) == {}


def test_windows_and_macos_keep_their_files_elsewhere(environ: dict[str, str], tmp_path: Path) -> None:
    home = Path(environ["HOME"])
    conf(tmp_path / "roaming" / "pip" / "pip.ini", index_url="https://roaming/simple")
    conf(tmp_path / "programs" / "pip" / "pip.ini", index_url="https://machine/simple", cert="/machine.pem")
    windows = {**environ, "APPDATA": str(tmp_path / "roaming"), "PROGRAMDATA": str(tmp_path / "programs")}
    assert pip_options(None, windows, "win32") == {"index-url": "https://roaming/simple", "cert": "/machine.pem"}
    conf(home / ".config" / "pip" / "pip.conf", index_url="https://xdg/simple")
    assert pip_options(None, environ, "darwin") == {"index-url": "https://xdg/simple"}
    conf(home / "Library" / "Application Support" / "pip" / "pip.conf", index_url="https://library/simple")
    assert pip_options(None, environ, "darwin") == {"index-url": "https://library/simple"}


def test_paths_become_urls_and_stale_ones_of_pip_are_forgiven(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "wheel house").mkdir()
    environ["PIP_FIND_LINKS"] = f"{tmp_path} /gone/long/ago https://host/links.html"
    settings = load_settings(environ=environ, directory=tmp_path)
    assert settings.find_links == (tmp_path.as_uri(), "https://host/links.html")
    named = load_settings(config=IndexConfig(find_links=("wheel house",)), environ=environ, directory=tmp_path)
    assert named.find_links == ((tmp_path / "wheel house").as_uri(),)
    with pytest.raises(UsageError, match="neither a URL nor an existing path: /gone"):
        load_settings(flags=IndexFlags(find_links=("/gone",)), environ=environ)


@pytest.mark.parametrize(
    "url",
    ["htp://host/simple", "https:///simple", "https://host:port/simple", "http://[::1/simple", "ssh://host/x", "://x"],
)
def test_what_no_request_can_be_made_from_is_refused(environ: dict[str, str], url: str) -> None:
    for flags in (IndexFlags(index_url=url), IndexFlags(extra_index_urls=("https://good/simple", url))):
        with pytest.raises(UsageError, match="not a URL that an index can have"):
            load_settings(flags=flags, environ=environ)


def test_no_index_leaves_only_find_links(environ: dict[str, str], tmp_path: Path) -> None:
    environ |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    settings = load_settings(environ=environ)
    assert (settings.indexes, settings.find_links) == ((), (tmp_path.as_uri(),))


def test_a_damaged_pip_conf_is_named(environ: dict[str, str]) -> None:
    path = Path(environ["HOME"]) / ".config" / "pip" / "pip.conf"
    path.parent.mkdir(parents=True)
    path.write_text("index-url = no section\n")
    with pytest.raises(UsageError, match="damaged") as refused:
        load_settings(environ=environ)
    assert refused.value.where == str(path)
