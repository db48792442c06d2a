"""Match specifications as packages, histories and people write them."""

import pytest

from repro.conda.specs import required_name, split_spec


@pytest.mark.parametrize(
    ("spec", "name", "condition"),
    [
        ("python", "python", ""),
        ("python >=3.11,<3.12.0a0", "python", ">=3.11,<3.12.0a0"),
        ("libblas  3.9.0  *_openblas ", "libblas", "3.9.0 *_openblas"),
        ("conda-forge::Python=3.11", "python", "=3.11"),
        ("conda-forge/linux-64::numpy", "numpy", ""),
        ("numpy[version='>=1.26', channel=a::b]", "numpy", "[version='>=1.26', channel=a::b]"),
        ("_libgcc_mutex 0.1 conda_forge", "_libgcc_mutex", "0.1 conda_forge"),
        ("__glibc >=2.17", "__glibc", ">=2.17"),
        ("typing-extensions!=4", "typing-extensions", "!=4"),
    ],
)
def test_a_specification_begins_with_a_name(spec: str, name: str, condition: str) -> None:
    assert split_spec(spec) == (name, condition)
    assert required_name(spec) == name


@pytest.mark.parametrize("spec", ["", " ", "*", "[build=x]", ">=3"])
def test_what_has_no_name_requires_nothing(spec: str) -> None:
    assert required_name(spec) == ""
