"""The table and the plot of `make bench-long`, as text and in docs/performance.md."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.checks.configuration import with_generated

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"


@dataclass(frozen=True, slots=True)
class LongLife:
    """One child's figures, in seconds unless the name says otherwise."""

    events: int
    rebuild: float
    verify: float
    first_command: float
    next_command: float
    profile: float
    report: float
    conversations: float
    export: float
    command_grew_mb: float
    query_grew_mb: float
    others_alone: float
    others_beside_command: float
    others_beside_export: float


ROWS = (
    ("first command, empty cache", "first_command", "s"),
    ("next command", "next_command", "ms"),
    ("profile, without cache", "profile", "ms"),
    ("safety report, without cache", "report", "ms"),
    ("page of conversations, without cache", "conversations", "ms"),
    ("export", "export", "s"),
    ("rebuild and its check, from the command line", "rebuild", "s"),
    ("verify, from the command line", "verify", "s"),
    ("command API grows by, MB", "command_grew_mb", ""),
    ("query API grows by, MB", "query_grew_mb", ""),
    ("others' commands, p99, alone", "others_alone", "ms"),
    ("... beside the first command", "others_beside_command", "ms"),
    ("... beside the export", "others_beside_export", "ms"),
)
PLOTTED = ("first_command", "export", "rebuild", "verify")


def printed(lives: Sequence[LongLife]) -> str:
    """The table and the plot, as Markdown."""
    head = "| | " + " | ".join(f"{one.events:,} events" for one in lives) + " |"
    rule = "|---|" + "---:|" * len(lives)
    rows = [
        f"| {title} | {' | '.join(_with_unit(getattr(one, name), unit) for one in lives)} |"
        for title, name, unit in ROWS
    ]
    load = f"Load average (1 min) at the end: {os.getloadavg()[0]:.1f}."
    return "\n".join([head, rule, *rows, "", load, "", *_plot(lives)])


def written_page(lives: Sequence[LongLife]) -> Path:
    """Where they stand now. Raises ValueError when the page has no place for them."""
    PAGE.write_text(with_generated(PAGE.read_text(), "long lives", printed(lives)))
    return PAGE


def _with_unit(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value:.2f} s"
    if unit == "ms":
        return f"{value * 1e3:.0f} ms"
    return f"{value:,.0f}"


def _plot(lives: Sequence[LongLife]) -> list[str]:
    """Microseconds per event: a cost linear in events is a flat line."""
    lines = {
        name: [round(getattr(one, name) / one.events * 1e6, 1) for one in lives] for name in PLOTTED
    }
    top = math.ceil(max(map(max, lines.values())) / 100) * 100
    names = ", ".join(name.replace("_", " ") for name in lines)
    lengths = ", ".join(f'"{one.events:,}"' for one in lives)
    return [
        f"Microseconds per event (lines from first to last: {names}); linear cost is a flat line:",
        "",
        "```mermaid",
        "xychart-beta",
        f"  x-axis [{lengths}]",
        f'  y-axis "microseconds per event" 0 --> {top}',
        *(f"  line [{', '.join(map(str, line))}]" for line in lines.values()),
        "```",
    ]
