"""The table in docs/reliability.md: a row is made anew whenever its case ran with all seeds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from tests.faults.cases import CASES
from tests.faults.run import Outcome

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- faults: begin -->\n", "<!-- faults: end -->\n"


@dataclass(frozen=True, slots=True)
class Row:
    """Sums over the seeds of one case."""

    faults: int
    acknowledged: int
    lost: int
    duplicated: int
    other: int
    seconds: int

    @staticmethod
    def of(outcomes: Sequence[Outcome]) -> "Row":
        lost = sum(one.count("lost") for one in outcomes)
        duplicated = sum(one.count("duplicate") for one in outcomes)
        return Row(
            faults=sum(one.faults for one in outcomes),
            acknowledged=sum(one.acknowledged for one in outcomes),
            lost=lost,
            duplicated=duplicated,
            other=sum(len(one.violations) for one in outcomes) - lost - duplicated,
            seconds=round(sum(one.seconds for one in outcomes)),
        )

    @staticmethod
    def total(rows: Sequence["Row"]) -> "Row":
        return Row(*(sum(column) for column in zip(*map(astuple, rows), strict=True)))

    def cells(self) -> str:
        return " | ".join(f"{number:,}" for number in astuple(self))


def renew(page: Path, outcomes: Sequence[Outcome], seeds: Sequence[int]) -> None:
    """Put the rows of these outcomes between the page's markers; other cases keep theirs."""
    before, _, rest = page.read_text().partition(BEGIN)
    table, _, after = rest.partition(END)
    rows = {name: row for name, row in _rows(table) if name in CASES}
    for name in {one.case for one in outcomes}:
        rows[name] = Row.of([one for one in outcomes if one.case == name])
    page.write_text(before + BEGIN + "\n".join(_lines(rows, seeds)) + "\n" + END + after)


def measured_seconds(page: Path) -> dict[str, int]:
    """By case, as the page's table has them."""
    table = page.read_text().partition(BEGIN)[2].partition(END)[0]
    return {name: row.seconds for name, row in _rows(table)}


def _rows(table: str) -> Iterator[tuple[str, Row]]:
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] in CASES:
            yield cells[0], Row(*(int(cell.replace(",", "")) for cell in cells[2:]))


def _lines(rows: Mapping[str, Row], seeds: Sequence[int]) -> Iterator[str]:
    yield f"Seeds {', '.join(map(str, sorted(seeds)))}; numbers are sums over the seeds."
    yield ""
    yield "| Case | Injected | Faults | Acknowledged | Lost | Duplicated | Other | Seconds |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|"
    for name, case in CASES.items():
        if name in rows:
            yield f"| {name} | {case.injects} | {rows[name].cells()} |"
    yield f"| **all {len(rows)}** | | {Row.total(list(rows.values())).cells()} |"
    yield ""
