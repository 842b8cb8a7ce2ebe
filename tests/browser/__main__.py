"""`python -m tests.browser`: the pages in a real browser. `--write`: takes the pictures, too."""

import sys
from collections.abc import Sequence

import pytest

from tests.browser.chromium import ChromiumMissing, chromium


def main(arguments: Sequence[str]) -> int:
    """pytest's exit code; 2 without a browser."""
    try:
        chromium()
    except ChromiumMissing as missing:
        print(missing, file=sys.stderr)
        return 2
    return int(pytest.main(["--no-cov", "tests/browser", *arguments]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
