"""TeddyClient: one asynchronous interface over the command API and the query API."""

from shared.client.answers import LiveUpdate
from shared.client.batch import BatchCommand, BatchResult
from shared.client.client import TeddyClient
from shared.client.freshness import Freshness, freshness_of
from shared.client.operations import Operation, OperationNotListed, StartedOperation
from shared.client.seen_writes import SeenWrites
from shared.client.transport import Observation, TeddyProblem, Unreachable

__all__ = [
    "BatchCommand",
    "BatchResult",
    "Freshness",
    "LiveUpdate",
    "Observation",
    "Operation",
    "OperationNotListed",
    "SeenWrites",
    "StartedOperation",
    "TeddyClient",
    "TeddyProblem",
    "Unreachable",
    "freshness_of",
]
