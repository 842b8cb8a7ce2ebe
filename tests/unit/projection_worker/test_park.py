"""What is kept of a record that cannot be projected, and why."""

from pymongo.errors import BulkWriteError

from projection_worker.dead_letter import park
from projection_worker.delivery import Delivered, RawRecord
from tests.support.projection_facts import MIA

RECORD = Delivered(MIA, "partition-3", RawRecord("topic", 3, 7, MIA.encode(), b"\xff", ()), None)


def refused() -> BulkWriteError:
    refusal = {"index": 0, "code": 121, "errmsg": "Document failed validation", "op": {"age": 7}}
    return BulkWriteError({"writeErrors": [refusal], "writeConcernErrors": []})


def test_a_parked_record_tells_what_went_wrong_and_where() -> None:
    try:
        int("seven")
    except ValueError as error:
        parked = park(RECORD, error)

    assert (parked.raw, parked.child_id) == (RECORD.raw, MIA)
    assert parked.reason.startswith("ValueError: invalid literal")
    assert "test_a_parked_record_tells_what_went_wrong_and_where" in parked.stack


def test_a_refused_document_is_not_repeated_in_the_reason() -> None:
    parked = park(RECORD, refused())

    assert parked.reason == "OperationFailure: Document failed validation"
    assert "age" not in parked.stack
