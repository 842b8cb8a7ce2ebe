"""A name of its own for each operation's test: of those with one name, a parallel run would take
one and leave out the others."""

from collections import Counter

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    met: Counter[str] = Counter()
    for item in items:
        name = item.nodeid
        met[name] += 1
        if met[name] > 1:
            item._nodeid = f"{name}[{met[name]}]"
