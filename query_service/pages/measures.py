"""Statements to begin with, and the periods of the plots."""

from collections.abc import Mapping

from query_service.sql.measures import MEASURES

PERIODS = (30, 90, 366)
"""Days until today."""

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
