"""Time zone, locale, threads and variables: read once, the same for the rerun and the image."""

from pathlib import Path

import pytest

from repro.capture.surroundings import read_environment, timezone_name
from repro.errors import CaptureError


@pytest.mark.parametrize(
    ("environ", "zone"),
    [
        ({"TZ": "Europe/Berlin"}, "Europe/Berlin"),
        ({"TZ": ":Asia/Tokyo"}, "Asia/Tokyo"),
        ({"TZ": "UTC0"}, "UTC0"),
        ({}, "America/Lima"),
    ],
)
def test_the_time_zone_is_named(environ: dict[str, str], zone: str, tmp_path: Path) -> None:
    place = tmp_path / "zoneinfo" / "America" / "Lima"
    place.parent.mkdir(parents=True)
    place.touch()
    (tmp_path / "localtime").symlink_to(place)
    assert timezone_name(environ, localtime=tmp_path / "localtime") == zone


def test_a_path_never_stands_for_a_time_zone(tmp_path: Path) -> None:
    place = tmp_path / "zoneinfo" / "Asia" / "Tokyo"
    place.parent.mkdir(parents=True)
    place.touch()
    (tmp_path / "localtime").symlink_to(place)
    assert timezone_name({"TZ": f":{tmp_path}/localtime"}) == "Asia/Tokyo"
    (tmp_path / "timezone").write_text("Europe/Oslo\n", encoding="utf-8")
    elsewhere = {"TZ": f":{tmp_path}/nothing"}
    assert timezone_name(elsewhere, timezone=tmp_path / "timezone") == "Europe/Oslo"
    assert timezone_name(elsewhere, timezone=tmp_path / "none") == "UTC"


def test_only_allowed_variables_enter() -> None:
    environ = {"MODE": "fast", "SECRET": "x", "TZ": "UTC", "OMP_NUM_THREADS": "3,2"}
    environment, warnings = read_environment(environ, allowed=["MODE"], threads=None)
    assert environment.variables == {"MODE": "fast", "PYTHONHASHSEED": "0"}
    assert environment.threads == 3
    assert warnings == ()


def test_a_fixed_hash_seed_is_kept_and_random_is_not() -> None:
    assert read_environment({"PYTHONHASHSEED": "7"}, allowed=[], threads=1)[0].variables["PYTHONHASHSEED"] == "7"
    assert read_environment({"PYTHONHASHSEED": "random"}, allowed=[], threads=1)[0].variables["PYTHONHASHSEED"] == "0"


def test_a_national_locale_is_told() -> None:
    environment, (warning,) = read_environment({"LANG": "de_DE.UTF-8"}, allowed=[], threads=1)
    assert environment.locale == "C.UTF-8"
    assert "de_DE.UTF-8" in warning


def test_an_allowed_variable_must_be_set() -> None:
    with pytest.raises(CaptureError) as caught:
        read_environment({}, allowed=["MODE"], threads=1)
    assert caught.value.problems == ("MODE",)
