"""A pytest plugin (`-p tests.apache_kafka.only_kafka`): only tests that ask for a Kafka.

Tests of faults in a MongoDB are left out: they give the same result with any broker.
"""

from collections.abc import Container

import pytest

KAFKA, OWN_MONGOD = "kafka_bootstrap", "mongod"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    others = [item for item in items if not speaks_to_kafka(getattr(item, "fixturenames", ()))]
    items[:] = [item for item in items if item not in others]
    config.hook.pytest_deselected(items=others)


def speaks_to_kafka(fixtures: Container[str]) -> bool:
    return KAFKA in fixtures and OWN_MONGOD not in fixtures
