"""The collector waits, and works again afterwards."""

import gc

import pytest

from repro.garbage import no_collection


def failing() -> None:
    with no_collection():
        assert not gc.isenabled()
        with no_collection():
            assert not gc.isenabled()
        assert not gc.isenabled()
        raise KeyError


def test_nothing_is_collected_until_the_block_ends_however_it_ends():
    assert gc.isenabled()
    with pytest.raises(KeyError):
        failing()
    assert gc.isenabled()


def test_who_has_it_switched_off_keeps_it_so():
    gc.disable()
    try:
        with no_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
