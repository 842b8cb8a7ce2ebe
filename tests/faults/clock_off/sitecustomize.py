"""Processes with this folder on their path have a clock that is off by
TEDDY_TEST_CLOCK_OFF_SECONDS."""

import os
from datetime import datetime, timedelta

from shared import clock

_right = clock.utc_now
_off = timedelta(seconds=float(os.environ["TEDDY_TEST_CLOCK_OFF_SECONDS"]))


def utc_now() -> datetime:
    return _right() + _off


clock.utc_now = utc_now
