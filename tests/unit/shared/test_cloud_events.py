from dataclasses import replace
from typing import Any

import orjson
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event

from shared.event_store.envelope import RecordedEvent, seal_commit
from shared.serialization.cloud_events import from_record, to_record
from shared.serialization.schema import UndecodableEvent
from tests.support.commits import NOON, an_offer

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def _an_event(**changes: Any) -> RecordedEvent:
    (event,) = seal_commit(an_offer("child-1")).recorded_events()
    return replace(event, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"causation_id": None, "traceparent": None},
        {"traceparent": TRACE},
        {"version": 12_345, "schema_version": 3},
    ],
    ids=str,
)
def test_an_event_survives_the_way_through_a_record(changes: dict[str, Any]) -> None:
    event = _an_event(**changes)
    record = to_record(event)
    assert from_record(record.value, record.headers) == event


def test_a_record_is_a_cloud_event_in_binary_mode() -> None:
    # given
    event = _an_event(traceparent=TRACE)
    record = to_record(event)
    # when read by the CloudEvents project's own library
    cloud_event = from_binary_event(KafkaMessage(dict(record.headers), record.key, record.value))
    # then
    assert cloud_event.get_specversion() == "1.0"
    assert cloud_event.get_id() == "child-1@1"
    assert cloud_event.get_source() == "/teddy/children"
    assert cloud_event.get_type() == "teddy.child.ChildReactivated.v1"
    assert cloud_event.get_subject() == "child-1"
    assert cloud_event.get_time() == event.occurred_at
    assert cloud_event.get_datacontenttype() == "application/json"
    assert cloud_event.get_dataschema() == "urn:teddy:schema:ChildReactivated:1"
    assert cloud_event.get_extension("sequence") == "1"
    assert cloud_event.get_extension("correlationid") == event.correlation_id
    assert cloud_event.get_data() == orjson.loads(event.data)


def test_the_record_s_key_is_the_child() -> None:
    assert to_record(_an_event()).key == b"child-1"


def test_the_trace_context_keeps_its_own_header() -> None:
    assert dict(to_record(_an_event(traceparent=TRACE)).headers)["traceparent"] == TRACE.encode()


@pytest.mark.parametrize(
    "missing",
    ["ce_type", "ce_subject", "ce_sequence", "ce_time", "ce_recordedtime", "ce_correlationid"],
)
def test_a_record_without_a_needed_header_is_undecodable(missing: str) -> None:
    record = to_record(_an_event())
    headers = [(name, value) for name, value in record.headers if name != missing]
    with pytest.raises(UndecodableEvent, match=f"{missing} is missing"):
        from_record(record.value, headers)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_sequence", b"first"),
        ("ce_time", b"yesterday"),
        ("ce_type", b"teddy.child.ChildErased"),
        ("ce_type", b"teddy.child.ChildErased.vX"),
        ("ce_subject", b"\xff"),
    ],
)
def test_a_record_with_a_malformed_header_is_undecodable(name: str, value: bytes) -> None:
    record = to_record(_an_event())
    with pytest.raises(UndecodableEvent, match="malformed"):
        from_record(record.value, [*record.headers, (name, value)])


def test_a_value_that_is_no_text_is_undecodable() -> None:
    with pytest.raises(UndecodableEvent, match="malformed"):
        from_record(b"\xff", to_record(_an_event()).headers)


def test_a_record_without_value_carries_no_data() -> None:
    # given a tombstone
    event = from_record(None, to_record(_an_event()).headers)
    # then the codec refuses it
    assert event.data == ""
    assert event.recorded_at == NOON
