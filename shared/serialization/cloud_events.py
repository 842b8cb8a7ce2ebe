"""Events on Kafka: CloudEvents 1.0, Kafka protocol binding, binary content mode.

The record's key is the child's id, its value the event's JSON, its headers the attributes.
Extension attributes: `ce_sequence` (version in the child's stream), `ce_recordedtime`,
`ce_correlationid`, `ce_causationid`; `traceparent` as in W3C Trace Context.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

import orjson

from shared.clock import iso, parse_iso
from shared.event_store.envelope import RecordedEvent
from shared.serialization.schema import UndecodableEvent

SOURCE = "/teddy/children"
TYPE_PREFIX = "teddy.child."
CONTENT_TYPE = "application/json"

Headers = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class KafkaRecord:
    """What a producer is given: key, value and headers."""

    key: bytes
    value: bytes
    headers: Headers


def to_record(event: RecordedEvent) -> KafkaRecord:
    key = event.child_id.encode()
    headers = [
        *_headers_of_type(event.type, event.schema_version),
        ("ce_id", event.event_id.encode()),
        ("ce_subject", key),
        ("ce_time", _in_bytes(event.occurred_at)),
        ("ce_sequence", b"%d" % event.version),
        ("ce_recordedtime", _in_bytes(event.recorded_at)),
        ("ce_correlationid", event.correlation_id.encode()),
    ]
    if event.causation_id is not None:
        headers.append(("ce_causationid", event.causation_id.encode()))
    if event.traceparent is not None:
        headers.append(("traceparent", event.traceparent.encode()))
    return KafkaRecord(key, event.data.encode(), headers)


def to_structured(event: RecordedEvent) -> dict[str, Any]:
    """The event as one JSON object: CloudEvents 1.0, structured content mode."""
    attributes = {
        name.removeprefix("ce_"): value.decode()
        for name, value in to_record(event).headers
        if name != "content-type"
    }
    return {**attributes, "datacontenttype": CONTENT_TYPE, "data": orjson.loads(event.data)}


@lru_cache(maxsize=1_024)
def _in_bytes(moment: datetime) -> bytes:
    """Events of a commit were recorded together, most at the moment at which they occurred."""
    return iso(moment).encode()


@cache
def _headers_of_type(event_type: str, schema_version: int) -> Headers:
    attributes = {
        "content-type": CONTENT_TYPE,
        "ce_specversion": "1.0",
        "ce_source": SOURCE,
        "ce_type": f"{TYPE_PREFIX}{event_type}.v{schema_version}",
        "ce_dataschema": f"urn:teddy:schema:{event_type}:{schema_version}",
    }
    return [(name, value.encode()) for name, value in attributes.items()]


@lru_cache(maxsize=256)
def _type_in(attribute: str) -> tuple[str, int]:
    event_type, _, schema_version = attribute.removeprefix(TYPE_PREFIX).rpartition(".v")
    return event_type, int(schema_version)


def from_record(value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> RecordedEvent:
    """The event in a record; raises UndecodableEvent when it is not one of this project's."""
    try:
        attributes = {name: str(content, "utf-8") for name, content in headers}
        event_type, schema_version = _type_in(attributes["ce_type"])
        return RecordedEvent(
            attributes["ce_subject"],
            int(attributes["ce_sequence"]),
            event_type,
            schema_version,
            parse_iso(attributes["ce_time"]),
            parse_iso(attributes["ce_recordedtime"]),
            str(value or b"", "utf-8"),
            attributes["ce_correlationid"],
            attributes.get("ce_causationid"),
            attributes.get("traceparent"),
        )
    except KeyError as error:
        raise UndecodableEvent(f"header {error.args[0]} is missing") from error
    except ValueError as error:
        raise UndecodableEvent("a header or the value is malformed") from error
