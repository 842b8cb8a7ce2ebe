"""TeddyClient: one asynchronous interface over the command API and the query API."""

from shared.client.answers import LiveUpdate
from shared.client.client import TeddyClient
from shared.client.transport import NotYetAvailable, Observation, TeddyProblem, Unreachable

__all__ = [
    "LiveUpdate",
    "NotYetAvailable",
    "Observation",
    "TeddyClient",
    "TeddyProblem",
    "Unreachable",
]
