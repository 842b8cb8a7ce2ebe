"""What benchmarks found, as bench/results.json holds it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One measured row.

    `value` and `baseline` are medians of rounds in turns, in `unit`. `goal` bounds the value; where
    there is a baseline, the value divided by it. `at_most`: the goal is an upper bound. `signed`:
    the value may be zero or less, as the wait for what is there already.
    """

    name: str
    value: float
    unit: str
    baseline: float | None = None
    goal: float | None = None
    at_most: bool = False
    signed: bool = False

    @property
    def ratio(self) -> float | None:
        """Value divided by baseline; None without one."""
        return None if self.baseline is None else self.value / self.baseline

    @property
    def met(self) -> bool | None:
        """None without a goal."""
        if self.goal is None:
            return None
        compared = self.value if self.ratio is None else self.ratio
        return compared <= self.goal if self.at_most else compared >= self.goal

    def as_json(self) -> dict[str, Any]:
        """`goal` as people write it: `<= 2.2 x`, `>= 2000 commands/s`."""
        sign, of = "<=" if self.at_most else ">=", self.unit if self.baseline is None else "x"
        return {
            "name": self.name,
            "value": round(self.value, 3),
            "unit": self.unit,
            "baseline": None if self.baseline is None else round(self.baseline, 3),
            "goal": None if self.goal is None else f"{sign} {self.goal:g} {of}",
            "met": self.met,
        }
