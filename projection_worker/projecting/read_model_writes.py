"""What a batch changes, as the operations of one transaction; and which failures of a write are the
document's own fault: a closed list. Everything else passes, or is for an operator to fix, and is
tried again.

Codes: https://www.mongodb.com/docs/manual/reference/error-codes/ and, for those without a name
there, the server's source. Left out on purpose, though they sound like the document's:
TransactionTooLargeForCache (388), QueryExceededMemoryLimitNoDiskUseAllowed (292) and
ExceededMemoryLimit (146) tell of the server's memory, Unauthorized (13) of its accounts.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from bson.errors import BSONError
from pymongo import InsertOne, ReplaceOne, UpdateMany, UpdateOne
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError

from projection_worker.projections.registry import ChildView, change
from shared.mongo import Document
from shared.read_models.deliveries import added_once, deliveries_of
from shared.read_models.documents import ChildDocument, Model
from shared.read_models.generations import RetentionCutoff

Write = InsertOne[Document] | ReplaceOne[Document] | UpdateOne | UpdateMany


@dataclass(frozen=True, slots=True)
class FoldedChild:
    """A child before and after a batch, and the counter shard that the difference goes to."""

    before: ChildDocument | None
    view: ChildView
    shard: str

    @property
    def child_id(self) -> str:
        assert self.view.child is not None
        return self.view.child["_id"]


@dataclass(slots=True)
class Writes:
    by_model: dict[Model, list[Write]] = field(default_factory=lambda: defaultdict(list))
    replaced_children: int = 0
    deliveries: list[UpdateOne] = field(default_factory=list)


def writes_of(
    folded: Sequence[FoldedChild],
    cutoff: RetentionCutoff,
    marks: Mapping[str, Document],
    now: datetime,
) -> Writes:
    """`marks`: what stands in each alert beside what events tell, by its id."""
    writes = Writes()
    counters: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for one in folded:
        _add_child(writes, one, cutoff)
        _add_alerts(writes, one, cutoff, marks)
        writes.deliveries += _deliveries(one, cutoff, now)
        _acknowledge_alerts(writes, one)
        assert one.view.child is not None
        for name, count in change(one.before, one.view.child).items():
            counters[one.shard][name] += count
    for shard, counts in counters.items():
        moved = {f"counters.{name}": count for name, count in counts.items() if count}
        if moved:
            writes.by_model[Model.SYSTEM].append(
                UpdateOne({"_id": shard}, {"$inc": moved}, upsert=True)
            )
    return writes


def _add_child(writes: Writes, one: FoldedChild, cutoff: RetentionCutoff) -> None:
    child = cast(Document, one.view.child)
    if one.before is None:
        writes.by_model[Model.CHILDREN].append(InsertOne(child))
    else:
        at_version = {"_id": child["_id"], "version": one.before["version"]}
        writes.by_model[Model.CHILDREN].append(ReplaceOne(at_version, child))
        writes.replaced_children += 1
    for model, key in one.view.changed:
        document = one.view.documents[model, key]
        if cutoff.keeps(model, document):
            writes.by_model[model].append(ReplaceOne({"_id": key}, document, upsert=True))


def _add_alerts(
    writes: Writes, one: FoldedChild, cutoff: RetentionCutoff, marks: Mapping[str, Document]
) -> None:
    for alert in one.view.alerts:
        if cutoff.keeps(Model.ALERTS, alert):
            insert = {"$setOnInsert": {**alert, **marks.get(alert["_id"], {})}}
            writes.by_model[Model.ALERTS].append(
                UpdateOne({"_id": alert["_id"]}, insert, upsert=True)
            )


def _deliveries(one: FoldedChild, cutoff: RetentionCutoff, now: datetime) -> list[UpdateOne]:
    raised = (alert for alert in one.view.alerts if cutoff.keeps(Model.ALERTS, alert))
    return [added_once(fresh) for alert in raised for fresh in deliveries_of(alert, now)]


def _acknowledge_alerts(writes: Writes, one: FoldedChild) -> None:
    """Those that were raised before; the others say it themselves."""
    if one.before is None:
        return
    raised_now: dict[str, list[str]] = defaultdict(list)
    for alert in one.view.alerts:
        raised_now[alert["violation_id"]].append(alert["_id"])
    for violation_id, at in one.view.acknowledged.items():
        unread = {
            "child_id": one.child_id,
            "violation_id": violation_id,
            "acknowledged_at": None,
            "_id": {"$nin": raised_now.get(violation_id, [])},
        }
        writes.by_model[Model.ALERTS].append(UpdateMany(unread, {"$set": {"acknowledged_at": at}}))


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
    """A document was refused for what it is. Tells why, without its content."""


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
