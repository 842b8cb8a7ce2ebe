"""Which alerts of a generation notify nobody, nobody yet, or nobody again.

Alerts that a generation raises while another one is live notify nobody for now. Most of them the
live generation raised as well, or could have: those are `rebuilt`, the past. But not those that it
did not see: of a child that is dead-lettered there, or of events that no worker of its projections
was there for; nor those that only newer rules raise, of what happened since the generation was
begun. They are marked `awaits_live`: once their generation is live, a worker makes the deliveries
that they lack."""

from collections.abc import Collection as AnyCollection
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from shared.event_store.envelope import version_of_event
from shared.events.child import AlertChannel
from shared.mongo import Collection, Database, Document
from shared.read_models.deliveries import DeliveryState, deliveries
from shared.read_models.documents import AlertDocument, Model
from shared.read_models.generations import Generation

PAST: Document = {"rebuilt": True}
AWAITS: Document = {"awaits_live": True}
ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class BeforeLive:
    """`since`: when the generation was begun; None: nobody knows, it was live before."""

    live: Generation
    since: datetime | None = None

    async def marks(
        self, database: Database, alerts: Sequence[AlertDocument]
    ) -> Mapping[str, Document]:
        """What stands in each alert beside what events say, by its id."""
        since = self.since or ALWAYS
        older = [alert for alert in alerts if alert["raised_at"] < since]
        seen = await self._versions(database, [alert["child_id"] for alert in older])
        past = {
            alert["_id"]
            for alert in older
            if version_of_event(alert["event_id"]) <= seen.get(alert["child_id"], 0)
        }
        return {alert["_id"]: PAST if alert["_id"] in past else AWAITS for alert in alerts}

    async def _versions(self, database: Database, child_ids: Sequence[str]) -> Mapping[str, int]:
        """Up to where the live generation has seen these children."""
        if not child_ids:
            return {}
        children = self.live.collection(database, Model.CHILDREN)
        found = children.find({"_id": {"$in": list(set(child_ids))}}, {"version": 1})
        return {one["_id"]: one["version"] for one in await found.to_list(None)}


@dataclass(frozen=True, slots=True)
class AlertsToPublish:
    """`alerts`: the collection of one generation."""

    database: Database
    alerts: Collection

    async def not_begun(self, event_ids: AnyCollection[str]) -> list[AlertDocument]:
        """The alerts that these events raised and that nobody has begun to deliver to the app:
        their worker may have died before it published them."""
        not_begun = {
            "event_id": {"$in": list(event_ids)},
            "channel": AlertChannel.IN_APP.value,
            "state": DeliveryState.PENDING.value,
            "attempts": 0,
        }
        waiting = await deliveries(self.database).find(not_begun, {"alert_id": 1}).to_list(None)
        if not waiting:
            return []
        wanted = {"_id": {"$in": [one["alert_id"] for one in waiting]}}
        return [cast(AlertDocument, one) for one in await self.alerts.find(wanted).to_list(None)]

    async def not_notified(self, raised: Sequence[AlertDocument]) -> list[AlertDocument]:
        """Without those of which somebody was notified already, while another generation was live:
        one that becomes live again raises them again."""
        in_app = AlertChannel.IN_APP.value
        # a webhook may be quicker than this look; open apps are to receive the alert all the same
        decides = {"$or": [{"channel": in_app}, {"channels": {"$ne": in_app}}]}
        settled = {"state": {"$ne": DeliveryState.PENDING.value}}
        wanted = {"alert_id": {"$in": [alert["_id"] for alert in raised]}, **settled, **decides}
        found = await deliveries(self.database).find(wanted, {"alert_id": 1}).to_list(None)
        notified = {one["alert_id"] for one in found}
        return [alert for alert in raised if alert["_id"] not in notified]
