"""`python -m examples [SCENARIO ...]`: all eight scenarios, or those named, one after the other."""

import sys
from collections.abc import Sequence

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


def main(wanted: Sequence[str]) -> int:
    by_name = {module.__name__.rpartition(".")[2]: module for module in SCENARIOS}
    if unknown := set(wanted) - by_name.keys():
        print(f"no scenario {min(unknown)!r}; there are: {', '.join(by_name)}", file=sys.stderr)
        return 2
    chosen = [by_name[name] for name in wanted or by_name]
    return play(*((module.TITLE, module.scenario) for module in chosen))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
