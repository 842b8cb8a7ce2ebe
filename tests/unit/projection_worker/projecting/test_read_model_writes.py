"""The closed list of failures that are a document's own fault."""

import pytest
from bson.errors import InvalidDocument
from pymongo.errors import AutoReconnect, BulkWriteError, DocumentTooLarge, OperationFailure

from projection_worker.projecting.unstorable import CODES, unstorable


def refused(*codes: int) -> BulkWriteError:
    refusals = [{"code": code, "errmsg": "Mia", "op": {"name": "Mia"}} for code in codes]
    return BulkWriteError({"writeErrors": refusals, "writeConcernErrors": []})


@pytest.mark.parametrize("code", CODES)
def test_a_code_of_the_list_is_the_documents_fault(code: int) -> None:
    for error in (OperationFailure("Mia", code), refused(code)):
        fault = unstorable(error)
        assert fault is not None
        assert str(fault) == f"{code} {CODES[code]}", "told without the document"


@pytest.mark.parametrize(
    "error",
    [
        DocumentTooLarge("16793600"),
        InvalidDocument("key with NUL"),
        OverflowError("8-byte ints"),
        UnicodeEncodeError("utf-8", "x", 0, 1, "surrogates not allowed"),
    ],
)
def test_what_the_driver_cannot_encode_is_the_documents_fault(error: Exception) -> None:
    assert str(unstorable(error)) == type(error).__name__


@pytest.mark.parametrize("code", [11601, 50, 262, 292, 13, 8000, 388, 112, 251, 91, 189, 11000])
def test_every_other_code_passes(code: int) -> None:
    assert unstorable(OperationFailure("", code)) is None
    assert unstorable(refused(code)) is None


def test_of_several_refusals_one_that_passes_is_enough_to_try_again() -> None:
    assert unstorable(refused(10334, 112)) is None


@pytest.mark.parametrize(
    "error", [AutoReconnect(""), OperationFailure("without a code"), refused(), TimeoutError()]
)
def test_failures_without_a_code_pass(error: Exception) -> None:
    assert unstorable(error) is None
