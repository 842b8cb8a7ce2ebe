"""The page of settings is generated, and its drift is found."""

from pathlib import Path

import pytest
from pydantic import Field
from pydantic_settings import BaseSettings

from deploy.checks.configuration import BEGIN, END, main, page_with, table


class First(BaseSettings):
    url: str = Field(description="Where it is: a | b.")
    size: int = Field(3, description="How large.")


class Second(BaseSettings):
    size: int = Field(3, description="How large.")
    limit: float | None = Field(None, description="How much.")


def test_a_row_says_who_reads_a_setting_and_what_happens_without_it():
    rows = table({"first": First, "second": Second}).splitlines()[2:]

    assert rows == [
        "| `TEDDY_URL` | first | **required** | Where it is: a \\| b. |",
        "| `TEDDY_SIZE` | all | `3` | How large. |",
        "| `TEDDY_LIMIT` | second | unset | How much. |",
    ]


def test_a_page_that_differs_is_found_and_fixed(tmp_path: Path):
    page = tmp_path / "configuration.md"
    page.write_text(f"# Settings\n{BEGIN}\n| `TEDDY_OLD` |\n{END}\nmore\n")

    assert main([], page) == 1
    assert main(["--write"], page) == 0
    assert main([], page) == 0
    assert page.read_text().startswith("# Settings\n")
    assert page.read_text().endswith(f"{END}\nmore\n")
    assert "TEDDY_OLD" not in page.read_text()


def test_a_page_without_marks_is_refused():
    with pytest.raises(ValueError, match="settings: begin"):
        page_with("# Settings", table())
