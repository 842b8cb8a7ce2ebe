"""Published events stay readable for ever: golden files, upcasters, and the record on the topic."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event

from shared.event_store.envelope import RecordedEvent, seal_commit
from shared.events.child import SCHEMA_VERSIONS, ChildEvent, SafetyViolationResolved
from shared.serialization.cloud_events import from_record, to_record
from shared.serialization.events import decode, encode
from shared.serialization.schema import UndecodableEvent, upcast
from tests.support.commits import NOON, an_offer
from tests.support.event_samples import CHILD, EVENTS
from tests.support.golden_events import CIPHER, GOLDEN, VERSION

EXPECTED: dict[str, ChildEvent] = {
    f"{type(event).__name__}.v{schema_version}": event
    for event in EVENTS
    for schema_version in range(1, SCHEMA_VERSIONS[type(event)] + 1)
}
EXPECTED |= {
    name: replace(event, note=None, resolved_by=None)
    for name, event in EXPECTED.items()
    if isinstance(event, SafetyViolationResolved) and not name.endswith(".v3")
}
"""What each golden file means today; a new schema version adds its line."""


def _read(name: str) -> tuple[RecordedEvent, dict[str, Any]]:
    path = GOLDEN / f"{name}.json"
    event_type, _, schema_version = name.rpartition(".v")
    assert path.exists(), f"there is no {path}: run `.venv/bin/python -m tests.golden {event_type}`"
    content = orjson.loads(path.read_bytes())
    data = orjson.dumps(content).decode()
    recorded = RecordedEvent(
        CHILD, VERSION, event_type, int(schema_version), NOON, NOON, data, "correlation-1"
    )
    return recorded, content


@pytest.mark.parametrize("name", EXPECTED)
def test_a_published_event_is_read_as_it_was_meant(name: str):
    recorded, _ = _read(name)
    event = decode(recorded, CIPHER)
    assert event == EXPECTED[name]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_events_are_still_written_with_the_published_fields(event: ChildEvent):
    _, published = _read(f"{type(event).__name__}.v{SCHEMA_VERSIONS[type(event)]}")
    written = orjson.loads(encode(event, VERSION, CIPHER).data)
    assert _without_ciphertext(written) == _without_ciphertext(published)


def test_every_schema_version_of_every_event_has_a_golden_file():
    # given
    published = {
        f"{event_class.__name__}.v{schema_version}"
        for event_class, newest in SCHEMA_VERSIONS.items()
        for schema_version in range(1, newest + 1)
    }
    # when
    golden = {path.stem for path in GOLDEN.glob("*.json")}
    # then
    missing = sorted(published - golden)
    assert golden == published, f"run .venv/bin/python -m tests.golden for {missing}"
    assert published == set(EXPECTED)


def _without_ciphertext(content: dict[str, Any]) -> dict[str, Any]:
    return {
        name: "sealed" if isinstance(value, dict) and "$sealed" in value else value
        for name, value in content.items()
    }


def _with_full_name(content: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "Renamed", {"full_name": content["name"]}


def _with_language(content: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "Renamed", {**content, "language": "en"}


def test_upcasters_are_applied_one_after_the_other_from_the_version_of_the_event_on():
    assert upcast("Named", 1, {"name": "x"}, {}) == ("Named", 1, {"name": "x"})
    upcasters = {("Named", 1): _with_full_name, ("Renamed", 2): _with_language}
    upcasted = upcast("Named", 1, {"name": "x"}, upcasters)
    assert upcasted == ("Renamed", 3, {"full_name": "x", "language": "en"})
    upcasters = {("Renamed", 1): _with_full_name, ("Renamed", 2): _with_language}
    upcasted = upcast("Renamed", 2, {"full_name": "x"}, upcasters)
    assert upcasted == ("Renamed", 3, {"full_name": "x", "language": "en"})


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
def test_an_event_survives_the_way_through_a_record(changes: dict[str, Any]):
    event = _an_event(**changes)
    record = to_record(event)
    assert from_record(record.value, record.headers) == event


def test_a_record_is_a_cloud_event_in_binary_mode():
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


def test_the_record_s_key_is_the_child_and_the_trace_context_has_its_own_header():
    assert to_record(_an_event()).key == b"child-1"
    assert dict(to_record(_an_event(traceparent=TRACE)).headers)["traceparent"] == TRACE.encode()


@pytest.mark.parametrize(
    "missing",
    ["ce_type", "ce_subject", "ce_sequence", "ce_time", "ce_recordedtime", "ce_correlationid"],
)
def test_a_record_without_a_needed_header_is_undecodable(missing: str):
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
def test_a_record_with_a_malformed_header_is_undecodable(name: str, value: bytes):
    record = to_record(_an_event())
    with pytest.raises(UndecodableEvent, match="malformed"):
        from_record(record.value, [*record.headers, (name, value)])


def test_a_value_that_is_no_text_is_undecodable():
    with pytest.raises(UndecodableEvent, match="malformed"):
        from_record(b"\xff", to_record(_an_event()).headers)


def test_a_record_without_value_carries_no_data():
    # given a tombstone
    event = from_record(None, to_record(_an_event()).headers)
    # then the codec refuses it
    assert event.data == ""
    assert event.recorded_at == NOON
