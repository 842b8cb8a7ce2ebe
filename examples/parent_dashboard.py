"""A parent with three children sees them on one page; another parent sees nothing of them."""

from collections.abc import Awaitable

from examples.stage import CONSENTS, Stage
from examples.story import ScenarioFailed, expect
from shared.client import TeddyProblem

TITLE = "Parent dashboard with several children"
CHILDREN = (("Emma", 5), ("Felix", 7), ("Greta", 11))


async def scenario(stage: Stage) -> None:
    story, parent = stage.story, await stage.parent("eva")
    ids = {}
    with story.step("Eva registers three children"):
        for name, age in CHILDREN:
            device = stage.bear_id(name.lower())
            child = await parent.register_child(
                name, age, stage.udid(name.lower()), device_id=device, consents=CONSENTS
            )
            ids[name] = child["child_id"]

    with story.step("Felix and his bear talk about dinosaurs"):
        await _talk(stage, ids["Felix"])

    with story.step("Eva opens her dashboard"):
        await parent.update_child_profile(ids["Greta"], interests=["music"])
        await parent.get_child_profile(ids["Felix"])
        family = await parent.get_children_by_parent(stage.parent_id("eva"))
    totals = family["totals"]
    expect(totals is not None and totals["children"] == len(CHILDREN), "all three are there")
    names = [child["name"] for child in family["children"]]
    expect(sorted(map(str, names)) == ["Emma", "Felix", "Greta"], "with their names")
    for seen in family["children"]:
        talks = [talk["topic"] for talk in seen["recent_conversations"]]
        story.show(f"{seen['name']}, {seen['age']}: {seen['engagement_level']}, talks {talks}")

    with story.step("another parent requests Eva's dashboard and Felix"):
        stranger = await stage.parent("zoe")
        codes = [
            await _refusal(stranger.get_children_by_parent(stage.parent_id("eva"))),
            await _refusal(stranger.get_child_profile(ids["Felix"])),
        ]
    story.show(f"refused: {codes}, as if they did not exist")
    expect(codes == ["parent-not-found", "child-not-found"], "strangers learn nothing")


async def _talk(stage: Stage, child_id: str) -> None:
    bear, parent = await stage.bear("felix"), await stage.parent("eva")
    started = await bear.start_conversation(child_id, "dinosaurs")
    conversation_id = started["conversation_id"]
    for role, words in (("child", 7), ("bear", 21), ("child", 12)):
        await bear.record_message(child_id, conversation_id, role, words, topic="dinosaurs")
    await bear.end_conversation(child_id, conversation_id)
    seen = await bear.get_child_profile(child_id)
    expect(seen["total_messages"] == 3, "three messages were counted")
    expect((await parent.get_child_profile(child_id))["conversation_count"] == 1, "one talk")


async def _refusal(question: Awaitable[object]) -> str:
    try:
        await question
    except TeddyProblem as problem:
        return problem.code
    raise ScenarioFailed("strangers learn something")
