"""What is kept of a record that cannot be projected, and why."""

from projection_worker.records import MOST_REASON, MOST_STACK, Delivered, RawRecord, park
from tests.support.projection_facts import MIA

RECORD = Delivered(MIA, "partition-3", RawRecord("topic", 3, 7, MIA.encode(), b"\xff", ()), None)


def test_a_parked_record_tells_what_went_wrong_and_where() -> None:
    try:
        int("seven")
    except ValueError as error:
        parked = park(RECORD, error)

    assert (parked.raw, parked.child_id) == (RECORD.raw, MIA)
    assert parked.reason.startswith("ValueError: invalid literal")
    assert "test_a_parked_record_tells_what_went_wrong_and_where" in parked.stack


def test_however_much_an_error_says_the_letter_stays_small() -> None:
    parked = park(RECORD, ValueError("x" * 20_000_000))

    assert parked.reason == "ValueError: " + "x" * (MOST_REASON - len("ValueError: "))
    assert len(parked.stack) == MOST_STACK
