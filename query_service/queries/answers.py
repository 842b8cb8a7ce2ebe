"""Pieces that several answers share."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from query_service.queries.glossary import describe
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


def _to_one_decimal(value: float) -> float:
    return round(value, 1)


TTL_WHILE_OPEN = 60.0
"""Seconds that an answer is kept at most which counts a conversation until now."""

Minutes = Annotated[float, AfterValidator(_to_one_decimal)]
"""Documents keep them unrounded."""

StaleSince = Annotated[
    Instant | None,
    Field(
        description="Since when the read models of this child stand still, because what happened "
        "later could not be processed yet; null: they do not."
    ),
]


def _with_instants(value: Any) -> Any:
    """Times within, however deep, in the form of an Instant."""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, dict):
        return {name: _with_instants(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_with_instants(one) for one in value]
    return value


Fields = Annotated[dict[str, Any], PlainSerializer(_with_instants, when_used="json")]
"""Fields as they are stored, by name."""


class AnswerModel(BaseModel):
    """A document that does not fit its answer is a defect, told in the log: without its values.

    Fields without a description of their own have that of glossary.py.
    """

    model_config = ConfigDict(hide_input_in_errors=True, json_schema_extra=describe)


def average(total: float, count: int) -> float:
    """Rounded to two decimals; of nothing it is 0."""
    return round(total / count, 2) if count else 0.0
