"""An update drops the cached answer, so the old profile is not served again."""

from examples.stage import CONSENTS, Stage
from examples.story import expect

TITLE = "Update with cache invalidation"


async def scenario(stage: Stage) -> None:
    story, parent = stage.story, await stage.parent("cleo")
    child = await parent.register_child("Lea", 4, stage.udid("lea"), consents=CONSENTS)
    child_id = child["child_id"]
    await parent.get_child_profile(child_id)
    await parent.get_child_profile(child_id)
    expect(story.last_was_cached, "the profile is in the cache")
    story.show("Lea's profile is in the cache")

    with story.step("Cleo: Lea is five now, and learns best by listening"):
        updated = await parent.update_child_profile(child_id, age=5, learning_style="auditory")
    story.show(f"version {updated['version']}: {updated['events']}")

    with story.step("the next read shows the new profile"):
        profile = await parent.get_child_profile(child_id)
    expect(not story.last_was_cached, "the old answer is not served again")
    expect(profile["age"] == 5, "the new age is there")
    expect(profile["learning_style"] == "auditory", "the new learning style is there")
    story.show(f"{profile['name']}, {profile['age']}, learns {profile['learning_style']}")

    with story.step("the same update again changes nothing"):
        same = await parent.update_child_profile(child_id, age=5)
    expect(same["events"] == [], "unchanged values cause no event")
    expect(same["version"] == updated["version"], "and no new version")
