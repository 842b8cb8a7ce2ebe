"""Alerts that a generation raises while another one is live, and nobody is notified of for now.

Most of them the live generation raised as well, or could have: those are `rebuilt`, the past. But
not those that it did not see: of a child that is dead-lettered there, or of events that no worker
of its projections was there for; nor those that only newer rules raise, of what happened since the
generation was begun. They are marked `awaits_live`: once their generation is live, a worker makes
the deliveries that they lack.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.envelope import version_of_event
from shared.mongo import Database, Document
from shared.read_models.documents import AlertDocument
from shared.read_models.generations import Generation
from shared.read_models.models import Model

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
        """What stands in each alert beside what events tell, by its id."""
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
