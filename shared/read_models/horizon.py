"""How far back the read models go. What lies before the horizon is written by nobody, compared by
nobody, and deleted by `teddy retention apply`.

`read_model_horizon` holds one document: `{_id: "horizon", activity: "2025-10-19", alerts: ...}`.
It only moves forward: what was deleted is not to come back when the settings are changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.mongo import Database, Document
from shared.read_models.models import Model

HORIZON_COLLECTION = "read_model_horizon"
HORIZON_ID = "horizon"
BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Horizon:
    """`activity`: the first UTC day (ISO) that is kept. `alerts`: the first time of an alert."""

    activity: str = ""
    alerts: datetime = BEGINNING

    def keeps(self, model: Model, document: Mapping[str, Any]) -> bool:
        """Models that have no horizon keep everything."""
        if model is Model.ACTIVITY:
            return bool(document["day"] >= self.activity)
        if model is Model.ALERTS:
            return bool(document["raised_at"] >= self.alerts)
        return True

    def lies_behind(self, latest: "Horizon") -> bool:
        """Whether it is in no respect later than `latest`."""
        return self.activity <= latest.activity and self.alerts <= latest.alerts

    def behind(self) -> dict[Model, Document]:
        """What to delete of each model that has a horizon, as a query."""
        return {
            Model.ACTIVITY: {"day": {"$lt": self.activity}},
            Model.ALERTS: {"raised_at": {"$lt": self.alerts}},
        }


async def read_horizon(database: Database) -> Horizon:
    """As it is now; before anything was purged, everything is kept."""
    found = await database[HORIZON_COLLECTION].find_one({"_id": HORIZON_ID})
    if found is None:
        return Horizon()
    return Horizon(found.get("activity", ""), found.get("alerts", BEGINNING))


async def advance_horizon(database: Database, wanted: Horizon) -> Horizon:
    """Move it to `wanted`, where that lies ahead; where it is now."""
    moved = _told(wanted)
    if moved:
        await database[HORIZON_COLLECTION].update_one(
            {"_id": HORIZON_ID}, {"$max": moved}, upsert=True
        )
    return await read_horizon(database)


def _told(horizon: Horizon) -> Document:
    """Without what has no horizon."""
    told: Document = {}
    if horizon.activity:
        told["activity"] = horizon.activity
    if horizon.alerts > BEGINNING:
        told["alerts"] = horizon.alerts
    return told
