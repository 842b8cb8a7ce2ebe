"""How a parallel run of the tests is dealt out: which tests stay together, and how many workers.

A pytest plugin for pytest-xdist, loaded by tests/conftest.py.
"""

import os
import re
from functools import cache
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from deploy.local import plans

WORKERS_PER_CORE = 2
"""The tests wait half of their time: for servers to start, leases to end, faults to be noticed."""

SERVERS = (plans.MONGO_URLS[0], plans.KAFKA_BOOTSTRAP)
"""Who sets both has the tests use these servers and no others."""

ROOT = Path(__file__).parents[2]
ALONE = ("tests/integration/", "tests/contract/")
"""Where a test may run apart from the others of its file, unless they share a fixture."""

COMMON_STACK = re.compile(r"\b(running: StackState|services: StackFolder)\b")
SHARED = re.compile(r'scope="module"')


@cache
def unit_of(file: str) -> str | None:
    """What the tests of `file` run together with; None when each may run anywhere."""
    text = (ROOT / file).read_text()
    if COMMON_STACK.search(text):
        return "the common stack"
    if SHARED.search(text) or not file.startswith(ALONE):
        return file
    return None


class ByWhatIsShared(LoadScopeScheduling):  # type: ignore[misc] # the library tells no types
    """Keeps together what shares a stack or another fixture of its file, in pytest's order.

    The files of `testpaths` that take longest come first: nobody waits for one that began last.
    """

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid.partition("::")[0]) or nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByWhatIsShared | None:
    """Unless `--dist` asks for another one."""
    return ByWhatIsShared(config, log) if config.getvalue("dist") == "load" else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """What `-n auto` stands for; `-n logical`, for tests that do not wait, is one for each core."""
    given = os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS")
    if given:
        return int(given)
    if all(os.environ.get(name) for name in SERVERS):
        return 0  # all would share their topics
    waiting = config.option.numprocesses == "auto"
    return (os.cpu_count() or 1) * (WORKERS_PER_CORE if waiting else 1)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Nothing that is shared by tests is taken apart."""
    for item in items:
        file = item.nodeid.partition("::")[0]
        if unit_of(file) is None and (shared := _shared_fixtures(item)):
            raise pytest.UsageError(
                f'{file} shares {", ".join(shared)}; write scope="module" where it is made'
            )


def _shared_fixtures(item: pytest.Item) -> list[str]:
    """Of the item's fixtures those that the tests of a file have in common."""
    known = getattr(item, "_fixtureinfo", None)
    return [
        name
        for name, definitions in (known.name2fixturedefs if known else {}).items()
        if definitions[-1].scope in ("module", "package", "class") or name == "services"
    ]
