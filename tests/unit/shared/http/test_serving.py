import resource
from collections.abc import Iterator

import pytest

from shared.http.serving import open_more_files

USUAL = 1_024


@pytest.fixture
def hard_limit() -> Iterator[int]:
    """Of a process that may open the usual number of files, and more if it asks for it."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (USUAL, before[1]))
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_process_opens_as_many_files_as_the_system_lets_it(hard_limit: int) -> None:
    open_more_files()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == hard_limit
    assert soft == (65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536))
