"""What each process does, as the console shows it: numbers on the flow, and curves of the last ten
minutes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from query_service.pages.inner_api import ApiAnswer

KINDS = ("command", "relay", "worker")
"""Of processes that report; each is a part of the flow under the same name."""

SAMPLES, SAMPLE_SECONDS = 60, 10
SLOT, BAR, HEIGHT, HIGHEST = 10, 8, 60, 58
"""Units of a drawing that is scaled to the place that it gets."""

Process = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Of all processes of a kind that run; None: not known."""

    rate: float | None = None
    p50: float | None = None
    p99: float | None = None
    lag: float | None = None
    lag_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """`path` of an SVG; `most`: the highest value that it shows."""

    path: str
    most: float


@dataclass(frozen=True, slots=True)
class Vitals:
    """`is_known`: the API answered; `reported`: some process reports, and not only the one that
    answers. `flow` by part. The others are as the API has them, each with its curve."""

    is_known: bool = False
    reported: bool = False
    flow: Mapping[str, Numbers] = field(default_factory=dict)
    processes: Sequence[tuple[Process, Curve]] = ()
    partitions: Sequence[tuple[Mapping[str, Any], Curve]] = ()
    unread: Sequence[str] = ()


def vitals_of(answer: ApiAnswer) -> Vitals:
    """Nothing, where the API refused."""
    if answer.is_refusal:
        return Vitals()
    processes, partitions = answer.content["processes"], answer.content["partitions"]
    end = _newest([*processes, *partitions])
    most = max((one["lag"] for each in partitions for one in each["history"]), default=0)
    return Vitals(
        is_known=True,
        reported=any(one["kind"] in KINDS for one in processes),
        flow={kind: _together(processes, kind) for kind in KINDS},
        processes=[(one, _curve(one["history"], "rate", end)) for one in processes],
        # all at one scale: which of them is behind is to be seen
        partitions=[(one, _curve(one["history"], "lag", end, most)) for one in partitions],
        unread=answer.content["unread"],
    )


def _together(processes: Sequence[Process], kind: str) -> Numbers:
    running = [
        one for one in processes if one["kind"] == kind and not (one["silent"] or one["ended"])
    ]
    # relays that stand by tell the same lag as the one that leads
    leading = [one for one in running if one["leads"]]
    counted = running if kind != "relay" else leading or running[:1]

    def known(name: str) -> list[float]:
        return [one[name] for one in counted if one[name] is not None]

    def total(name: str) -> float | None:
        values = known(name)
        return sum(values) if values else None

    def most(name: str) -> float | None:
        return max(known(name), default=None)

    return Numbers(
        total("rate"), most("p50_seconds"), most("p99_seconds"), total("lag"), most("lag_seconds")
    )


def _newest(shown: Iterable[Mapping[str, Any]]) -> datetime | None:
    moments = [datetime.fromisoformat(one["at"]) for each in shown for one in each["history"][-1:]]
    return max(moments, default=None)


def _curve(
    history: Sequence[Mapping[str, Any]], name: str, end: datetime | None, most: float | None = None
) -> Curve:
    """A bar for each sample, at its place in the ten minutes until `end`. `most`: the value of the
    highest bar; None: the highest of this history."""
    values = [(one["at"], one[name]) for one in history if one[name] is not None]
    highest = max((value for _, value in values), default=0.0)
    scale = highest if most is None else most
    bars = [
        _bar(_slot(datetime.fromisoformat(at), end), value / scale)
        for at, value in values
        if end is not None and value > 0
    ]
    return Curve("".join(bars), highest)


def _slot(at: datetime, end: datetime) -> int:
    """From 0, the oldest, to SAMPLES - 1."""
    ago = round((end - at).total_seconds() / SAMPLE_SECONDS)
    return max(0, SAMPLES - 1 - ago)


def _bar(slot: int, share: float) -> str:
    top = HEIGHT - max(1.0, HIGHEST * share)
    return f"M{slot * SLOT + 1} {HEIGHT}V{top:.4g}h{BAR}V{HEIGHT}Z"
