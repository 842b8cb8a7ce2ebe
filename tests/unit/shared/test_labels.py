"""Labels: sealed in events as personal values are, read in clear from events of before."""

import dataclasses
import typing
from typing import Any

import orjson
import pytest

from shared.event_store.envelope import RecordedEvent, event_id
from shared.events.child import (
    SCHEMA_VERSIONS,
    ChildEvent,
    ChildProfileUpdated,
    ChildRegistered,
    MessageRecorded,
    SafetyViolationReported,
)
from shared.events.personal import LABELS_IN_CLEAR, UNREADABLE, Personal
from shared.keyring.keyring import ChildCipher, field_place
from shared.serialization.events import decode, decode_what_opens, encode, in_clear
from shared.serialization.schema import ALL_LABELS, LABELS, SEALED, UndecodableEvent
from tests.support.commits import NOON
from tests.support.event_samples import CHILD, EVENTS

CIPHER = ChildCipher(CHILD, bytes(32))
PLACE = field_place(event_id(CHILD, 3), ALL_LABELS, None)
SAMPLES = {type(each): each for each in EVENTS}
LABELLED = [each for each in SAMPLES if each.__name__ in LABELS_IN_CLEAR]


def _record(event: ChildEvent, schema_version: int = 2, **changes: Any) -> RecordedEvent:
    """The event as the store gives it; `changes` replace fields of its JSON, None removes one."""
    encoded = encode(event, 3, CIPHER)
    content = orjson.loads(encoded.data) | changes
    data = orjson.dumps({n: one for n, one in content.items() if one is not None}).decode()
    return RecordedEvent(CHILD, 3, encoded.type, schema_version, event.at, NOON, data, "c-1")


def test_every_text_and_number_that_people_choose_is_sealed():
    """What is left in clear are ids, times, counts and words of a closed list."""
    hints = [typing.get_type_hints(each, include_extras=True) for each in SCHEMA_VERSIONS]
    free = {n for h in hints for n, kind in h.items() if kind in (str, str | None, int, int | None)}
    lists = {n for h in hints for n, kind in h.items() if kind == tuple[str, ...]}
    ids = {"child_id", "parent_id", "violation_id", "conversation_id"}
    assert free == {*ids, "word_count"}
    assert lists == {"cleared"}  # names of fields
    assert ALL_LABELS not in {n for h in hints for n in h}
    labelled = {each.__name__ for each in SCHEMA_VERSIONS if LABELS & each.__annotations__.keys()}
    since = {"SafetyViolationReopened", "SafetyViolationAssigned"}  # never published in clear
    assert labelled == LABELS_IN_CLEAR | since


@pytest.mark.parametrize(
    "event", [SAMPLES[each] for each in LABELLED], ids=lambda event: type(event).__name__
)
def test_labels_are_read_in_clear_where_they_were_published_so(event: ChildEvent):
    # given
    in_events = {name: getattr(event, name) for name in LABELS if hasattr(event, name)}
    labels = {ALL_LABELS: None, **in_events}
    # when
    before = _record(event, schema_version=1, **labels)
    # then
    assert decode(before, CIPHER) == decode(_record(event), CIPHER) == event
    assert in_clear(before) == []
    # and not any more where they are sealed
    for name, value in in_events.items():
        now = _record(event, **{name: value})
        assert in_clear(now) == [name]
        with pytest.raises(UndecodableEvent, match="twice"):
            decode(now, CIPHER)


@pytest.mark.parametrize(
    "labels",
    [7, [], "text", {SEALED: CIPHER.seal(b"[]", PLACE)}],
    ids=["number", "list", "text", "sealed list"],
)
def test_labels_that_are_no_sealed_object_make_no_event(labels: Any):
    with pytest.raises(UndecodableEvent):
        decode(_record(SAMPLES[MessageRecorded], **{ALL_LABELS: labels}), CIPHER)


def test_a_ciphertext_does_not_show_how_long_its_value_is():
    # given
    sample = SAMPLES[ChildRegistered]
    assert isinstance(sample, ChildRegistered)
    children = [
        dataclasses.replace(sample, name=Personal(name), age=age)
        for name, age in (("Bo", 3), ("Maximilian Alexander", 12))
    ]
    # when
    written = [orjson.loads(encode(child, 1, CIPHER).data) for child in children]
    # then
    for field in ("name", ALL_LABELS):
        assert len({len(content[field][SEALED]) for content in written}) == 1


def test_what_does_not_open_leaves_the_other_fields_as_they_are():
    # given
    record = _record(SAMPLES[SafetyViolationReported], details={SEALED: "AAAA"})
    # when
    event, broken = decode_what_opens(record, CIPHER)
    # then
    assert isinstance(event, SafetyViolationReported)
    assert broken is not None
    assert event.violation_type == "personal_information"
    assert event.details is not None
    assert event.details.value is None


def test_without_the_key_labels_say_that_nobody_can_read_them():
    # given
    registered, changed, reported, said = (
        decode(_record(SAMPLES[each]), None)
        for each in (ChildRegistered, ChildProfileUpdated, SafetyViolationReported, MessageRecorded)
    )
    # then
    assert isinstance(registered, ChildRegistered)
    assert isinstance(reported, SafetyViolationReported)
    assert isinstance(changed, ChildProfileUpdated)
    assert isinstance(said, MessageRecorded)
    assert (registered.age, changed.age) == (0, None)
    assert reported.violation_type == UNREADABLE
    assert (said.topic, said.flagged_categories, said.learning_skills) == (None, (), ())
