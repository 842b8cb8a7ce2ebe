"""What is refused is refused clearly: which field, which limit, and nothing is half-done."""

from collections.abc import Awaitable

from examples.stage import CONSENTS, Stage
from examples.story import ScenarioFailed, expect
from shared.client import TeddyProblem

TITLE = "Refusals and missing children"
NOBODY = "00000000-0000-5000-8000-000000000000"


async def scenario(stage: Stage) -> None:
    story, parent = stage.story, await stage.parent("hanna")
    with story.step("a registration with three wrong fields"):
        problem = await _refused(parent.register_child("X", 13, "short", consents=CONSENTS))
    named = {error["field"]: error["limit"] for error in problem.errors}
    expect(problem.status == 422, "wrong fields are 422")
    expect(set(named) == {"name", "age", "udid"}, "all three are reported at once")
    for error in problem.errors:
        story.show(f"{error['field']}: {error['message']}")

    with story.step("a bear that belongs to another child"):
        bear = stage.udid("ida")
        await parent.register_child("Ida", 5, bear, consents=CONSENTS)
        problem = await _refused(parent.register_child("Jan", 6, bear, consents=CONSENTS))
    expect((problem.status, problem.code) == (409, "udid-taken"), "one bear, one child")
    story.show(f"{problem.status} {problem.code}: {problem.detail}")

    with story.step("a query and a command about a child that does not exist"):
        asked = await _refused(parent.get_child_profile(NOBODY))
        changed = await _refused(parent.update_child_profile(NOBODY, age=7))
    codes = {asked.code, changed.code}
    expect(codes == {"child-not-found"}, "unknown is 404 on both sides")
    story.show(f"{asked.status} {asked.code}: {asked.detail}")

    with story.step("a deactivated account refuses changes, and is reactivated"):
        problem = await _deactivate_and_return(stage)
    story.show(f"{problem.status} {problem.code}: {problem.detail}")


async def _deactivate_and_return(stage: Stage) -> TeddyProblem:
    parent = await stage.parent("hanna")
    child_id = (await parent.register_child("Kim", 7, stage.udid("kim"), consents=CONSENTS))[
        "child_id"
    ]
    await parent.deactivate_child(child_id, "On holiday without the bear.")
    problem = await _refused(parent.update_child_profile(child_id, age=8))
    expect((problem.status, problem.code) == (409, "child-deactivated"), "it refuses changes")
    await parent.reactivate_child(child_id)
    profile = await parent.get_child_profile(child_id)
    expect(profile["status"] == "active", "the account is active again")
    expect(profile["age"] == 7, "and the refused change had no effect")
    return problem


async def _refused(request: Awaitable[object]) -> TeddyProblem:
    try:
        await request
    except TeddyProblem as problem:
        return problem
    raise ScenarioFailed("this should have been refused")
