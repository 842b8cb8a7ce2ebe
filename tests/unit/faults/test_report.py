"""The table of the fault cases on the page about reliability."""

from pathlib import Path

import pytest

from tests.faults.checker import Violation
from tests.faults.report import BEGIN, END, Row, measured_seconds, renew
from tests.faults.run import Outcome

SEEDS = (1, 2, 3)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.md"
    path.write_text(f"# Before\n{BEGIN}{END}after\n")
    return path


def outcome(case: str, seed: int, *violations: Violation) -> Outcome:
    return Outcome(case, seed, 2, 1_000, 7.4, Path("unused"), violations)


def row(page: Path, case: str) -> str:
    return next(line for line in page.read_text().splitlines() if line.startswith(f"| {case} "))


def test_a_row_sums_up_the_seeds_of_its_case(page: Path):
    renew(page, [outcome("query-killed", seed) for seed in SEEDS], "abc1234")

    assert row(page, "query-killed").endswith("| 1 2 3 | abc1234 | 6 | 3,000 | 0 | 0 | 0 | 22 |")
    assert row(page, "**all 1**").endswith("| 6 | 3,000 | 0 | 0 | 0 | 22 |")


def test_other_cases_keep_their_rows_and_the_page_its_text(page: Path):
    # given
    renew(page, [outcome("query-killed", seed) for seed in SEEDS], "abc1234")
    before = row(page, "query-killed")
    # when
    renew(page, [outcome("disk-full", seed) for seed in SEEDS], "abc1234")
    # then
    assert row(page, "query-killed") == before
    assert row(page, "**all 2**").endswith("| 12 | 6,000 | 0 | 0 | 0 | 44 |")
    text = page.read_text()
    assert text.startswith("# Before\n")
    assert text.endswith("after\n")


def test_what_was_broken_stands_in_the_table():
    broken = outcome("disk-full", 1, Violation("lost", "one"), Violation("gap", "two"))

    assert Row.of([broken, outcome("disk-full", 2)]) == Row(4, 2_000, 1, 0, 1, 15)


def test_a_row_says_with_which_seeds_and_at_which_commit_and_how_long_one_takes(page: Path):
    renew(page, [outcome("query-killed", seed) for seed in (2, 1)], "abc1234")
    renew(page, [outcome("disk-full", 7)], "def5678")

    assert "| 1 2 | abc1234 |" in row(page, "query-killed")
    assert "| 7 | def5678 |" in row(page, "disk-full")
    assert measured_seconds(page) == {"query-killed": 7.5, "disk-full": 7.0}
