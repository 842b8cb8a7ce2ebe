"""What is kept of a record that cannot be projected, and why; what goes back, what is discarded."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from projection_worker.dead_letters.redrive import Verdict, verdict, wanted_again
from projection_worker.dead_letters.store import DeadLetter
from projection_worker.projecting.decoding import UNREADABLE
from projection_worker.records import (
    MOST_REASON,
    MOST_STACK,
    DeadLettered,
    Delivered,
    RawRecord,
    WaitingRecords,
    dead_letter,
    deliver,
    raw_record,
)
from shared.event_store.envelope import seal_commit
from shared.events.child import SCHEMA_VERSIONS
from shared.keyring.keyring import ChildCipher
from shared.keyring.search_index import SearchIndex
from shared.serialization.cloud_events import to_record
from shared.serialization.events import decode_what_opens, encode
from shared.serialization.schema import SEALED
from tests.support.commits import an_offer
from tests.support.event_samples import CHILD, EVENTS
from tests.support.projection_facts import MIA, NOON

RECORD = Delivered(MIA, "partition-3", RawRecord("topic", 3, 7, MIA.encode(), b"\xff", ()), None)


def test_a_dead_lettered_record_tells_what_went_wrong_and_where():
    try:
        int("seven")
    except ValueError as error:
        dead_lettered = dead_letter(RECORD, error)

    assert (dead_lettered.raw, dead_lettered.child_id) == (RECORD.raw, MIA)
    assert dead_lettered.reason.startswith("ValueError: invalid literal")
    assert "test_a_dead_lettered_record_tells_what_went_wrong_and_where" in dead_lettered.stack


def test_however_much_an_error_says_the_letter_stays_small():
    dead_lettered = dead_letter(RECORD, ValueError("x" * 20_000_000))

    assert dead_lettered.reason == "ValueError: " + "x" * (MOST_REASON - len("ValueError: "))
    assert len(dead_lettered.stack) == MOST_STACK


CIPHER, INDEX = ChildCipher(CHILD, bytes(32)), SearchIndex(bytes(32))
OUT_OF_RANGE = "0001-01-01T00:00:00+14:00"

Headers = list[tuple[str, bytes | None]]


@dataclass(frozen=True)
class Record:
    """What a consumer hands out."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    topic: str = "events"
    partition: int = 0
    offset: int = 0


def _recorded(number: int) -> Record:
    event = encode(EVENTS[number], 1, CIPHER)
    offer = replace(an_offer(CHILD), events=(event,))
    (recorded,) = seal_commit(offer).recorded_events()
    record = to_record(recorded)
    return Record(record.key, record.value, list(record.headers))


RECORDS = [_recorded(number) for number in range(len(EVENTS))]

_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats()
    | st.sampled_from([OUT_OF_RANGE, "9999-12-31T23:59:59-14:00", "", "x" * 10_000, CHILD])
    | st.text(max_size=10)
)
_json = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([SEALED, "a"]), inner, max_size=2)
    ),
    max_leaves=5,
)
_words = st.sampled_from(
    [b"", b"\xff", b"\x00", OUT_OF_RANGE.encode(), b"-1", b"9" * 5_000, b"1e9", CHILD.encode()]
) | st.binary(max_size=20)
_types = st.sampled_from(
    [f"teddy.child.{cls.__name__}.v{version}".encode() for cls, version in SCHEMA_VERSIONS.items()]
)


@st.composite
def _odd_records(draw: st.DrawFn) -> Record:
    """A record of ours in which some parts are others."""
    record = draw(st.sampled_from(RECORDS))
    headers = dict(record.headers)
    for name in draw(st.lists(st.sampled_from(sorted(headers)), max_size=3)):
        headers[name] = draw(st.none() | _words | _types)
    content: Any = orjson.loads(record.value or b"{}")
    for name in draw(st.lists(st.sampled_from(sorted(content)), max_size=3)) if content else []:
        content[name] = draw(_json)
    value = draw(st.just(_dumped(content)) | st.none() | _words | _json.map(_dumped))
    key = draw(st.just(record.key) | st.none() | _words)
    return Record(key, value, list(headers.items()))


def _dumped(content: Any) -> bytes:
    """Also what orjson does not write: numbers beyond 64 bits."""
    return str(content).encode() if isinstance(content, int) else _or_text(content)


def _or_text(content: Any) -> bytes:
    try:
        return orjson.dumps(content)
    except TypeError:
        return str(content).encode()


@given(_odd_records())
def test_an_odd_record_is_an_event_or_says_why_not(record: Record):
    delivered = deliver(raw_record(record))
    if delivered.event is None:
        assert delivered.problem is not None
        return
    try:
        decode_what_opens(delivered.event, CIPHER, INDEX)
    except UNREADABLE:
        return


