"""The table in docs/reliability.md: a row is made anew whenever its case ran with all seeds, or
somebody asked for it. Each row says with which seeds and at which commit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from tests.faults.cases import CASES
from tests.faults.run import Outcome

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- faults: begin -->\n", "<!-- faults: end -->\n"


COLUMNS = "Case, Injected, Seeds, At, Faults, Acknowledged, Lost, Duplicated, Other, Seconds"


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


@dataclass(frozen=True, slots=True)
class Told:
    """What a case came to, with which seeds, and at which commit of this project."""

    seeds: tuple[int, ...]
    commit: str
    row: Row

    def cells(self) -> str:
        return f"{' '.join(map(str, self.seeds))} | {self.commit} | {self.row.cells()}"


def renew(page: Path, outcomes: Sequence[Outcome], commit: str) -> None:
    """Put the rows of these outcomes between the page's markers; other cases keep theirs."""
    before, _, rest = page.read_text().partition(BEGIN)
    table, _, after = rest.partition(END)
    reported = dict(_rows(table))
    for name in {one.case for one in outcomes}:
        mine = [one for one in outcomes if one.case == name]
        reported[name] = Told(tuple(sorted(one.seed for one in mine)), commit, Row.of(mine))
    page.write_text(before + BEGIN + "\n".join(_lines(reported)) + "\n" + END + after)


def measured_seconds(page: Path) -> dict[str, float]:
    """How long each case of the page's table took with one seed."""
    table = page.read_text().partition(BEGIN)[2].partition(END)[0]
    return {name: reported.row.seconds / len(reported.seeds) for name, reported in _rows(table)}


def _rows(table: str) -> Iterator[tuple[str, Told]]:
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] in CASES:
            seeds = tuple(map(int, cells[2].split()))
            row = Row(*(int(cell.replace(",", "")) for cell in cells[4:]))
            yield cells[0], Told(seeds, cells[3], row)


def _lines(reported: Mapping[str, Told]) -> Iterator[str]:
    yield "Numbers are sums over the seeds."
    yield ""
    yield f"| {COLUMNS.replace(', ', ' | ')} |"
    yield "|---|---|---|---|---:|---:|---:|---:|---:|---:|"
    for name, case in CASES.items():
        if name in reported:
            yield f"| {name} | {case.injects} | {reported[name].cells()} |"
    total = Row.total([one.row for one in reported.values()])
    yield f"| **all {len(reported)}** | | | | {total.cells()} |"
    yield ""
