"""How old an answer of the query API is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Freshness:
    """`as_of`: all that was stored until then is in the answer, often more; an RFC 3339 instant,
    None while no worker has noted it. `age`: seconds since it was read from the read models.
    `cached`: it came from the cache. `watched`: changes drop cached answers; else they live for
    seconds only. `stale`: it is from before the read store went away, and what happened since is
    not in it."""

    as_of: str | None
    age: int
    cached: bool
    watched: bool
    stale: bool = False


class FreshAnswer(dict[str, Any]):
    """An answer's JSON, with how old it is."""

    def __init__(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        super().__init__(body)
        status = headers.get("Cache-Status", "")
        self.freshness = Freshness(
            headers.get("X-As-Of"),
            int(headers.get("Age", 0)),
            "; hit" in status,
            "detail=change-feed-down" not in status,
            "detail=read-store-down" in status,
        )


def freshness_of(answer: Mapping[str, Any]) -> Freshness:
    """Of an answer as a query of TeddyClient gave it. Raises TypeError for anything else."""
    if not isinstance(answer, FreshAnswer):
        raise TypeError("only answers of TeddyClient queries have freshness data")
    return answer.freshness
