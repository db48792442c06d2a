"""repro.toml (or [tool.repro] in pyproject.toml): the author's intent. Every field has a default; none is needed.

The format is described in docs/formats/config.md.
"""

from repro.capture.config.load import MARKERS, load_config, project_root
from repro.capture.config.model import (
    DEFAULT_TIMEOUT,
    CondaConfig,
    Config,
    FileRules,
    IndexConfig,
    MetricPolicy,
    OutputPolicy,
    SystemConfig,
)
from repro.capture.config.tables import parse_memory

__all__ = [
    "DEFAULT_TIMEOUT",
    "MARKERS",
    "CondaConfig",
    "Config",
    "FileRules",
    "IndexConfig",
    "MetricPolicy",
    "OutputPolicy",
    "SystemConfig",
    "load_config",
    "parse_memory",
    "project_root",
]
