"""A pytest plugin (`-p tests.apache_kafka.only_kafka`): only tests that ask for a Kafka."""

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    others = [item for item in items if "kafka_bootstrap" not in getattr(item, "fixturenames", ())]
    items[:] = [item for item in items if item not in others]
    config.hook.pytest_deselected(items=others)
