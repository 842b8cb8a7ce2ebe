"""`python -m examples`: all eight scenarios, one after the other."""

import sys

from examples import (
    cached_profile,
    health_and_cache,
    parent_dashboard,
    refusals,
    registration,
    safety_violation_and_report,
    search_and_system_analytics,
    update_and_invalidation,
)
from examples.stage import play

SCENARIOS = (
    registration,
    cached_profile,
    update_and_invalidation,
    safety_violation_and_report,
    parent_dashboard,
    search_and_system_analytics,
    health_and_cache,
    refusals,
)


def main() -> int:
    return play(*((module.TITLE, module.scenario) for module in SCENARIOS))


if __name__ == "__main__":
    sys.exit(main())
