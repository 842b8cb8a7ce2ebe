"""What is measured day by day of the whole system: SQL as an analyst would write it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measure:
    """`found`: a SELECT of `day` and `columns`; `nothing`: their value on the other days.
    `is_line`: a state rather than events. `adds_up`: its sum means something."""

    name: str
    columns: tuple[str, ...]
    found: str
    nothing: str = "0"
    is_line: bool = False
    adds_up: bool = True

    def statement(self, days: int) -> str:
        """A row for each of the last `days` UTC days, today included."""
        values = ", ".join(f"coalesce({name}, {self.nothing}) AS {name}" for name in self.columns)
        # nothing of a caller is in it but a number
        return DAY_BY_DAY.format(before=days - 1, found=self.found, values=values)


DAY_BY_DAY = """\
WITH days AS (
  SELECT day::DATE AS day
  FROM range(current_date - {before}, current_date + 1, INTERVAL 1 DAY) AS each(day)
), found AS (
{found}
)
SELECT day, {values}
FROM days LEFT JOIN found USING (day)
ORDER BY day"""

MEASURES: Sequence[Measure] = (
    Measure(
        "active_children",
        ("active_children",),
        # a row for each child and day: to tell ten millions apart would take a gigabyte
        "  SELECT day, count(*) AS active_children FROM activity GROUP BY day",
        is_line=True,
        adds_up=False,
    ),
    Measure(
        "registrations",
        ("registrations",),
        "  SELECT registered_at::DATE AS day, count(*) AS registrations FROM children GROUP BY day",
    ),
    Measure(
        "conversations",
        ("conversations",),
        "  SELECT day, sum(conversations) AS conversations FROM activity GROUP BY day",
    ),
    Measure(
        "messages",
        ("messages",),
        "  SELECT day, sum(messages) AS messages FROM activity GROUP BY day",
    ),
    Measure(
        "minutes",
        ("minutes",),
        "  SELECT day, round(sum(minutes), 1) AS minutes FROM activity GROUP BY day",
    ),
    Measure(
        "violations",
        ("low", "medium", "high", "critical"),
        """\
  SELECT happened_at::DATE AS day,
    count(*) FILTER (WHERE severity = 'low') AS low,
    count(*) FILTER (WHERE severity = 'medium') AS medium,
    count(*) FILTER (WHERE severity = 'high') AS high,
    count(*) FILTER (WHERE severity = 'critical') AS critical
  FROM violations GROUP BY day""",
    ),
    Measure(
        "resolved_violations",
        ("resolved_violations",),
        """\
  SELECT resolved_at::DATE AS day, count(*) AS resolved_violations
  FROM violations WHERE resolved_at IS NOT NULL GROUP BY day""",
    ),
    Measure(
        "hours_to_resolution",
        ("hours_to_resolution",),
        """\
  SELECT resolved_at::DATE AS day,
    round(median(epoch(resolved_at - happened_at)) / 3600, 1) AS hours_to_resolution
  FROM violations WHERE resolved_at IS NOT NULL GROUP BY day""",
        nothing="NULL",
        adds_up=False,
    ),
)


def every_day() -> str:
    """One statement for all of them, so of one snapshot: the days of which anything is found, the
    newest first."""
    first, *others = (f"(\n{measure.found}\n)" for measure in MEASURES)
    joined = "".join(f" FULL JOIN {other} USING (day)" for other in others)
    # nothing of a caller is in it: MEASURES alone
    days = f"SELECT * FROM {first}{joined}"  # noqa: S608 # nosec B608
    return f"{days} WHERE day IS NOT NULL ORDER BY day DESC"
