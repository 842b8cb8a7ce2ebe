"""What operators ask: is all well, does the cache earn its keep, and please forget it all."""

import asyncio

from examples.stage import CONSENTS, Stage
from examples.story import expect

TITLE = "Health, cache statistics and clearing"
NOTIFIED_SECONDS = 10.0
PAUSE_SECONDS = 0.05


async def scenario(stage: Stage) -> None:
    story, parent, admin = stage.story, await stage.parent("gina"), await stage.admin()

    with story.step("both APIs and their dependencies"):
        health = await admin.get_health_status()
    for api in (health["command"], health["query"]):
        story.show(str(api["dependencies"]))
    expect(health["status"] == "ready", "everything is ready")

    child = await parent.register_child("Hugo", 10, stage.udid("hugo"), consents=CONSENTS)
    await parent.get_child_profile(child["child_id"])
    before = await admin.get_cache_statistics()
    with story.step("ten more reads of a cached profile"):
        for _ in range(10):
            await parent.get_child_profile(child["child_id"])
    after = await admin.get_cache_statistics()
    expect(after["hits"] - before["hits"] == 10, "all ten came from the cache")
    story.show(f"hits {after['hits']}, misses {after['misses']}, hit rate {after['hit_rate']:.0%}")

    with story.step("an admin clears the caches of all query processes"):
        ended = await admin.clear_all_caches()
    expect(ended["state"] == "done", "a worker notified them")
    story.show(str(ended["outcome"]))

    with story.step("within moments a read comes from the read model again"):
        async with asyncio.timeout(NOTIFIED_SECONDS):
            await parent.get_child_profile(child["child_id"])
            while story.last_was_cached:
                await asyncio.sleep(PAUSE_SECONDS)
                await parent.get_child_profile(child["child_id"])
