"""The browser of this machine."""

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class ChromiumMissing(Exception):
    """No browser to test the pages in; the message says what to do."""


def chromium() -> str:
    """Its path. Raises ChromiumMissing."""
    for name in NAMES:
        if (path := shutil.which(name)) is not None:
            return path
    raise ChromiumMissing(
        "Chromium not found: install your distribution's `chromium`, or put one on the PATH"
    )
