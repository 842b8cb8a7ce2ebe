"""The rows of `make bench`, in the order in which they are measured: each a function of the world
and the number of rounds."""

from collections.abc import Callable, Mapping, Sequence

from tests.bench.results import Result
from tests.bench.rows import (
    batches,
    cache_tiers,
    cached_query,
    domain_library,
    load,
    message,
    rebuild,
    registration,
    search,
    seeded,
    visible,
    worker,
)
from tests.bench.world import World

Row = Callable[[World, int], Sequence[Result]]

ROWS: Mapping[str, Row] = {
    "registration": registration.measure,
    "message": message.measure,
    "batches": batches.measure,
    "cached_query": cached_query.measure,
    "load": load.measure,
    "visible": visible.measure,
    "worker": worker.measure,
    "rebuild": rebuild.measure,
    "search": search.measure,
    "seeded": seeded.measure,
    "cache_tiers": cache_tiers.measure,
    "domain_library": domain_library.measure,
}
"""By the name that `ROWS=` takes."""

WHEN_ASKED: frozenset[str] = frozenset({"cache_tiers", "search", "seeded"})
"""Take minutes: in a whole run only when `ROWS=` names it. `make bench-quick` runs it, too."""
