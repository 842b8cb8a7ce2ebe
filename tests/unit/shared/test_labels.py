"""Labels: sealed in events as personal values are, read in clear from events of before."""

import dataclasses
import typing
from typing import Any

import orjson
import pytest

from shared.codec import LABELS, SEALED, decode, decode_what_opens, encode, in_clear
from shared.envelope import RecordedEvent
from shared.events.child import (
    SCHEMA_VERSIONS,
    ChildEvent,
    ChildProfileUpdated,
    ChildRegistered,
    MessageRecorded,
    SafetyViolationReported,
)
from shared.keyring.cipher import ChildCipher
from shared.personal import UNREADABLE, Personal
from tests.support.commits import NOON
from tests.support.event_samples import CHILD, EVENTS

CIPHER = ChildCipher(CHILD, bytes(32))
SAMPLES = {type(each): each for each in EVENTS}


def _record(event: ChildEvent, schema_version: int = 2, **changes: Any) -> RecordedEvent:
    """The event as the store gives it; `changes` replace fields of its JSON."""
    encoded = encode(event, 3, CIPHER)
    data = orjson.dumps(orjson.loads(encoded.data) | changes).decode()
    return RecordedEvent(CHILD, 3, encoded.type, schema_version, event.at, NOON, data, "c-1")


def test_every_text_and_number_that_people_choose_is_sealed() -> None:
    """What is left in clear are ids, times, counts and words of a closed list."""
    hints = [typing.get_type_hints(each, include_extras=True) for each in SCHEMA_VERSIONS]
    free = {n for h in hints for n, kind in h.items() if kind in (str, str | None, int, int | None)}
    lists = {n for h in hints for n, kind in h.items() if kind == tuple[str, ...]}
    ids = {"child_id", "parent_id", "violation_id", "conversation_id"}
    assert free == {*ids, "word_count"}
    assert lists == {"cleared"}  # names of fields
    assert {n for h in hints for n in h if n in LABELS} == LABELS


@pytest.mark.parametrize("name", sorted(LABELS))
def test_a_label_is_read_in_clear_where_it_was_published_so(name: str) -> None:
    # given
    event = next(each for each in EVENTS if hasattr(each, name))
    value = getattr(event, name)
    # when
    record = _record(event, schema_version=1, **{name: value})
    # then
    assert decode(record, CIPHER) == decode(_record(event), CIPHER) == event
    assert in_clear(record) == []
    assert in_clear(_record(event, **{name: value})) == [name]


def test_a_ciphertext_does_not_show_how_long_its_value_is() -> None:
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
    for field in ("name", "age"):
        assert len({len(content[field][SEALED]) for content in written}) == 1


def test_what_does_not_open_leaves_the_other_fields_as_they_are() -> None:
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


def test_without_the_key_labels_say_that_nobody_can_read_them() -> None:
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
