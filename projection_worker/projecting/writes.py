"""What a batch changes in the read models, as operations of one transaction: of documents that are
there only the fields that changed.

Replaced, and found by id and version, a child costs the server some six times as much
(docs/decisions/039-only-what-changed-is-written.md)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from pymongo import InsertOne, ReplaceOne, UpdateMany, UpdateOne

from projection_worker.projections.registry import ChildView, Place, change
from shared.mongo import Document
from shared.read_models.deliveries import added_once, deliveries_of
from shared.read_models.documents import ChildDocument, Model
from shared.read_models.generations import RetentionCutoff

Write = InsertOne[Document] | ReplaceOne[Document] | UpdateOne | UpdateMany


@dataclass(frozen=True, slots=True)
class FoldedChild:
    """A child before and after a batch, and the counter shard that the difference goes to.
    `stored`: its other documents that were loaded, as they were."""

    before: ChildDocument | None
    view: ChildView
    shard: str
    stored: Mapping[Place, Any] = field(default_factory=dict)

    @property
    def child_id(self) -> str:
        assert self.view.child is not None
        return self.view.child["_id"]


@dataclass(slots=True)
class Writes:
    """`versions`: those of the stored children that all of it was computed from."""

    by_model: dict[Model, list[Write]] = field(default_factory=lambda: defaultdict(list))
    versions: dict[str, int] = field(default_factory=dict)
    deliveries: list[UpdateOne] = field(default_factory=list)


def writes_of(
    folded: Sequence[FoldedChild],
    cutoff: RetentionCutoff,
    marks: Mapping[str, Document],
    now: datetime,
    *,
    over_remains: bool = False,
) -> Writes:
    """What a batch changes. `marks`: what stands in each alert beside what events say, by its id.
    `over_remains`: what a child is to have may stand there already, of no stored child."""
    writes = Writes()
    counters: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for one in folded:
        _add_child(writes, one)
        _add_documents(writes, one, cutoff, over_remains=over_remains)
        _add_alerts(writes, one, cutoff, marks, now)
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


def _add_child(writes: Writes, one: FoldedChild) -> None:
    child, before = cast(Document, one.view.child), cast(Document | None, one.before)
    if before is None:
        writes.by_model[Model.CHILDREN].append(InsertOne(child))
        return
    writes.versions[child["_id"]] = before["version"]
    if one.view.erased:  # its removal has left a field there
        writes.by_model[Model.CHILDREN].append(ReplaceOne({"_id": child["_id"]}, child))
    else:
        _add_changes(writes, Model.CHILDREN, before, child)


def _add_documents(
    writes: Writes, one: FoldedChild, cutoff: RetentionCutoff, *, over_remains: bool
) -> None:
    for place in one.view.changed:
        document, stored = one.view.documents[place], one.stored.get(place)
        if not cutoff.keeps(place[0], document):
            continue
        if stored is not None:
            _add_changes(writes, place[0], stored, document)
        elif over_remains:
            replace = ReplaceOne({"_id": place[1]}, document, upsert=True)
            writes.by_model[place[0]].append(replace)
        else:
            writes.by_model[place[0]].append(InsertOne(document))


def _add_changes(writes: Writes, model: Model, before: Document, after: Document) -> None:
    """Leaves what a replacement would leave."""
    differing = {
        name: value
        for name, value in after.items()
        if (was := before.get(name, _NOTHING)) is not value
        and (was != value or type(was) is not type(value))
    }
    update = {"$set": differing} if differing else {}
    if gone := before.keys() - after.keys():
        update["$unset"] = dict.fromkeys(gone, "")
    if update:
        writes.by_model[model].append(UpdateOne({"_id": after["_id"]}, update))


_NOTHING = object()


def _add_alerts(
    writes: Writes,
    one: FoldedChild,
    cutoff: RetentionCutoff,
    marks: Mapping[str, Document],
    now: datetime,
) -> None:
    for alert in (each for each in one.view.alerts if cutoff.keeps(Model.ALERTS, each)):
        insert = {"$setOnInsert": {**alert, **marks.get(alert["_id"], {})}}
        writes.by_model[Model.ALERTS].append(UpdateOne({"_id": alert["_id"]}, insert, upsert=True))
        writes.deliveries += [added_once(fresh) for fresh in deliveries_of(alert, now)]


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
