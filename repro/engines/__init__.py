"""Container engines behind one small protocol. Callers name an engine or let `find_engine` look for one."""

from repro.engines.docker import DockerEngine
from repro.engines.model import Engine, EngineInfo, ImageInfo, RunOutcome, RunSpec
from repro.engines.select import Attempt, find_engine, probe_engines

__all__ = [
    "Attempt",
    "DockerEngine",
    "Engine",
    "EngineInfo",
    "ImageInfo",
    "RunOutcome",
    "RunSpec",
    "find_engine",
    "probe_engines",
]
