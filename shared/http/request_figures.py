"""How a process says what it answered lately: the answer of `GET /v1/system/requests`."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

Time = Annotated[
    str,
    Field(
        description="When it was answered.",
        json_schema_extra={"format": "date-time", "examples": ["2026-11-23T06:00:00.000Z"]},
    ),
]
Operation = Annotated[str, Field(description="The command, query or route; `docs/access.md`.")]
Status = Annotated[int, Field(description="Of the answer.")]


@dataclass(frozen=True, slots=True)
class SlowRequest:
    operation: Operation
    milliseconds: Annotated[float, Field(description="From its head to the head of its answer.")]
    status: Status
    at: Time


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    at: Time
    operation: Annotated[
        str | None,
        Field(description="What it asked for; null: no such route, or it was not looked at."),
    ]
    status: Status
    code: Annotated[str, Field(description="Of the problem; `failed`: an internal error.")]
    role: Annotated[
        str | None, Field(description="Of the caller; null: no token was accepted before.")
    ]


@dataclass(frozen=True, slots=True)
class RequestFigures:
    """Of one process, which counts for itself. What it answered and refused under `/v1`, without
    requests whose caller left before; connections that were refused are no requests."""

    seconds: Annotated[float, Field(description="The period of these numbers: up to five minutes.")]
    requests: Annotated[int, Field(description="Answered or refused in these seconds.")]
    requests_per_second: Annotated[float, Field(description="Their average.")]
    p50_milliseconds: Annotated[
        float | None,
        Field(
            description="Of those that were not refused, one half was answered within it, rounded "
            "up by at most 5 %, to 0.1 at least; null: there were none."
        ),
    ]
    p99_milliseconds: Annotated[
        float | None, Field(description="The same of 99 of 100; null: there were none.")
    ]
    slowest: Annotated[
        list[SlowRequest],
        Field(
            description="Of each operation the slowest request of these seconds, refused or not; "
            "the slowest operations first, at most 20."
        ),
    ]
    refused: Annotated[int, Field(description="Of the requests, those with a status from 400.")]
    refused_by_code: Annotated[
        dict[str, int], Field(description="Their number by code, the most frequent first.")
    ]
    refusals: Annotated[
        list[RefusedRequest],
        Field(description="The last 50 since the process started, the newest first."),
    ]
