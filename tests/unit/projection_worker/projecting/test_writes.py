"""What of a batch is written: the fields that changed, and nothing that did not."""

from typing import Any, cast

from pymongo import InsertOne, ReplaceOne, UpdateOne

from projection_worker.projecting.writes import FoldedChild, Write, writes_of
from projection_worker.projections.registry import ChildView, Place, apply
from shared.clock import utc_now
from shared.read_models.documents import Model
from shared.read_models.generations import RetentionCutoff
from tests.support.projection_facts import TALK, erased, message, registered, started, view_of

CONVERSATION: Place = (Model.CONVERSATIONS, f"{registered().child_id}/{TALK}")


def written(one: FoldedChild, *, over_remains: bool = False) -> dict[Model, list[Write]]:
    writes = writes_of([one], RetentionCutoff(), {}, utc_now(), over_remains=over_remains)
    return dict(writes.by_model)


def test_of_a_stored_document_the_fields_that_differ_are_set() -> None:
    before = view_of(registered(), started())
    after = apply(unchanged(before), message(), 3, "mia@3")

    writes = written(FoldedChild(before.child, after, "partition-1", before.documents))

    (child,), (talk,) = writes[Model.CHILDREN], writes[Model.CONVERSATIONS]
    assert child == UpdateOne(
        {"_id": registered().child_id},
        {"$set": differing(before.child, after.child)},
    )
    assert {"version", "total_messages", "updated_at"} <= differing(
        before.child, after.child
    ).keys()
    assert "name" not in differing(before.child, after.child)
    assert talk == UpdateOne(
        {"_id": CONVERSATION[1]},
        {"$set": differing(before.documents[CONVERSATION], after.documents[CONVERSATION])},
    )


def test_what_a_fold_no_longer_has_is_taken_away() -> None:
    before = view_of(registered())
    child = cast(Any, {**cast(dict[str, Any], before.child), "of_an_older_release": 1})
    after = apply(unchanged(before), started(), 2, "mia@2")

    writes = written(FoldedChild(child, after, "partition-1"))

    (update,) = writes[Model.CHILDREN]
    assert cast(Any, update)._doc["$unset"] == {"of_an_older_release": ""}


def test_a_number_that_becomes_another_kind_of_number_is_written() -> None:
    before = view_of(registered())
    child = cast(Any, {**cast(dict[str, Any], before.child), "total_minutes": 0})
    after = apply(unchanged(before), started(), 2, "mia@2")

    (update,) = written(FoldedChild(child, after, "partition-1"))[Model.CHILDREN]

    assert type(cast(Any, update)._doc["$set"]["total_minutes"]) is float


def test_what_is_not_stored_is_inserted_or_written_over_what_remains() -> None:
    one = FoldedChild(None, view_of(registered(), started()), "partition-1")

    (inserted,) = written(one)[Model.CONVERSATIONS]
    (over,) = written(one, over_remains=True)[Model.CONVERSATIONS]

    assert isinstance(inserted, InsertOne)
    document = one.view.documents[CONVERSATION]
    assert over == ReplaceOne({"_id": CONVERSATION[1]}, document, upsert=True)


def test_an_erased_child_is_replaced_with_what_its_removal_left_in_it() -> None:
    before = view_of(registered())
    after = apply(unchanged(before), erased(), 2, "mia@2")

    (replaced,) = written(FoldedChild(before.child, after, "partition-1"))[Model.CHILDREN]

    assert replaced == ReplaceOne({"_id": registered().child_id}, cast(Any, after.child))


def unchanged(view: ChildView) -> ChildView:
    return ChildView(child=view.child, documents=view.documents)


def differing(before: Any, after: Any) -> dict[str, Any]:
    return {name: value for name, value in after.items() if before.get(name) != value}
