"""A stack with seeded children (SIZE=): how often the query cache has the answer when few children
are asked for often and one request in twenty changes a child, and what memory each service takes
then."""

import random
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import accumulate
from typing import Any, NamedTuple

import orjson

from shared.auth.access import Principal, Role
from shared.clock import utc_now
from tests.bench.people import TOKEN_LIFE
from tests.bench.results import Result
from tests.bench.system import CHILDREN, System
from tests.bench.world import World
from tests.support.raw_http import request

SERVICES = ("command", "relay", "worker", "query")
ZIPF, WRITES, SEED = 1.1, 0.05, 16
FILLED = 5_000
"""Requests of each slice while the cache fills. After as many in all as in 40 slices, one read in
twelve is still the first one of its child, and misses whatever is kept; after 2,000 a slice one in
eight is."""

CALLERS = 16
MEGABYTE = 2**20
UNLIMITED = {
    "TEDDY_RATE_LIMIT_QUERIES": "1000000/minute",  # one officer reads about everybody
    "TEDDY_RATE_LIMIT_COMMANDS": "1000000/minute",
}


class Child(NamedTuple):
    id: str
    parent_id: str


def measure(world: World, rounds: int) -> Sequence[Result]:
    """The stack is seeded once, whatever `rounds` are; a quick run takes the shared one."""
    seeded = world.fresh_system(UNLIMITED, seeded=world.size)
    with nullcontext(world.system) if world.quick else seeded as system:
        chance = random.Random(SEED)
        children = _children(system, chance)
        slices = world.scaled(40, 2)
        _hit_rate(system, children, chance, slices, world.scaled(FILLED, 20))
        hits = _hit_rate(system, children, chance, slices, world.scaled(500, 20))
        return [
            Result(
                name=f"hit rate, Zipf({ZIPF}) over {len(children):,} children, 5 % writes",
                value=hits * 100,
                unit="%",
                goal=85,
            ),
            *(_memory(system, name, len(children)) for name in SERVICES),
        ]


def _children(system: System, chance: random.Random) -> list[Child]:
    """Those that may change; those that stand first are asked for most often."""
    children: Any = system.mongo["teddy_read"][CHILDREN]
    consented = {"consents.account": {"$ne": None}, "consents.account.withdrawn_at": None}
    found = list(children.find({"status": "active", **consented}, {"parent_id": 1}))
    chance.shuffle(found)
    return [Child(one["_id"], one["parent_id"]) for one in found]


def _hit_rate(
    system: System, children: Sequence[Child], chance: random.Random, slices: int, requests: int
) -> float:
    """The part of the reads that hit, 0 to 1, with so many requests in each slice."""
    weights = list(accumulate(1 / rank**ZIPF for rank in range(1, len(children) + 1)))
    officer = Principal("officer-bench", Role.SAFETY_OFFICER)
    bearer = system.stack.issuer.issue(officer, utc_now(), TOKEN_LIFE)
    hits = reads = 0
    for _ in range(slices):
        chosen = chance.choices(children, cum_weights=weights, k=requests)
        writes = max(1, int(requests * WRITES))
        system.drive("command", [_change(system, one, chance) for one in chosen[:writes]], CALLERS)
        asked = [request("GET", f"/v1/children/{one.id}", bearer) for one in chosen[writes:]]
        driven = system.drive("query", asked, CALLERS)
        hits, reads = hits + driven.hits, reads + driven.answered
    return hits / reads


def _change(system: System, child: Child, chance: random.Random) -> bytes:
    body = orjson.dumps({"age": chance.randint(3, 12)})
    bearer = system.stack.parent_s_bearer(child.parent_id)
    return request("PATCH", f"/v1/children/{child.id}/profile", bearer, body)


def _memory(system: System, name: str, children: int) -> Result:
    """Without what it shares with other processes."""
    used = system.processes[name].memory_full_info().pss / MEGABYTE
    what = f"memory of {name} at {children:,} active children"
    return Result(name=what, value=used, unit="MB", goal=300, at_most=True)
