"""The worked example of docs/performance.md: how many cores an installation needs, from measured
CPU."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

BEARS, COMMANDS_A_DAY, QUERIES_A_DAY = 1_000_000, 50, 10
PEAK, UTILIZATION, HIT_RATE = 4, 0.6, 0.85
"""`PEAK`: times the mean of a day. `UTILIZATION`: of a core at the peak."""

DAY_SECONDS = 86_400
COMMANDS_A_SECOND = BEARS * COMMANDS_A_DAY * PEAK / DAY_SECONDS
QUERIES_A_SECOND = BEARS * QUERIES_A_DAY * PEAK / DAY_SECONDS
COMMAND, QUERY, CACHED = (
    "CPU a RecordMessage, ",
    "CPU a query past the cache, ",
    "CPU a cached query",
)
HEAD = "| process | µs a command | µs a query | cores at the peak |\n|---|---:|---:|---:|"
RELAY = "relay"

Found = Mapping[str, float]


def sizing(results: Sequence[Mapping[str, Any]]) -> str:
    """Markdown; empty when `results` lack what it stands on."""
    found = {one["name"]: float(one["value"]) for one in results}
    processes = ("command process", RELAY, "worker", "query process", "mongod", "kafka")
    needed = [
        CACHED,
        f"{QUERY}mongod",
        *(f"{COMMAND}{name}" for name in processes if name[0] != "q"),
    ]
    if not found.keys() >= set(needed):
        return ""
    rows = [
        _row(name, found.get(f"{COMMAND}{name}", 0.0), _query(found, name)) for name in processes
    ]
    return "\n".join([_assumed(), "", HEAD, *rows, "", _ceiling(found)])


def _query(found: Found, process: str) -> float:
    """Microseconds of this process a query, of those from the cache and past it."""
    past = found.get(f"{QUERY}{process}", 0.0)
    cached = found[CACHED] if process == "query process" else 0.0
    return HIT_RATE * cached + (1 - HIT_RATE) * past


def _row(process: str, command: float, query: float) -> str:
    busy = COMMANDS_A_SECOND * command + QUERIES_A_SECOND * query
    cores = math.ceil(busy / 1e6 / UTILIZATION * 10) / 10
    return f"| {process} | {command:,.0f} | {query:,.0f} | {cores:.1f} |"


def _assumed() -> str:
    return (
        f"{BEARS:,} bears with {COMMANDS_A_DAY} commands and {QUERIES_A_DAY} queries a day each, "
        f"{HIT_RATE:.0%} of the queries from the cache, {PEAK} times the mean at the peak: "
        f"{COMMANDS_A_SECOND:,.0f} commands and {QUERIES_A_SECOND:,.0f} queries a second, cores "
        f"used to {UTILIZATION:.0%}."
    )


def _ceiling(found: Found) -> str:
    most = UTILIZATION * 1e6 / found[f"{COMMAND}{RELAY}"]
    return (
        f"One relay publishes at a time, on one core: it carries {most:,.0f} commands a second. "
        "All other processes are started as often as their cores say."
    )
