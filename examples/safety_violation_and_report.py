"""The bear reports violations, the parent is alerted, staff resolve one, the report says it all."""

from examples.stage import CONSENTS, Stage
from examples.story import expect

TITLE = "Safety violation and report"


async def scenario(stage: Stage) -> None:
    story = stage.story
    parent, officer = await stage.parent("dan"), await stage.officer()
    bear, bear_id = await stage.bear("ole"), stage.bear_id("ole")
    child = await parent.register_child(
        "Ole", 9, stage.udid("ole"), device_id=bear_id, consents=CONSENTS
    )
    child_id = child["child_id"]

    with story.step("the bear reports two violations, one of them severe"):
        mild = await bear.report_safety_violation(child_id, "rude_words", "medium", "In a story.")
        await bear.report_safety_violation(child_id, "personal_information", "high", "An address.")
        await bear.get_child_profile(child_id)  # waits until its own reports can be seen

    with story.step("Dan finds one alert: severe ones reach him at once"):
        profile = await parent.get_child_profile(child_id)
        alerts = (await parent.get_alerts(stage.parent_id("dan")))["items"]
    expect(len(alerts) == 1, "the severe violation raised one alert")
    expect(alerts[0]["severity"] == "high", "and the mild one none")
    expect(profile["safety_score"] == 70.0, "100 less 10 less 20")
    story.show(f"alert: {alerts[0]['violation_type']}; score {profile['safety_score']}")

    with story.step("a safety officer finds the mild one a false positive"):
        await officer.resolve_safety_violation(child_id, mild["violation_id"], "false_positive")
        report = await officer.get_child_safety_report(child_id)
    expect(report["safety_score"] == 80.0, "a false positive costs nothing")
    expect(report["total_violations"] == 2, "both stay recorded")
    expect(report["open_violations"] == 1, "one is still open")
    story.show(f"score {report['safety_score']}, {report['safety_status']}, open 1 of 2")
    for recommendation in report["recommendations"]:
        story.show(f"→ {recommendation['text']}")
    expect(len(report["recommendations"]) > 0, "the report recommends something")
