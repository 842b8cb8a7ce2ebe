"""A pytest plugin (`-p tests.apache_kafka.only_kafka`): only tests that ask for a Kafka; with
`--one-part` those of some files, the next ones with each commit.

Tests of faults in a MongoDB are left out: they give the same result with any broker.
"""

from collections.abc import Container, Sequence
from pathlib import Path

import pytest

from tests.faults.slices import turn_of

KAFKA, OWN_MONGOD = "kafka_bootstrap", "mongod"
ONE_PART = "--one-part"
PARTS = 3


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(ONE_PART, action="store_true", help="one third of the files, by the commit")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen = [item for item in items if speaks_to_kafka(getattr(item, "fixturenames", ()))]
    if config.getoption(ONE_PART):
        files = of_part([item.path for item in chosen], turn_of().number)
        chosen = [item for item in chosen if item.path in files]
    others = [item for item in items if item not in chosen]
    items[:] = chosen
    config.hook.pytest_deselected(items=others)


def of_part(files: Sequence[Path], turn: int) -> set[Path]:
    """Each file is in one part, and each part due once in a row of so many turns."""
    return set(sorted(set(files))[turn % PARTS :: PARTS])


def speaks_to_kafka(fixtures: Container[str]) -> bool:
    return KAFKA in fixtures and OWN_MONGOD not in fixtures
