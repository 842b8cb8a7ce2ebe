"""A parent registers a child; the same request again changes nothing."""

from examples.stage import CONSENTS, Stage
from examples.story import expect
from shared.client.answers import CommandAnswer
from shared.clock import new_id

TITLE = "Registration"


async def scenario(stage: Stage) -> None:
    story, parent = stage.story, await stage.parent("ada")
    key = new_id()

    async def register() -> CommandAnswer:
        return await parent.register_child(
            "Mia Sophie",
            6,
            stage.udid("mia"),
            interests=["space"],
            consents=CONSENTS,
            idempotency_key=key,
        )

    with story.step("Ada registers Mia, aged 6, and her bear"):
        first = await register()
    story.show(f"child {first['child_id']} at version {first['version']}: {first['events']}")
    consents = ["ParentalConsentGiven"] * len(CONSENTS)
    expect(first["events"] == ["ChildRegistered", *consents], "registered, with every consent")

    with story.step("the same request again, as after a lost connection"):
        again = await register()
    story.show(f"child {again['child_id']} at version {again['version']}: the stored answer")
    expect(again == first, "a repeated idempotency key gets the first answer")

    with story.step("Ada reads what she just wrote"):
        profile = await parent.get_child_profile(first["child_id"])
    story.show(
        f"{profile['name']}, {profile['age']}, bear {profile['udid']}, "
        f"profile {profile['profile_completeness']} % complete, safety {profile['safety_status']}"
    )
    expect(profile["name"] == "Mia Sophie", "the profile has the name")
    expect(profile["version"] == first["version"], "the query waited for the command's version")
    expect(profile["udid"] is not None and stage.udid("mia") not in profile["udid"], "masked")
