"""The first question goes to the read model, the next ones to the cache."""

import statistics
import time

from examples.stage import CONSENTS, Stage
from examples.story import expect

TITLE = "Cached profile queries"
READS = 50


async def scenario(stage: Stage) -> None:
    story, parent = stage.story, await stage.parent("ben")
    child = await parent.register_child("Noah", 8, stage.udid("noah"), consents=CONSENTS)
    child_id = child["child_id"]

    with story.step("the first read misses the cache"):
        first = await parent.get_child_profile(child_id)
    expect(not story.last_was_cached, "the first read is a miss")

    seconds = []
    with story.step(f"{READS} more reads"):
        for _ in range(READS):
            started = time.perf_counter()
            again = await parent.get_child_profile(child_id)
            seconds.append(time.perf_counter() - started)
            expect(story.last_was_cached, "every further read is a hit")
            expect(again == first, "the cache answers the same")
    story.show(f"all from the cache, median {statistics.median(seconds) * 1_000:.2f} ms over HTTP")
