"""TeddyClient: one asynchronous interface over the command API and the query API."""

from shared.client.calls import Freshness, SeenWrites, freshness_of
from shared.client.client import LiveUpdate, TeddyClient
from shared.client.transport import NotYetAvailable, Observation, TeddyProblem, Unreachable

__all__ = [
    "Freshness",
    "LiveUpdate",
    "NotYetAvailable",
    "Observation",
    "SeenWrites",
    "TeddyClient",
    "TeddyProblem",
    "Unreachable",
    "freshness_of",
]
