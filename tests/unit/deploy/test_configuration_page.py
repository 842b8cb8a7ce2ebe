"""The page of settings is generated, and its drift is found."""

from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field
from pydantic_settings import BaseSettings

from deploy.checks.configuration import main, table, with_generated

BEGIN, END = "<!-- settings: begin -->\n", "<!-- settings: end -->\n"


class First(BaseSettings):
    url: str = Field(description="Where it is: a | b.")
    size: int = Field(3, description="How large.")


class Second(BaseSettings):
    size: int = Field(3, description="How large.")
    limit: float | None = Field(None, gt=0, le=1_048_576, description="How much.")
    port: int = Field(80, ge=0, le=65535, description="Where.")
    way: Literal["a", "b"] = Field("a", description="How.")
    fast: bool = Field(False, description="Whether.")


def test_a_row_says_who_reads_a_setting_its_default_and_its_range() -> None:
    rows = table({"first": First, "second": Second}).splitlines()[2:]

    assert rows == [
        "| `TEDDY_URL` | first | **required** |  | Where it is: a \\| b. |",
        "| `TEDDY_SIZE` | all | `3` |  | How large. |",
        "| `TEDDY_LIMIT` | second | unset | more than 0, at most 1048576 | How much. |",
        "| `TEDDY_PORT` | second | `80` | 0 to 65535 | Where. |",
        "| `TEDDY_WAY` | second | `a` | `a`, `b` | How. |",
        "| `TEDDY_FAST` | second | `false` | `true`, `false` | Whether. |",
    ]


def test_a_page_that_differs_is_found_and_fixed(tmp_path: Path) -> None:
    page = tmp_path / "configuration.md"
    page.write_text(f"# Settings\n{BEGIN}| `TEDDY_OLD` |\n{END}more\n")

    assert main([], page) == 1
    assert main(["--write"], page) == 0
    assert main([], page) == 0
    assert page.read_text().startswith("# Settings\n")
    assert page.read_text().endswith(f"{END}more\n")
    assert "TEDDY_OLD" not in page.read_text()


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="settings: begin"):
        with_generated("# Settings", "settings", table())
