"""Pictures for docs/images, taken while the tests go through the pages."""

from pathlib import Path

import pytest
from playwright.async_api import FloatRect, Page

PICTURES = Path(__file__).parents[2] / "docs" / "images"


async def picture(
    page: Page, name: str, config: pytest.Config, height: float | None = None
) -> None:
    """Of the page's first `height` pixels, or of the whole page; only with `--write`."""
    if not config.getoption("--write"):
        return
    size = page.viewport_size
    clip = None
    if height is not None and size is not None:
        clip = FloatRect(x=0, y=0, width=size["width"], height=height)
    await page.screenshot(path=PICTURES / f"{name}.png", full_page=True, clip=clip)
