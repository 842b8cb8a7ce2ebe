"""Plots of docs/performance.md, as Mermaid draws them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """`lines`: by name, one value for each of `x`."""

    title: str
    x: Sequence[str]
    y: str
    lines: Mapping[str, Sequence[float]]

    def markdown(self) -> str:
        top = max((max(line) for line in self.lines.values()), default=1.0)
        names = ", ".join(self.lines)
        drawn = [
            f"  line [{', '.join(f'{one:g}' for one in line)}]" for line in self.lines.values()
        ]
        said = f"{self.title} (lines: {names}):" if len(self.lines) > 1 else f"{self.title}:"
        axes = [f"  x-axis [{', '.join(map(_quoted, self.x))}]"]
        axes.append(f"  y-axis {_quoted(self.y)} 0 --> {_round_above(top):g}")
        return "\n".join([said, "", "```mermaid", "xychart-beta", *axes, *drawn, "```"])


def read_plots(path: Path) -> list[Plot]:
    """Empty where there is no such file yet."""
    return [Plot(**one) for one in orjson.loads(path.read_bytes())] if path.exists() else []


def write_plots(plots: Sequence[Plot], path: Path) -> None:
    written: list[dict[str, Any]] = [asdict(each) for each in plots]
    path.write_bytes(orjson.dumps(written, option=orjson.OPT_INDENT_2) + b"\n")


def _quoted(text: str) -> str:
    return f'"{text}"'


def _round_above(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)
