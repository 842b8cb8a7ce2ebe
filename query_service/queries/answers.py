"""Pieces that several answers share."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema

from shared.clock import iso

Instant = Annotated[
    datetime,
    PlainSerializer(iso, return_type=str, when_used="json"),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": ["2026-11-23T06:00:00.000Z"]},
        mode="serialization",
    ),
]
"""RFC 3339 in UTC with milliseconds."""


class AnswerModel(BaseModel):
    """A document that does not fit its answer is a defect, told in the log: without its values."""

    model_config = ConfigDict(hide_input_in_errors=True)


def average(total: float, count: int) -> float:
    """Rounded to two decimals; of nothing it is 0."""
    return round(total / count, 2) if count else 0.0
