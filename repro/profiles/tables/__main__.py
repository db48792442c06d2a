"""Runs the program when a Python is given this directory; nothing else of `repro` becomes importable."""

import sys
from importlib import import_module
from pathlib import Path

sys.path[0] = str(Path(__file__).absolute().parent.parent)
program = import_module("tables.program")
del sys.path[0]
program.main(sys.stdin, sys.stdout)