@pytest.mark.parametrize("name", ["ce_time", "ce_recordedtime"])
@pytest.mark.parametrize("value", [None, OUT_OF_RANGE.encode()])
def test_a_header_without_value_or_out_of_range_is_undecodable(name: str, value: bytes | None):
    headers: Headers = [*RECORDS[0].headers, (name, value)]

    delivered = deliver(raw_record(Record(RECORDS[0].key, RECORDS[0].value, headers)))

    assert str(delivered.problem) == "a header or the value is malformed"


FIRST, OTHER = TopicPartition("events", 0), TopicPartition("events", 1)


class Fetched:
    """As a consumer hands it out, of which only the offset counts."""

    def __init__(self, offset: int) -> None:
        self.offset = offset


def record(place: TopicPartition, offset: int) -> Delivered:
    raw = RawRecord(place.topic, place.partition, offset, b"mia", b"{}", ())
    return Delivered("mia", "partition-0", raw, None)


def test_a_partition_is_done_up_to_the_first_record_that_waits():
    waiting = WaitingRecords()
    waiting.fetched({FIRST: [Fetched(4), Fetched(9)], OTHER: [Fetched(7)]})

    waiting.records = (record(FIRST, 8), record(FIRST, 5))

    assert waiting.begins() == {FIRST: 5}
    assert waiting.offsets() == {FIRST: 5, OTHER: 8}


def test_what_was_read_meanwhile_is_done_with_as_soon_as_nothing_waits():
    # given a record that waits, and others that were read behind it
    waiting = WaitingRecords()
    waiting.fetched({FIRST: [Fetched(4)]})
    waiting.records = (record(FIRST, 4),)
    waiting.fetched({FIRST: [Fetched(5), Fetched(6)]})
    assert waiting.offsets() == {FIRST: 4}
    # when
    waiting.records = ()
    # then
    assert waiting.offsets() == {FIRST: 7}


def test_what_waits_in_a_partition_that_is_given_away_is_the_other_workers():
    waiting = WaitingRecords()
    waiting.fetched({FIRST: [Fetched(4)], OTHER: [Fetched(7)]})
    waiting.records = (record(FIRST, 4), record(OTHER, 7))

    waiting.revoked({FIRST})

    assert [one.raw.partition for one in waiting.records] == [OTHER.partition]
    assert waiting.offsets() == {OTHER: 7}


def test_a_partition_that_begins_anew_is_never_committed_beyond_what_was_read():
    # given a topic that lost its records while one of them waits
    waiting = WaitingRecords()
    waiting.records = (record(FIRST, 900),)

    waiting.fetched({FIRST: [Fetched(0)]})

    assert waiting.offsets() == {FIRST: 1}


HEADERS = (("ce_type", b"\xff\x00"),)


def letters(*versions: int | None, generation: int = 1) -> Iterator[DeadLetter]:
    for offset, version in enumerate(versions):
        raw = RawRecord("topic", 3, offset, MIA.encode(), b"value %d" % offset, HEADERS)
        dead_lettered = DeadLettered(raw, MIA, "reason", "stack")
        yield DeadLetter(f"g{generation}/{raw.identity}", generation, dead_lettered, NOON, version)


def values(records: tuple[RawRecord, ...]) -> list[bytes | None]:
    return [record.value for record in records]


def test_only_what_the_read_models_lack_or_nobody_can_read_is_published_again():
    wanted = wanted_again(list(letters(2, 3, 4)), {1: 3})

    assert values(wanted) == [b"value 2"]
    assert values(wanted_again(list(letters(None, 3)), {1: 9})) == [b"value 0"]
    assert wanted_again(list(letters(2, generation=7)), {1: 0}) == ()


def test_records_come_back_byte_for_byte_and_once_for_two_generations():
    (again,) = wanted_again(list(letters(2)), {1: 1})

    assert (again.key, again.value, again.headers) == (MIA.encode(), b"value 0", HEADERS)
    dead_lettered = [*letters(2, 3), *letters(2, 3, generation=2)]

    assert values(wanted_again(dead_lettered, {1: 1, 2: 2})) == [b"value 0", b"value 1"]


@pytest.mark.parametrize(
    ("version", "checkpoint", "last", "expected"),
    [
        (3, 3, 5, Verdict.SEEN),
        (2, 3, 5, Verdict.SEEN),
        (4, 3, 5, Verdict.NEEDED),
        (5, 3, 5, Verdict.NEEDED),
        (6, 3, 5, Verdict.NO_EVENT),
        (1, 0, 0, Verdict.NO_EVENT),
        (3, None, 5, Verdict.GENERATION_GONE),
        (None, None, 5, Verdict.GENERATION_GONE),
        (None, 3, 4, Verdict.NEEDED),  # what cannot be read may be any that is missing
        (None, 4, 4, Verdict.NO_EVENT),
    ],
)
def test_a_record_is_needed_while_the_store_has_it_and_the_read_models_do_not(
    version: int | None, checkpoint: int | None, last: int, expected: Verdict
):
    assert verdict(version, checkpoint, last) is expected
