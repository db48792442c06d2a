"""pip's packages on top of conda's, on a target."""

from repro.capture.conda.mixed import needed_by_pip, provided_distributions
from tests.capture.packages.indexes import installed, laptop, recorded
from tests.lock.samples import conda_package

MAC = recorded("macos-arm64")


def test_what_pips_packages_need_of_conda_on_the_target() -> None:
    interpreter = laptop(
        MAC,
        installed("app", "1.0", "PyYAML", 'only-mac; sys_platform == "darwin"', 'only-linux; sys_platform == "linux"'),
        installed("pyyaml", "6.0", "not-of-pip", conda="yaml-for-python"),
        installed("only-mac", "1.0", conda="only-mac"),
        installed("only-linux", "1.0", conda="only-linux"),
        installed("not-of-pip", "1.0", conda="not-of-pip"),
        installed("by-pip", "1.0"),
    )

    assert needed_by_pip(interpreter, "linux/amd64") == {"yaml-for-python", "only-linux"}


def test_what_conda_brings_is_known_by_the_names_that_pip_knows() -> None:
    interpreter = laptop(
        MAC,
        installed("tables", "3.9.2", conda="pytables"),
        installed("matplotlib-inline", "0.1.7", conda="matplotlib-inline"),
        installed("appnope", "0.1.4", conda="appnope"),
        installed("uneven", "2.0", conda="uneven"),
        installed("by-pip", "1.0"),
    )
    packages = [
        conda_package("pytables", "3.9.2", "py312h2_0", captured="3.9.2 py312h1_0"),
        conda_package("matplotlib-inline", "0.1.7"),
        conda_package("uneven", "2.1", captured="2.0 0"),
        conda_package("python_thing", "1.0", captured="", depends=("python >=3.9",)),
        conda_package("libgcc", "15.1.0", captured="", depends=("_libgcc_mutex",)),
    ]

    assert provided_distributions(interpreter, packages) == {
        "tables": "3.9.2",
        "matplotlib-inline": "0.1.7",
        "uneven": "2.1",
        "python-thing": "1.0",
    }
