"""The table in docs/reliability.md, made anew by a whole run."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.faults.cases import CASES
from tests.faults.run import Outcome

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- faults: begin -->\n", "<!-- faults: end -->\n"


def rewrite(outcomes: Sequence[Outcome]) -> None:
    """Replace what stands between the markers."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + "\n".join(_lines(outcomes)) + "\n" + END + after)


def _lines(outcomes: Sequence[Outcome]) -> Iterator[str]:
    seeds = sorted({one.seed for one in outcomes})
    yield f"Seeds {', '.join(map(str, seeds))}; numbers are sums over the seeds, seconds means."
    yield ""
    yield "| Case | Injected | Faults | Acknowledged | Lost | Duplicated | Other | Seconds |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|"
    for name, case in CASES.items():
        of_case = [one for one in outcomes if one.case == name]
        numbers = [
            sum(one.faults for one in of_case),
            sum(one.acknowledged for one in of_case),
            sum(one.count("lost") for one in of_case),
            sum(one.count("duplicate") for one in of_case),
            sum(len(one.violations) - one.count("lost", "duplicate") for one in of_case),
        ]
        seconds = sum(one.seconds for one in of_case) / len(of_case)
        told = " | ".join(f"{number:,}" for number in numbers)
        yield f"| {name} | {case.injects} | {told} | {seconds:.0f} |"
    acknowledged = sum(one.acknowledged for one in outcomes)
    faults = sum(one.faults for one in outcomes)
    yield f"| **all** | | {faults:,} | {acknowledged:,} | {_all(outcomes)} |"
    yield ""


def _all(outcomes: Sequence[Outcome]) -> str:
    lost = sum(one.count("lost") for one in outcomes)
    duplicated = sum(one.count("duplicate") for one in outcomes)
    other = sum(len(one.violations) for one in outcomes) - lost - duplicated
    minutes = sum(one.seconds for one in outcomes) / 60
    return f"{lost} | {duplicated} | {other} | {minutes:.0f} min"
