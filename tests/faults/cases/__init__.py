"""The named cases, by where they inject faults."""

from tests.faults.cases import (
    batches,
    claims,
    disks,
    kill_points,
    links,
    long_lives,
    notifications,
    odd_records,
    overtakes,
    pauses,
    poison,
    races,
    rebuilds,
    records,
    server_errors,
    servers,
    stops,
    wrong_references,
)
from tests.faults.cases.case import Case

CASES: dict[str, Case] = {
    case.name: case
    for module in (
        kill_points,
        batches,
        stops,
        pauses,
        overtakes,
        servers,
        server_errors,
        disks,
        links,
        records,
        poison,
        wrong_references,
        odd_records,
        notifications,
        races,
        claims,
        rebuilds,
        long_lives,
    )
    for case in module.CASES
}

__all__ = ["CASES", "Case"]
