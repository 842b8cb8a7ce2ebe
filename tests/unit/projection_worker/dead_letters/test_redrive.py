"""What goes back on the topic, and what may be discarded."""

from collections.abc import Iterator

import pytest

from projection_worker.dead_letters.redrive import Verdict, verdict, wanted_again
from projection_worker.dead_letters.store import DeadLetter
from projection_worker.records import DeadLettered, RawRecord
from tests.support.projection_facts import MIA, NOON

HEADERS = (("ce_type", b"\xff\x00"),)


def letters(*versions: int | None, generation: int = 1) -> Iterator[DeadLetter]:
    for offset, version in enumerate(versions):
        raw = RawRecord("topic", 3, offset, MIA.encode(), b"value %d" % offset, HEADERS)
        dead_lettered = DeadLettered(raw, MIA, "reason", "stack")
        yield DeadLetter(f"g{generation}/{raw.identity}", generation, dead_lettered, NOON, version)


def values(records: tuple[RawRecord, ...]) -> list[bytes | None]:
    return [record.value for record in records]


def test_what_the_read_models_have_is_not_published_again() -> None:
    wanted = wanted_again(list(letters(2, 3, 4)), {1: 3})

    assert values(wanted) == [b"value 2"]


def test_records_come_back_byte_for_byte() -> None:
    (again,) = wanted_again(list(letters(2)), {1: 1})

    assert (again.key, again.value, again.headers) == (MIA.encode(), b"value 0", HEADERS)


def test_a_record_that_cannot_be_read_comes_back_whatever_the_gate() -> None:
    assert values(wanted_again(list(letters(None, 3)), {1: 9})) == [b"value 0"]


def test_a_record_that_two_generations_dead_lettered_comes_back_once() -> None:
    dead_lettered = [*letters(2, 3), *letters(2, 3, generation=2)]

    assert values(wanted_again(dead_lettered, {1: 1, 2: 2})) == [b"value 0", b"value 1"]


def test_a_generation_that_is_gone_needs_nothing() -> None:
    assert wanted_again(list(letters(2, generation=7)), {1: 0}) == ()


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
    ],
)
def test_a_record_is_needed_while_the_store_has_it_and_the_read_models_do_not(
    version: int | None, checkpoint: int | None, last: int, expected: Verdict
) -> None:
    assert verdict(version, checkpoint, last) is expected


def test_a_record_that_cannot_be_read_may_be_any_that_is_missing() -> None:
    assert verdict(None, checkpoint=3, last=4) is Verdict.NEEDED
    assert verdict(None, checkpoint=4, last=4) is Verdict.NO_EVENT
