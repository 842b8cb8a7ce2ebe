import dataclasses
import types
import typing
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.event_store.envelope import RecordedEvent
from shared.events.child import (
    SCHEMA_VERSIONS,
    AlertPolicy,
    ChildDeactivated,
    ChildEvent,
    ChildRegistered,
    ConversationStarted,
    SafetyViolationReported,
    Severity,
)
from shared.events.personal import Personal, PersonalDataErased
from shared.keyring.keyring import ChildCipher, SealBroken
from shared.keyring.search_index import SearchIndex
from shared.serialization.events import decode, encode
from shared.serialization.schema import (
    ALL_LABELS,
    LABELS,
    PERSONAL_FIELDS,
    SEALED,
    SealedField,
    UndecodableEvent,
    open_sealed,
)
from tests.support.commits import NOON
from tests.support.event_samples import CHILD, EVENTS

CIPHER = ChildCipher(CHILD, bytes(32))
REGISTERED = EVENTS[0]

_text = st.text(st.characters(codec="utf-8"), max_size=20)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=8,
)
_milliseconds = st.integers(0, 4_102_444_800_000).map(
    lambda ms: datetime.fromtimestamp(ms // 1_000, UTC).replace(microsecond=ms % 1_000 * 1_000)
)


def _values(annotation: Any) -> st.SearchStrategy[Any]:
    """Values of a field of an event, from its type."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*(_values(argument) for argument in arguments))
    if origin is Personal:
        return st.builds(Personal, _values(arguments[0]))
    if origin in (tuple, list):
        return st.lists(_values(arguments[0]), max_size=3).map(origin)
    if origin is dict:
        return st.dictionaries(_text, _json, max_size=3)
    if annotation is AlertPolicy:
        return _instances(AlertPolicy)
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return st.sampled_from(annotation)
    simple = {str: _text, int: st.integers(-(2**53), 2**53), datetime: _milliseconds}
    return st.none() if annotation is type(None) else simple[annotation]


def _instances(data_class: Any) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(data_class)
    names = [known.name for known in dataclasses.fields(data_class)]
    fields = {name: _values(hints[name]) for name in names}
    if "child_id" in fields:
        fields["child_id"] = st.just(CHILD)
    return st.builds(data_class, **fields)


def _record(event: ChildEvent, version: int = 3, **changes: Any) -> RecordedEvent:
    """The event as the store gives it; `changes` replace fields of its JSON."""
    encoded = encode(event, version, CIPHER)
    content = orjson.loads(encoded.data) | changes
    data = orjson.dumps(content).decode()
    return RecordedEvent(
        event.child_id, version, encoded.type, encoded.schema_version, event.at, NOON, data, "c-1"
    )


@pytest.mark.parametrize("event_class", SCHEMA_VERSIONS, ids=lambda each: each.__name__)
@given(data=st.data())
def test_what_is_decoded_is_what_was_encoded(event_class: type[ChildEvent], data: st.DataObject):
    event = data.draw(_instances(event_class))
    assert decode(_record(event), CIPHER) == event


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_no_personal_value_is_readable_on_the_wire(event: ChildEvent):
    # given
    data = encode(event, 1, CIPHER).data
    # then
    content = orjson.loads(data)
    for known in dataclasses.fields(event):
        value = getattr(event, known.name)
        if isinstance(value, Personal):
            assert set(content[known.name]) == {SEALED}
            assert orjson.dumps(value.value).decode() not in data or value.value in ({}, [])
        elif known.name in LABELS:
            assert known.name not in content
            assert set(content[ALL_LABELS]) == {SEALED}


def test_absent_fields_are_left_out():
    # given
    event = ConversationStarted(child_id=CHILD, at=NOON, conversation_id="conversation-1")
    # when
    content = orjson.loads(encode(event, 1, CIPHER).data)
    # then
    assert content == {
        "child_id": CHILD,
        "at": "2026-11-23T12:00:00.123Z",
        "conversation_id": "conversation-1",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"favourite_colour": "blue"},
        {"age": "7"},
        {"age": True},
        {"age": 7.0},
        {"age": None},
        {"at": "yesterday"},
        {"at": 1},
        {"parent_id": ["parent-1"]},
        {"name": "Zoë"},
        {"name": {"first": "Zoë"}},
    ],
    ids=str,
)
def test_an_event_that_does_not_fit_its_schema_is_undecodable(changes: dict[str, Any]):
    with pytest.raises(UndecodableEvent, match="ChildRegistered does not fit its schema"):
        decode(_record(REGISTERED, **changes), CIPHER)


def test_a_missing_field_or_a_sealed_value_where_none_may_be_is_undecodable():
    record = _record(REGISTERED)
    sealed = {SEALED: CIPHER.seal(b'"parent-1"', f"{record.event_id}\0parent_id")}
    with pytest.raises(UndecodableEvent):
        decode(_record(REGISTERED, parent_id=sealed), CIPHER)
    content = orjson.loads(record.data)
    del content["parent_id"]
    shortened = dataclasses.replace(record, data=orjson.dumps(content).decode())
    with pytest.raises(UndecodableEvent):
        decode(shortened, CIPHER)


@pytest.mark.parametrize("data", ["", "{", "[]", '"text"', "null", "\ufeff{}"])
def test_what_is_not_a_json_object_is_undecodable(data: str):
    with pytest.raises(UndecodableEvent, match="not"):
        decode(dataclasses.replace(_record(REGISTERED), data=data), CIPHER)


@pytest.mark.parametrize(
    "changes", [{"type": "ChildPromoted"}, {"schema_version": 3}, {"schema_version": 0}], ids=str
)
def test_an_unknown_type_or_schema_version_is_undecodable(changes: dict[str, Any]):
    with pytest.raises(UndecodableEvent, match="unknown"):
        decode(dataclasses.replace(_record(REGISTERED), **changes), CIPHER)


def test_the_reason_never_repeats_a_value():
    with pytest.raises(UndecodableEvent) as refused:
        decode(_record(REGISTERED, name="Zoë Lovelace"), CIPHER)
    assert "Zoë" not in str(refused.value)


def test_a_ciphertext_moved_to_another_field_event_or_child_does_not_open():
    content = orjson.loads(_record(REGISTERED).data)
    with pytest.raises(SealBroken):
        decode(_record(REGISTERED, name=content["udid"]), CIPHER)
    elsewhere = orjson.loads(_record(REGISTERED, version=4).data)
    with pytest.raises(SealBroken):
        decode(_record(REGISTERED, version=3, name=elsewhere["name"]), CIPHER)
    # given another child whose data key is, by some accident, the same
    other = ChildCipher("child-2", bytes(32))
    stolen = {SEALED: other.seal(b'"Max"', f"{_record(REGISTERED).event_id}\0name")}
    with pytest.raises(SealBroken):
        decode(_record(REGISTERED, name=stolen), CIPHER)


@pytest.mark.parametrize("ciphertext", ["", "AAAA", "no base64!", 7, None], ids=str)
def test_a_malformed_ciphertext_does_not_open(ciphertext: Any):
    with pytest.raises(SealBroken):
        decode(_record(REGISTERED, name={SEALED: ciphertext}), CIPHER)


def test_without_the_key_personal_fields_keep_only_their_ciphertext():
    # given
    record = _record(REGISTERED)
    # when
    event = decode(record, None)
    # then
    assert isinstance(event, ChildRegistered)
    assert event.parent_id == "parent-1"
    assert event.name.value is None
    assert event.name.sealed
    with pytest.raises(PersonalDataErased):
        event.name.reveal()
    with pytest.raises(PersonalDataErased):
        encode(event, 3, CIPHER)


def test_a_sealed_text_of_a_read_model_opens_with_the_child_s_cipher_only():
    event = decode(_record(REGISTERED), CIPHER)
    assert isinstance(event, ChildRegistered)
    name = SealedField("name", None)
    assert open_sealed(CHILD, event.name.sealed, CIPHER, name) == "Zoë 小熊"
    with pytest.raises(SealBroken):
        open_sealed("child-2", event.name.sealed, CIPHER, name)


@pytest.mark.parametrize("field", sorted(PERSONAL_FIELDS - {"udid"}))
def test_a_sealed_text_opens_in_no_field_but_its_own(field: str):
    event = decode(_record(REGISTERED), CIPHER)
    assert isinstance(event, ChildRegistered)
    with pytest.raises(SealBroken):
        open_sealed(CHILD, event.udid.sealed, CIPHER, SealedField(field, None))


@pytest.mark.parametrize("text", ["", "name", "x.name.AAAA", "-1.name.AAAA", "1.name", "²..", "1."])
def test_what_is_no_sealed_text_does_not_open(text: str):
    with pytest.raises(SealBroken):
        open_sealed(CHILD, text, CIPHER, SealedField("name", None))


def test_what_is_told_of_one_violation_opens_in_no_other():
    # given
    event = decode(_record(_reported("v-1")), CIPHER)
    assert isinstance(event, SafetyViolationReported)
    assert event.details
    sealed = event.details.sealed
    # when / then
    assert open_sealed(CHILD, sealed, CIPHER, SealedField("details", "v-1")) == "said a word"
    for of in ("v-2", None):
        with pytest.raises(SealBroken):
            open_sealed(CHILD, sealed, CIPHER, SealedField("details", of))


def test_an_event_that_names_another_violation_or_another_child_is_refused():
    with pytest.raises(SealBroken):
        decode(_record(_reported("v-1"), violation_id="v-2"), CIPHER)
    with pytest.raises(UndecodableEvent, match="about another child"):
        decode(_record(REGISTERED, child_id="child-2"), CIPHER)


def test_what_was_sealed_before_violations_were_bound_opens_still():
    # given
    record = _record(_reported("v-1"))
    unbound = CIPHER.seal(b'"said a word"', f"{record.event_id}\0details")
    # when
    event = decode(_record(_reported("v-1"), details={SEALED: unbound}), CIPHER)
    # then
    assert event == _reported("v-1")
    assert isinstance(event, SafetyViolationReported)
    assert event.details
    opened = open_sealed(CHILD, event.details.sealed, CIPHER, SealedField("details", "v-1"))
    assert opened == "said a word"


def test_a_field_that_was_renamed_opens_under_its_former_name(monkeypatch: pytest.MonkeyPatch):
    sealed = f"3.why.{CIPHER.seal(b'1', f'{CHILD}@3{chr(0)}why')}"
    monkeypatch.setattr("shared.serialization.schema.FORMER_NAMES", {"reason": ("why",)})
    assert open_sealed(CHILD, sealed, CIPHER, SealedField("reason", None)) == 1
    with pytest.raises(SealBroken):
        open_sealed(CHILD, sealed, CIPHER, SealedField("name", None))


def _reported(violation_id: str) -> SafetyViolationReported:
    return SafetyViolationReported(
        child_id=CHILD,
        at=NOON,
        violation_id=violation_id,
        violation_type="bullying",
        severity=Severity.LOW,
        details=Personal("said a word"),
    )


def test_only_searchable_fields_get_search_tokens():
    # given
    index = SearchIndex(bytes(32))
    # when
    event = decode(_record(REGISTERED), CIPHER, index)
    erased = decode(_record(REGISTERED), None, index)
    # then
    assert isinstance(event, ChildRegistered)
    assert isinstance(erased, ChildRegistered)
    assert event.name.search_tokens == index.tokens_of("Zoë 小熊")
    assert event.udid.search_tokens == ()
    assert erased.name.search_tokens == ()


def test_an_old_event_is_read_as_if_written_today():
    # given the event type had another name at version 0, and `why` instead of `reason`
    def renamed(content: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        reason = content.pop("why")
        return "ChildDeactivated", {**content, "reason": reason}

    record = _record(ChildDeactivated(child_id=CHILD, at=NOON, reason=Personal("moved away")))
    content = orjson.loads(record.data)
    del content["reason"]
    content["why"] = {SEALED: CIPHER.seal(b'"moved away"', f"{record.event_id}\0why")}
    old = dataclasses.replace(
        record, type="ChildPaused", schema_version=0, data=orjson.dumps(content).decode()
    )
    # when
    event = decode(old, CIPHER, upcasters={("ChildPaused", 0): renamed})
    # then
    assert event == ChildDeactivated(child_id=CHILD, at=NOON, reason=Personal("moved away"))


def test_an_upcaster_that_meets_what_its_schema_does_not_say_makes_no_event():
    # given an old event whose age is no text
    recorded = dataclasses.replace(_record(REGISTERED, age=5), schema_version=1)
    upcasters = {("ChildRegistered", 1): lambda content: ("Named", content["age"].upper())}
    with pytest.raises(UndecodableEvent, match="does not fit its schema"):
        decode(recorded, CIPHER, upcasters=upcasters)
