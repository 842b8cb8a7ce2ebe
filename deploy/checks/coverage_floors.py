"""`python -m deploy.checks.coverage_floors`: what may not lose a line is covered by the tests.

Looks into the data of the last run with `--cov`.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
from coverage import Coverage
from coverage.exceptions import CoverageException, NoDataError

FLOOR = 95.0
GROUPS: Mapping[str, tuple[str, ...]] = {
    "domain": ("command_service/child/",),
    "projections": ("projection_worker/projections/",),
    "buses": (
        *("command_service/application.py", "command_service/erasure.py"),
        *("command_service/bus/", "command_service/handlers/"),
        *("command_service/aggregates/", "command_service/claims/"),
        *("query_service/bus.py", "query_service/registry.py", "query_service/queries/"),
    ),
    "stores": (
        *("shared/event_store/", "shared/keyring/", "shared/audit/store.py"),
        *("projection_worker/projecting/read_model_store.py", "query_service/read_store/"),
    ),
}

Lines = tuple[int, int]
"""How many statements, and how many of them were run."""


def counted() -> Mapping[str, Lines]:
    """Of each file, by its path below the project; raises CoverageException."""
    coverage = Coverage()
    coverage.load()
    with TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        coverage.json_report(outfile=str(report))
        files = orjson.loads(report.read_bytes())["files"]
    return {
        Path(file).as_posix(): (one["summary"]["num_statements"], one["summary"]["covered_lines"])
        for file, one in files.items()
    }


def shares(files: Mapping[str, Lines]) -> Mapping[str, float]:
    """The per cent of each group's statements that were run; 0 for a group that is not there."""
    found = {}
    for group, places in GROUPS.items():
        lines = [count for file, count in files.items() if file.startswith(places)]
        statements = sum(statements for statements, _ in lines)
        found[group] = 100.0 * sum(run for _, run in lines) / statements if statements else 0.0
    return found


def main() -> int:
    try:
        found = shares(counted())
    except NoDataError:
        print("no coverage data; run `make test`", file=sys.stderr)
        return 2
    except CoverageException as error:
        print(f"the coverage data cannot be read: {error}", file=sys.stderr)
        return 2
    for group, share in found.items():
        print(
            f"{group:12} {share:5.1f} % covered" + ("" if share >= FLOOR else f", below {FLOOR} %")
        )
    return 1 if min(found.values()) < FLOOR else 0


if __name__ == "__main__":
    sys.exit(main())
