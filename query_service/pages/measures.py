"""What is measured day by day, and statements to begin with: SQL as an analyst would write it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PERIODS = (30, 90, 366)
"""Days until today."""


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
        # nothing of a caller is in it: `days` is one of PERIODS
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
        "  SELECT day, count(DISTINCT child) AS active_children FROM activity GROUP BY day",
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
        "hours_to_resolution",
        ("hours",),
        """\
  SELECT resolved_at::DATE AS day,
    round(median(epoch(resolved_at - happened_at)) / 3600, 1) AS hours
  FROM violations WHERE resolved_at IS NOT NULL GROUP BY day""",
        nothing="NULL",
        adds_up=False,
    ),
)


def all_measures(days: int) -> str:
    """One statement for all of them: one turn of its caller, and one snapshot."""
    first, *others = (f"(\n{measure.statement(days)}\n)" for measure in MEASURES)
    joined = "".join(f" JOIN {other} USING (day)" for other in others)
    # nothing of a caller is in it: MEASURES alone
    return f"SELECT * FROM {first}{joined} ORDER BY day"  # noqa: S608 # nosec B608


EXAMPLES: Mapping[str, str] = {
    "safety": """\
SELECT safety_status, count(*) AS children, round(avg(safety_score), 1) AS average_score
FROM children
WHERE status = 'active'
GROUP BY safety_status
ORDER BY children DESC""",
    "hours": """\
SELECT hour(started_at) AS hour_utc, count(*) AS conversations, round(avg(minutes), 1) AS minutes
FROM conversations
GROUP BY hour_utc
ORDER BY hour_utc""",
    "weeks": """\
SELECT date_trunc('week', registered_at)::DATE AS week,
  count(*) AS registered,
  count(*) FILTER (WHERE conversations > 0) AS talked,
  round(100 * avg((conversations > 0)::INTEGER), 1) AS percent
FROM children
GROUP BY week
ORDER BY week""",
    "incidents": """\
SELECT severity, outcome, count(*) AS incidents,
  round(median(epoch(resolved_at - happened_at)) / 3600, 1) AS median_hours
FROM violations
GROUP BY ALL
ORDER BY incidents DESC""",
}


def example(name: str, days: int) -> str:
    """The statement of an example or a measure; empty where there is none of that name."""
    measured = {measure.name: measure for measure in MEASURES}
    return measured[name].statement(days) if name in measured else EXAMPLES.get(name, "")
