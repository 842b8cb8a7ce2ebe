"""The cost of a durable append: one insert per request, and group commit, on both drivers.

See docs/decisions/004-motor-and-its-successor.md.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from rich.console import Console
from rich.table import Table

from shared.clock import new_id
from shared.event_store.commit_documents import to_document
from shared.event_store.envelope import seal_commit
from shared.event_store.mongo import MongoEventStore, ensure_indexes
from shared.mongo import Driver, Mongo
from tests.support.commits import an_offer
from tests.support.stack import chosen

APPENDS = 4_000
CALLERS = 100
DRIVERS: tuple[Driver, ...] = ("motor", "pymongo")


async def rate(append: Callable[[], Awaitable[object]], appends: int) -> float:
    """Appends a second with 100 callers at the same time."""
    left = iter(range(appends))

    async def caller() -> None:
        for _ in left:
            await append()

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(CALLERS):
            group.create_task(caller())
    return appends / (time.perf_counter() - started)


async def measure(url: str) -> None:
    table = Table("driver", "one insert a request", "group commit", "ratio")
    for driver in DRIVERS:
        mongo = Mongo(url, driver, max_pool_size=CALLERS)
        database = mongo.database(f"bench_{new_id()[:8]}")
        await ensure_indexes(database)
        commits, store = database["commits"], MongoEventStore(database)

        async def single(commits=commits) -> None:
            await commits.insert_one(to_document(seal_commit(an_offer(new_id(), key=new_id()))))

        async def grouped(store=store) -> None:
            await store.append(an_offer(new_id(), key=new_id()))

        one, many = await rate(single, APPENDS // 4), await rate(grouped, APPENDS)
        table.add_row(driver, f"{one:,.0f}/s", f"{many:,.0f}/s", f"{many / one:.1f} x")
        await store.close()
        await mongo.close()
    Console().print(table)


def main() -> None:
    with chosen()() as servers:
        asyncio.run(measure(servers.mongo_url))


if __name__ == "__main__":
    main()
