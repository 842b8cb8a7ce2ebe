"""The named cases, by where they inject faults."""

from tests.faults.cases import (
    batches,
    ends,
    links,
    long_lives,
    notifications,
    odd_records,
    overtakes,
    pauses,
    races,
    rebuilds,
    records,
    server_errors,
    servers,
    shared_cache,
    wrong_references,
)
from tests.faults.cases.case import Case

CASES: dict[str, Case] = {
    case.name: case
    for module in (
        ends,
        batches,
        pauses,
        overtakes,
        servers,
        server_errors,
        shared_cache,
        links,
        records,
        wrong_references,
        odd_records,
        notifications,
        races,
        rebuilds,
        long_lives,
    )
    for case in module.CASES
}

__all__ = ["CASES", "Case"]
