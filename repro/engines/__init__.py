"""Container engines behind one small protocol. Callers name an engine or let `find_engine` look for one."""

from repro.engines.model import Engine, EngineInfo, ImageInfo, RunOutcome, RunSpec

__all__ = ["Engine", "EngineInfo", "ImageInfo", "RunOutcome", "RunSpec"]
