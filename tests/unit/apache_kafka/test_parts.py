"""A third of the integration tests on three brokers, the next one with each commit."""

from pathlib import Path

import pytest

from tests.apache_kafka.only_kafka import PARTS, of_part

FILES = [Path(f"test_{letter}.py") for letter in "abcdefgh"]


@pytest.mark.parametrize("first", [0, 1, 7])
def test_a_row_of_commits_runs_every_file_once(first: int):
    parts = [of_part(FILES, turn) for turn in range(first, first + PARTS)]
    assert sorted(file for part in parts for file in part) == FILES


def test_a_file_with_many_tests_is_in_one_part():
    met = [FILES[0]] * 5 + FILES[1:]
    assert [of_part(met, turn) for turn in range(PARTS)] == [
        of_part(FILES, turn) for turn in range(PARTS)
    ]
