"""A test that hangs fails, and says what it waited for.

A pytest plugin, loaded by tests/conftest.py. pytest-timeout ends the test (`timeout` in
pyproject.toml) and shows the threads; of an event loop that is no more than "it selects".
"""

import asyncio
import gc
import io
from collections.abc import Generator

import pytest

FRAMES = 12
"""Of each task's stack, the innermost."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and call.excinfo is not None and "pytest-timeout" in str(call.excinfo.value):
        report.sections.append(("what the tasks wait for", waiting_tasks()))
    return report


def waiting_tasks() -> str:
    """The stack of every asyncio task of this process that is not done."""
    text = io.StringIO()
    for task in gc.get_objects():
        if isinstance(task, asyncio.Task) and not task.done():
            task.print_stack(limit=FRAMES, file=text)
    return text.getvalue()
