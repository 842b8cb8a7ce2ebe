"""The named cases, by what they hurt."""

from tests.faults.cases import (
    kill_points,
    overtakes,
    pauses,
    races,
    rebuilds,
    records,
    servers,
    stops,
)
from tests.faults.cases.case import Case

CASES: dict[str, Case] = {
    case.name: case
    for module in (kill_points, stops, pauses, overtakes, servers, records, races, rebuilds)
    for case in module.CASES
}

__all__ = ["CASES", "Case"]
