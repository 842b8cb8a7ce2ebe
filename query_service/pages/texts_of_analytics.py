"""The texts of the analysts' pages, and they in English."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AnalyticsTexts:
    """`{}` stands for a value. `figures`, `plots`, `series`, `examples`, `problems`: by the name
    that the API or the code has for each."""

    numbers: str
    sql: str
    sections: str
    system: str
    day_by_day: str
    period: str
    days: str
    show: str
    as_of: str
    as_of_unknown: str
    in_utc: str
    figures: Mapping[str, str]
    averages: str
    safety: str
    engagement: str
    of_active: str
    plots: Mapping[str, str]
    series: Mapping[str, str]
    in_all: str
    at_most: str
    drawn: str
    table: str
    open_as_sql: str
    no_value: str
    not_counted: str
    statement: str
    statement_help: str
    run: str
    download: str
    download_help: str
    examples_title: str
    examples: Mapping[str, str]
    tables: str
    tables_help: str
    result: str
    rows: str
    truncated: str
    narrowed: str
    no_rows: str
    place: str
    problems: Mapping[str, str]
    short_date: str
    point: str
    thousands: str

    def number(self, value: float) -> str:
        """With at most two digits behind the point."""
        written = f"{value:,.2f}".rstrip("0").rstrip(".")
        return written.translate({ord(","): self.thousands, ord("."): self.point})

    def short(self, value: float) -> str:
        """Of a few characters, for beside a drawing: 20,000 is 20 k."""
        for unit, times in (("M", 1_000_000), ("k", 1_000)):
            if value >= 10 * times:
                return f"{self.number(value / times)} {unit}"
        return self.number(value)


ENGLISH = AnalyticsTexts(
    numbers="Numbers",
    sql="SQL",
    sections="Analytics",
    system="The whole system",
    day_by_day="Day by day",
    period="Period",
    days="{} days",
    show="Show",
    as_of="As of {}",
    as_of_unknown="As of an unknown time",
    in_utc="Days are UTC.",
    figures={
        "active": "Active children",
        "deactivated": "Deactivated",
        "erased": "Erased",
        "conversations": "Conversations",
        "messages": "Messages",
        "violations": "Incidents",
        "open_violations": "Open incidents",
        "flagged": "Flagged messages",
        "conversations_per_child": "Conversations a child",
        "messages_per_conversation": "Messages a conversation",
        "violations_per_child": "Incidents a child",
    },
    averages="Averages",
    safety="Safety",
    engagement="Engagement",
    of_active="Of active children.",
    plots={
        "active_children": "Active children",
        "registrations": "Registrations",
        "conversations": "Conversations",
        "messages": "Messages",
        "minutes": "Minutes of conversation",
        "violations": "Incidents by severity",
        "resolved_violations": "Incidents resolved",
        "hours_to_resolution": "Hours until resolved, median",
    },
    series={
        "active_children": "Children",
        "registrations": "Registrations",
        "conversations": "Conversations",
        "messages": "Messages",
        "minutes": "Minutes",
        "low": "low",
        "medium": "medium",
        "high": "high",
        "critical": "critical",
        "resolved_violations": "Incidents",
        "hours_to_resolution": "Hours",
    },
    in_all="{} in all",
    at_most="at most {} a day",
    drawn="{} days until {}, a value for each; the numbers are in the table below.",
    table="The numbers",
    open_as_sql="Open as SQL",
    no_value="none",
    not_counted="The numbers cannot be counted at the moment.",
    statement="Statement",
    statement_help="One SELECT in DuckDB's dialect: at most {} characters, {} s, {} MiB. Ids are "
    "pseudonyms, other ones in each snapshot.",
    run="Run",
    download="Download",
    download_help="Up to {} rows.",
    examples_title="Examples",
    examples={
        "safety": "Safety of active children",
        "hours": "Conversations by hour",
        "weeks": "Registrations by week, and who talked",
        "incidents": "Incidents and how they were resolved",
    },
    tables="Tables",
    tables_help="Nothing personal is in them. Publish groups of at least ten children.",
    result="Result",
    rows="Rows: {}.",
    truncated="There are more rows than these; a download has up to {}.",
    narrowed="The first {} of {} columns are shown; a download has all of them.",
    no_rows="No row.",
    place="Line {}, column {}",
    problems={
        "sql-refused": "The statement cannot be run as it is.",
        "sql-too-long": "The statement takes too long.",
        "sql-too-much-memory": "The statement needs too much memory.",
        "sql-too-large": "The answer is too large.",
        "sql-snapshot-being-made": "The data are being prepared. This takes up to a minute.",
        "overloaded": "Other statements are running at the moment.",
        "too-many-requests": "A statement of yours is still running, or that was too often.",
        "read-store-unavailable": "The data cannot be read at the moment.",
        "": "This cannot be answered at the moment.",
    },
    short_date="{day} {month}",
    point=".",
    thousands=",",
)
