"""Python's cyclic garbage collector, told to wait."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Collect nothing while very many objects that live on are made: each round would look at all of them for nothing.

    For loops without cycles of their own; a third of the time of reading a large document is saved.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
