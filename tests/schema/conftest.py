"""A name of its own for each operation's test: of those with one name, a parallel run would take
one and leave out the others."""

from collections import Counter

import pytest
from _pytest.nodeid import coerce_node_id  # nothing public gives a test another name


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    met: Counter[str] = Counter()
    for item in items:
        name = item.nodeid
        met[name] += 1
        if met[name] > 1:
            item._id = coerce_node_id(f"{name}[{met[name]}]")
