"""How the read models are kept up to date, as the read store itself knows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.mongo import Database
from shared.read_models.deliveries import OpenDeliveries, open_deliveries
from shared.read_models.generations import Catalog, read_catalog
from shared.read_models.heartbeats import Heartbeats
from shared.read_models.indexes import DEAD_LETTERED_COLLECTION, count_dead_lettered, marks_of

MOST_CHILDREN = 50


@dataclass(frozen=True, slots=True)
class DeadLetteredChild:
    """`reason`: why its first record could not be projected; nothing personal."""

    child_id: str
    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Operations:
    """`workers`: the version of the projections of each worker that runs, by its name.
    `dead_lettered` children of the live generation, of whom `children` are the first
    `MOST_CHILDREN`. `deliveries` that wait or failed, by channel and state."""

    catalog: Catalog
    workers: Mapping[str, int] = field(default_factory=dict)
    dead_lettered: int = 0
    children: Sequence[DeadLetteredChild] = ()
    deliveries: Mapping[tuple[str, str], OpenDeliveries] = field(default_factory=dict)


async def read_operations(database: Database) -> Operations:
    """Raises PyMongoError."""
    catalog = await read_catalog(database)
    marks = database[DEAD_LETTERED_COLLECTION].find(marks_of(catalog.live)).sort([("since", 1)])
    return Operations(
        catalog,
        await Heartbeats(database).all_present(),
        await count_dead_lettered(database, catalog.live),
        [
            DeadLetteredChild(mark["child_id"], mark["since"], mark["reason"])
            for mark in await marks.limit(MOST_CHILDREN).to_list(MOST_CHILDREN)
        ],
        await open_deliveries(database),
    )
