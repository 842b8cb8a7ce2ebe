"""Children are found by words of their sealed names; the whole system is a handful of numbers."""

from examples.stage import CONSENTS, Stage
from examples.story import expect
from shared.auth.access import Role

TITLE = "Search and system analytics"


async def scenario(stage: Stage) -> None:
    story, parent = stage.story, await stage.parent("finn")
    with story.step("Finn registers Zoë Élise, Zacharias and Jürgen"):
        for number, name in enumerate(("Zoë Élise", "Zacharias", "Jürgen")):
            await parent.register_child(
                name, 5 + number, stage.udid(f"search-{number}"), consents=CONSENTS
            )

    with story.step("a search by the prefix of any word, without accents"):
        by_second_word = await parent.search_children(name="elis")
    expect([c["name"] for c in by_second_word["items"]] == ["Zoë Élise"], "elis finds Élise")
    story.show("'elis' finds Zoë Élise; names are stored encrypted and found by keyed hashes")

    with story.step("a search with several conditions, page by page"):
        found = [c["name"] async for c in parent.all_children(age_min=5, age_max=6, limit=1)]
    expect(found == ["Zacharias", "Zoë Élise"], "two of the three, the newest first")
    story.show(f"aged 5 to 6, one a page: {', '.join(map(str, found))}")

    with story.step("an analyst reads the system analytics"):
        analyst = await stage.client(Role.ANALYST, "analyst-demo")
        numbers = await analyst.get_system_analytics()
    children = numbers["children"]
    story.show(f"children: {children}")
    story.show(f"safety: {numbers['safety_distribution']}")
    expect(children["active"] >= 3, "at least these three are counted")
    counted = sum(numbers["safety_distribution"].values())
    expect(counted == children["active"], "the distribution covers every active child")
