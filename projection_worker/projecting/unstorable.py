"""Which failures of a write are the document's own fault: a closed list. Everything else passes, or
is for an operator to fix, and is tried again.

Codes: https://www.mongodb.com/docs/manual/reference/error-codes/ and, for those without a name
there, the server's source. Left out on purpose, though they sound like the document's:
TransactionTooLargeForCache (388), QueryExceededMemoryLimitNoDiskUseAllowed (292) and
ExceededMemoryLimit (146) are about the server's memory, Unauthorized (13) about its accounts."""

from bson.errors import BSONError
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError

CODES = {
    22: "InvalidBSON",
    52: "DollarPrefixedFieldName",
    55: "InvalidDBRef",
    56: "EmptyFieldName",
    57: "DottedFieldName",
    121: "DocumentValidationFailure",
    171: "CannotIndexParallelArrays",
    10334: "BSONObjectTooLarge",
    17280: "KeyTooLong",
    17419: "the document is too large after its update",
    17420: "the document is too large after its update",
}

OF_THE_DRIVER = (BSONError, OverflowError, UnicodeError)
"""What encoding a document raises before anything is sent: a size, a number or a text that BSON
does not hold."""


class UnstorableDocument(Exception):
    """A document was refused for what it is. Says why, without its content."""


def unstorable(error: Exception) -> UnstorableDocument | None:
    """What the failure of a write says about its document; None: nothing."""
    if isinstance(error, OF_THE_DRIVER) and not isinstance(error, PyMongoError):
        return UnstorableDocument(type(error).__name__)
    if isinstance(error, BulkWriteError):
        codes = [refusal["code"] for refusal in error.details["writeErrors"]]
    else:
        codes = [error.code] if isinstance(error, OperationFailure) else []
    if codes and all(code in CODES for code in codes):
        return UnstorableDocument(f"{codes[0]} {CODES[codes[0]]}")
    return None


def in_few_words(error: BaseException) -> str:
    """The type of a failure, and the code that a server gave it or what it came of."""
    if error.__cause__ is not None and not isinstance(error, PyMongoError):
        return f"{type(error).__name__} of {in_few_words(error.__cause__)}"
    code = error.code if isinstance(error, OperationFailure) else None
    if isinstance(error, BulkWriteError):
        code = next((one["code"] for one in error.details["writeErrors"]), code)
    return type(error).__name__ if code is None else f"{type(error).__name__} {code}"
