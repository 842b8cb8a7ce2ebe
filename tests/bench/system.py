"""A running local stack as the benchmarks see it."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any

import psutil
import pymongo

from tests.bench.cpu import Spent, spent_by
from tests.bench.load_generator import Broken, Driven, LoadGenerator
from tests.bench.other_tree import Stack

CHILDREN = "children__g1"
"""Its `version` says how much of a child the read models have."""

PROJECTED_SECONDS = 300.0
POLL_SECONDS = 0.05
"""Each look costs MongoDB some CPU, which is measured too."""


class System:
    """`processes` by name: mongod, kafka, command, relay, worker, query."""

    def __init__(self, stack: Stack, generator: LoadGenerator) -> None:
        self.stack = stack
        self.processes = {one.name: psutil.Process(one.pid) for one in stack.state.processes}
        self._generator = generator

    @property
    def environment(self) -> Mapping[str, str]:
        """TEDDY_* of the stack's processes: addresses of the servers, names of databases."""
        return self.stack.state.environment

    def drive(self, api: str, requests: Sequence[bytes], connections: int) -> Driven:
        """`api`: command or query. Raises Broken unless every answer is a success."""
        return self._generator.drive(self.stack.address(api), requests, connections)

    def spent(self) -> AbstractContextManager[Spent]:
        """CPU of each process during the block."""
        return spent_by(self.processes)

    @cached_property
    def mongo(self) -> pymongo.MongoClient[dict[str, Any]]:
        return pymongo.MongoClient(self.environment["TEDDY_READ_MONGO_URL"])

    def children(self) -> int:
        """How many the read models have."""
        return int(self._children.estimated_document_count())

    def children_at_rest(self) -> int:
        """How many once there have been no more for a second: what came before is projected."""
        count = self.children()
        while True:
            time.sleep(1.0)
            before, count = count, self.children()
            if count == before:
                return count

    def until_shown(self, children: int) -> None:
        """Returns once the read models have so many. Raises Broken after 300 s."""
        until(lambda: self.children() >= children, f"{children} children in the read models")

    def until_projected(self, versions: Mapping[str, int]) -> None:
        """Returns once the read models have these versions of these children."""
        missing = dict(versions)

        def are_there() -> bool:
            found = self._children.find({"_id": {"$in": list(missing)[:100]}}, {"version": 1})
            there = [one["_id"] for one in found if one["version"] >= missing[one["_id"]]]
            for child in there:
                del missing[child]
            return not missing or (bool(there) and are_there())

        until(are_there, "the last version of every child in the read models")

    @property
    def _children(self) -> Any:
        return self.mongo["teddy_read"][CHILDREN]


def until(holds: Callable[[], bool], wanted: str) -> None:
    end = time.monotonic() + PROJECTED_SECONDS
    while not holds():
        if time.monotonic() > end:
            raise Broken(f"not after {PROJECTED_SECONDS:.0f} s: {wanted}")
        time.sleep(POLL_SECONDS)
