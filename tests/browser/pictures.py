"""Pictures for docs/images, taken while the tests go through the pages."""

from pathlib import Path

import pytest
from playwright.async_api import Page

PICTURES = Path(__file__).parents[2] / "docs" / "images"


async def picture(page: Page, name: str, config: pytest.Config) -> None:
    """Of the whole page; only with `--write`."""
    if config.getoption("--write"):
        await page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
