"""TeddyClient: one asynchronous interface over the command API and the query API."""

from shared.client.client import TeddyClient
from shared.client.transport import NotYetAvailable, Observation, TeddyProblem, Unreachable

__all__ = ["NotYetAvailable", "Observation", "TeddyClient", "TeddyProblem", "Unreachable"]
