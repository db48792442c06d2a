"""Engines that run images, behind one small protocol. Callers name one or let `find_engine` look for it."""

from repro.engines.docker import DockerEngine
from repro.engines.model import Engine, EngineInfo, ImageInfo, RunOutcome, RunSpec
from repro.engines.select import ENGINES, Attempt, find_docker, find_engine, probe_engines

__all__ = [
    "ENGINES",
    "Attempt",
    "DockerEngine",
    "Engine",
    "EngineInfo",
    "ImageInfo",
    "RunOutcome",
    "RunSpec",
    "find_docker",
    "find_engine",
    "probe_engines",
]
