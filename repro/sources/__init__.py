"""Where data and models come from: found out at capture (`find_sources`), fetched by `repro pull` (`pull`)."""

from repro.sources.bodies import Network
from repro.sources.declared import read_entries
from repro.sources.find import Located, find_sources, refuse_pointers
from repro.sources.huggingface import hub_advice
from repro.sources.pull import Pulled, PullReport, pull

__all__ = [
    "Located",
    "Network",
    "PullReport",
    "Pulled",
    "find_sources",
    "hub_advice",
    "pull",
    "read_entries",
    "refuse_pointers",
]
